// Arithmetic of sizes that come from outside: what does not fit is an error, not a small number.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace inkstone {

// a * b and a + b; throw kUsage when the result does not fit 63 bits.
inline int64_t checked_product(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    fail(ErrorCode::kUsage, "sizes {} and {} are too large to be multiplied", a, b);
  }
  return result;
}

inline int64_t checked_sum(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    fail(ErrorCode::kUsage, "sizes {} and {} are too large to be added", a, b);
  }
  return result;
}

}  // namespace inkstone
