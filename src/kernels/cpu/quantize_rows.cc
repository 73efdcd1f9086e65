// Activations to 8-bit integers, a scale for every 32. 4 bytes read and 1.4 written for each; the
// loops are plain and become vectors as each instruction set allows. The numbers are the same on
// all of them: integers, and single products and quotients.
#include <hwy/base.h>
#include <bit>
#include <cstring>

#include "kernels/cpu/quantized_rows.h"
#include "tensor/dtype.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantize_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// The bits of the largest |x|. Those of infinity and NaN are the largest of all.
HWY_INLINE int32_t largest_bits(const float* x) {
  int32_t largest = 0;
  for (int i = 0; i < kGroup; ++i) {
    int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// Added to a float below 2^22, it leaves the float's nearest integer in the lowest bits.
constexpr float kRound = 0x1.8p23f;

HWY_INLINE void round_codes(const float* x, float inverse, int8_t* codes) {
  for (int i = 0; i < kGroup; ++i) {
    const float shifted = x[i] * inverse + kRound;
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    codes[i] = static_cast<int8_t>(bits);
  }
}

HWY_INLINE int32_t sum_of_16(const int8_t* codes) {
  int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += codes[i];
  return sum;
}

HWY_INLINE int32_t offset(const BlockForm& form, float scale, int32_t sum) {
  return form.zero != 0 ? -form.zero * sum
                        : std::bit_cast<int32_t>(scale * static_cast<float>(sum));
}

HWY_INLINE void quantize_group(const BlockForm& form, const float* x, QuantizedGroup& to) {
  const int32_t bits = largest_bits(x);
  const bool finite = bits < 0x7F800000;
  const float largest = std::bit_cast<float>(bits);
  const bool zeros = !finite || largest < kSmallestActivation;
  int8_t codes[kGroup] = {};
  if (!zeros) round_codes(x, 127.0f / largest, codes);
  std::memcpy(to.codes, codes, sizeof codes);
  to.scale = zeros ? (finite ? 0.0f : std::bit_cast<float>(0x7FC00000)) : largest / 127.0f;
  const int32_t first = sum_of_16(codes), second = sum_of_16(codes + 16);
  to.offset[0] = offset(form, to.scale, form.sub_blocks_of_16() ? first : first + second);
  to.offset[1] = offset(form, to.scale, second);
}

void quantize_f32(const BlockForm& form, const float* x, int64_t groups, int64_t stride,
                  QuantizedGroup* to) {
  for (int64_t g = 0; g < groups; ++g) quantize_group(form, x + g * kGroup, to[g * stride]);
}

void quantize_bf16(const BlockForm& form, const bf16* x, int64_t groups, int64_t stride,
                   QuantizedGroup* to) {
  for (int64_t g = 0; g < groups; ++g) {
    float wide[kGroup];
    for (int i = 0; i < kGroup; ++i) wide[i] = to_float(x[g * kGroup + i]);
    quantize_group(form, wide, to[g * stride]);
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(quantize_f32);
HWY_EXPORT(quantize_bf16);

void quantize_rows(const BlockForm& form, ConstView x, int64_t begin, int64_t end,
                   QuantizedGroup* to) {
  const int64_t R = x.shape[0], K = x.shape[1], groups = K / kGroup;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t first = r / kTileRows * kTileRows, width = std::min(kTileRows, R - first);
    QuantizedGroup* const row = to + first * groups + (r - first);
    if (x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(quantize_bf16)(form, x.as<bf16>() + r * K, groups, width, row);
    } else {
      HWY_DYNAMIC_DISPATCH(quantize_f32)(form, x.as<float>() + r * K, groups, width, row);
    }
  }
}

}  // namespace inkstone::cpu
#endif
