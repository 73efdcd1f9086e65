// encode_row: floats, blocks of 32, and the table of all types. Without importance the scales of
// q8_0, q4_0, q4_1, q5_0 and q5_1 come from the extremes of the block, as in ggml, to the bit: none
// of the products and sums is fused (CMakeLists.txt).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/block_fit.h"
#include "tensor/block_layout.h"
#include "tensor/blocks.h"
#include "tensor/encode_k_blocks.h"

namespace inkstone {
namespace {

// A block before it is packed: halves and codes.
struct Encoded {
  uint16_t d = 0, m = 0;
  Codes<kBlock> q{};
};

// 1 / d, or 0 where that is infinite.
float inverse_or_zero(float d) {
  return std::abs(d) < std::numeric_limits<float>::min() ? 0 : 1 / d;
}

// The element that is largest in magnitude becomes the lowest code, -zero.
Encoded symmetric_by_extreme(const float* x, int zero) {
  float largest = 0;
  for (int i = 0; i < kBlock; ++i) {
    if (std::abs(x[i]) > std::abs(largest)) largest = x[i];
  }
  const float d = largest / static_cast<float>(-zero), inverse = inverse_or_zero(d);
  Encoded to{.d = float_to_half(d)};
  for (int i = 0; i < kBlock; ++i) {
    const float shifted = x[i] * inverse + (static_cast<float>(zero) + 0.5f);
    to.q[i] = static_cast<uint8_t>(std::min(static_cast<int>(shifted), 2 * zero - 1));
  }
  return to;
}

// The least element becomes 0, the greatest the highest code.
Encoded affine_by_extremes(const float* x, int highest) {
  const auto [least, most] = std::minmax_element(x, x + kBlock);
  const float d = (*most - *least) / static_cast<float>(highest), inverse = inverse_or_zero(d);
  Encoded to{.d = float_to_half(d), .m = float_to_half(*least)};
  for (int i = 0; i < kBlock; ++i) {
    const float shifted = (x[i] - *least) * inverse + 0.5f;
    to.q[i] = static_cast<uint8_t>(std::min(static_cast<int>(shifted), highest));
  }
  return to;
}

// d * (q - zero), from the extreme where no weights w are given. Codes are chosen for the scale as
// it was rounded to a half.
Encoded encode_symmetric(const float* x, const float* w, int zero) {
  if (w == nullptr) return symmetric_by_extreme(x, zero);
  const Piece piece{x, w, kBlock};
  const CodeRange codes{-zero, zero - 1};
  Encoded to{.d = half_of_scale(fit_scale(piece, codes).scale)};
  choose_codes(piece, {half_to_float(to.d), 0}, codes, to.q.data());
  return to;
}

// d * q + m
Encoded encode_affine(const float* x, const float* w, int highest) {
  if (w == nullptr) return affine_by_extremes(x, highest);
  const Piece piece{x, w, kBlock};
  const Fit fit = fit_scale_and_min(piece, highest, MinSign::kAny);
  Encoded to{.d = half_of_scale(fit.scale),
             .m = float_to_half(std::clamp(-fit.min, -65504.0f, 65504.0f))};
  choose_codes(piece, {half_to_float(to.d), -half_to_float(to.m)}, {0, highest}, to.q.data());
  return to;
}

// ---- Blocks of 32: x [32], w [32] or null -------------------------------------------------------

// 8 bits leave nothing for a search to find.
void encode_q8_0(const float* x, const float*, uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::abs(x[i]));
  const float d = largest / 127, inverse = inverse_or_zero(d);
  store_half(float_to_half(d), block);
  for (int i = 0; i < kBlock; ++i)
    block[2 + i] = static_cast<uint8_t>(static_cast<int>(std::round(x[i] * inverse)));
}

void encode_q4_0(const float* x, const float* w, uint8_t* block) {
  const Encoded encoded = encode_symmetric(x, w, 8);
  store_half(encoded.d, block);
  pack_bits<4, 16>(encoded.q, 0, block + 2);
}

void encode_q4_1(const float* x, const float* w, uint8_t* block) {
  const Encoded encoded = encode_affine(x, w, 15);
  store_half(encoded.d, block);
  store_half(encoded.m, block + 2);
  pack_bits<4, 16>(encoded.q, 0, block + 4);
}

void encode_q5_0(const float* x, const float* w, uint8_t* block) {
  const Encoded encoded = encode_symmetric(x, w, 16);
  store_half(encoded.d, block);
  pack_bits<1, 1>(encoded.q, 4, block + 2);
  pack_bits<4, 16>(encoded.q, 0, block + 6);
}

void encode_q5_1(const float* x, const float* w, uint8_t* block) {
  const Encoded encoded = encode_affine(x, w, 31);
  store_half(encoded.d, block);
  store_half(encoded.m, block + 2);
  pack_bits<1, 1>(encoded.q, 4, block + 4);
  pack_bits<4, 16>(encoded.q, 0, block + 8);
}

void encode_iq4_nl(const float* x, const float* w, uint8_t* block) {
  const Piece piece{x, w, kBlock};
  Encoded to{.d = float_to_half(fit_iq4_nl_scale(piece))};
  choose_iq4_nl_codes(piece, half_to_float(to.d), to.q.data());
  store_half(to.d, block);
  pack_bits<4, 16>(to.q, 0, block + 2);
}

// ---- Rows ---------------------------------------------------------------------------------------

void encode_f32(const float* x, int64_t count, uint8_t* to) {
  std::memcpy(to, x, static_cast<size_t>(count) * sizeof *x);
}
void encode_f16(const float* x, int64_t count, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) store_half(float_to_half(x[i]), to + 2 * i);
}
void encode_bf16(const float* x, int64_t count, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) store_half(to_bf16(x[i]).bits, to + 2 * i);
}

