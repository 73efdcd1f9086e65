// How keys and values lie in the pages of a cache, by the pages' type.
//
// A page holds 16 consecutive positions of every head. Of one head
//   f32, bf16, f16  keys [HS,16], values [16,HS]
//   i8 (q8_0)       codes in the same order, a byte each, and behind them scales [HS/32,16] f16,
//                   of keys and of values alike: one for 32 channels of a position
// A number of q8_0 pages is scale * code, which float32 holds exactly. Storing x: scale =
// max |x| / 127 over the 32 channels, in float32, rounded to f16; code = x / scale, in float32,
// rounded to nearest even and limited to -127..127 (0 where the scale is 0). Where one of the
// channels is not finite, or the scale is not, all 32 read as NaN.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace inkstone {

// Channels that share a scale, and the largest code.
inline constexpr int64_t kScaleChannels = 32, kLargestCode = 127;

constexpr bool head_size_fits(DType pages, int64_t HS) {
  return pages != DType::kI8 || HS % kScaleChannels == 0;
}

// Elements of a head's keys in one page, before the scales and in all; of its values as many.
constexpr int64_t page_numbers(int64_t HS) { return HS * kPagePositions; }
constexpr int64_t page_elements(DType pages, int64_t HS) {
  constexpr int64_t kScaleBytes = 2;
  const int64_t scales = page_numbers(HS) / kScaleChannels;
  return page_numbers(HS) + (pages == DType::kI8 ? scales * kScaleBytes : 0);
}

// Of the keys and of the values of P pages.
inline Shape keys_shape(DType pages, int64_t P, int64_t NH, int64_t HS) {
  if (pages == DType::kI8) return {P, NH, page_elements(pages, HS)};
  return {P, NH, HS, kPagePositions};
}
inline Shape values_shape(DType pages, int64_t P, int64_t NH, int64_t HS) {
  if (pages == DType::kI8) return keys_shape(pages, P, NH, HS);
  return {P, NH, kPagePositions, HS};
}

}  // namespace inkstone
