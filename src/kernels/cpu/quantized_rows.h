// Rows of activations as 8-bit integers, for products with weights in blocks.
#pragma once

#include <cstdint>

#include "kernels/cpu/panel.h"
#include "tensor/view.h"

namespace inkstone::cpu {

// 32 activations x of one row: x is about scale * code, code in [-127, 127].
struct QuantizedGroup {
  uint32_t codes[kGroupLines];  // int8, four to a word in the order of memory
  float scale;                  // NaN where an x is infinite or NaN: so is the row's result
  // Of the first and the second 16 of the codes, or [0] of all 32:
  //   a weight with a zero, scale * (code - zero): the int32 -zero * (sum of codes)
  //   a weight with a minimum:                     the bits of the float scale * (sum of codes)
  int32_t offset[2];
};

// Rows [begin, end) of x [R, K] (f32 or bf16), K a multiple of 32, each by itself: scale = the
// largest |x| of the group / 127, code = x * (127 / largest) to nearest even; a group whose
// largest |x| is below kSmallest is taken for zeros, scale and all.
//
// Row r, group g goes to to[(t * groups + g) * width + r - 8 t] with t = r / 8, width =
// min(8, R - 8 t): the groups of rows that are multiplied together stand together.
inline constexpr float kSmallestActivation = 0x1p-100f;
inline constexpr int64_t kTileRows = 8;
void quantize_rows(const BlockForm& form, ConstView x, int64_t begin, int64_t end,
                   QuantizedGroup* to);

}  // namespace inkstone::cpu
