// float16 in memory: IEEE half precision. Arithmetic is in float32 (half_to_float of
// tensor/dtype.h).
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/dtype.h"

namespace inkstone {

struct f16 {
  uint16_t bits;
};

// As float_to_half; every NaN becomes one (quiet) NaN of its sign.
inline f16 to_f16(float x) {
  if (std::isnan(x)) return {static_cast<uint16_t>(std::signbit(x) ? 0xFE00 : 0x7E00)};
  return {float_to_half(x)};
}

}  // namespace inkstone
