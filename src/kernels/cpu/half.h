// float16 in memory: IEEE half precision. Arithmetic is in float32 (half_to_float of
// tensor/dtype.h).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace inkstone {

struct f16 {
  uint16_t bits;
};

// Rounds to nearest even; from 65520 on infinity; a NaN stays a (quiet) NaN.
inline f16 to_f16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), magnitude = bits & 0x7FFFFFFF;
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (magnitude > 0x7F800000) return {static_cast<uint16_t>(sign | 0x7E00)};
  if (magnitude >= 0x477FF000) return {static_cast<uint16_t>(sign | 0x7C00)};
  if (magnitude < 0x38800000) {
    // Below 2^-14 halves are multiples of 2^-24, and a float near 2^-1 is a multiple of it too:
    // the addition rounds.
    const float sum = std::fabs(x) + 0.5f;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - 0x3F000000))};
  }
  const uint32_t odd = (magnitude >> 13) & 1;
  const uint32_t rounded = magnitude - (uint32_t{112} << 23) + 0xFFF + odd;
  return {static_cast<uint16_t>(sign | (rounded >> 13))};
}

}  // namespace inkstone