using BlockEncoder = void (*)(const float* x, const float* w, uint8_t* block);

// How a type's blocks are encoded, and whether it does something else without importance than with
// equal weights.
struct Encoder {
  BlockEncoder encode;
  bool plain_without_importance;
};

Encoder encoder_of(WeightType type) {
  using enum WeightType;
  switch (type) {
    case kF32:
    case kF16:
    case kBF16: break;
    case kQ8_0: return {encode_q8_0, true};
    case kQ4_0: return {encode_q4_0, true};
    case kQ4_1: return {encode_q4_1, true};
    case kQ5_0: return {encode_q5_0, true};
    case kQ5_1: return {encode_q5_1, true};
    case kIQ4_NL: return {encode_iq4_nl, false};
    case kQ2_K: return {encode_q2_k, false};
    case kQ3_K: return {encode_q3_k, false};
    case kQ4_K: return {encode_q4_k, false};
    case kQ5_K: return {encode_q5_k, false};
    case kQ6_K: return {encode_q6_k, false};
  }
  return {nullptr, false};
}

void encode_blocks(WeightType type, const float* x, int64_t count, const float* importance,
                   uint8_t* to) {
  const WeightBlock size = block_of(type);
  const Encoder encoder = encoder_of(type);
  const bool plain = importance == nullptr && encoder.plain_without_importance;
  std::array<float, kSuperBlock> w;
  for (int64_t i = 0; i < count; i += size.elements, to += size.bytes) {
    weights_of(x + i, importance == nullptr ? nullptr : importance + i,
               static_cast<int>(size.elements), w.data());
    encoder.encode(x + i, plain ? nullptr : w.data(), to);
  }
}

}  // namespace

void encode_row(WeightType type, const float* from, int64_t count, const float* importance,
                void* to) {
  INK_CHECK(count % block_of(type).elements == 0, "a row is a whole number of blocks");
  auto* const bytes = static_cast<uint8_t*>(to);
  switch (type) {
    case WeightType::kF32: return encode_f32(from, count, bytes);
    case WeightType::kF16: return encode_f16(from, count, bytes);
    case WeightType::kBF16: return encode_bf16(from, count, bytes);
    default: return encode_blocks(type, from, count, importance, bytes);
  }
}

}  // namespace inkstone
