// decode_row: one function for each type, which decodes a block. Products and sums are taken in
// ggml's order and none is fused (CMakeLists.txt), so that the bits are ggml's.
#include <cstring>

#include "tensor/block_layout.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace {

void decode_f32(const uint8_t* block, float* to) { std::memcpy(to, block, sizeof *to); }

void decode_f16(const uint8_t* block, float* to) { *to = load_half(block); }

void decode_bf16(const uint8_t* block, float* to) {
  *to = to_float(bf16{static_cast<uint16_t>(block[0] | (block[1] << 8))});
}

// ---- Blocks of 32 -------------------------------------------------------------------------------

// d * q
void decode_q8_0(const uint8_t* block, float* to) {
  const float d = load_half(block);
  for (int i = 0; i < kBlock; ++i)
    to[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

// d * (q - zero)
void decode_symmetric(const Codes<kBlock>& q, float d, int zero, float* to) {
  for (int i = 0; i < kBlock; ++i) to[i] = d * static_cast<float>(q[i] - zero);
}

// d * q + m
void decode_affine(const Codes<kBlock>& q, float d, float m, float* to) {
  for (int i = 0; i < kBlock; ++i) to[i] = d * static_cast<float>(q[i]) + m;
}

void decode_q4_0(const uint8_t* block, float* to) {
  Codes<kBlock> q{};
  unpack_bits<4, 16>(block + 2, 0, q);
  decode_symmetric(q, load_half(block), 8, to);
}

void decode_q4_1(const uint8_t* block, float* to) {
  Codes<kBlock> q{};
  unpack_bits<4, 16>(block + 4, 0, q);
  decode_affine(q, load_half(block), load_half(block + 2), to);
}

void decode_q5_0(const uint8_t* block, float* to) {
  Codes<kBlock> q{};
  unpack_bits<4, 16>(block + 6, 0, q);
  unpack_bits<1, 1>(block + 2, 4, q);
  decode_symmetric(q, load_half(block), 16, to);
}

void decode_q5_1(const uint8_t* block, float* to) {
  Codes<kBlock> q{};
  unpack_bits<4, 16>(block + 8, 0, q);
  unpack_bits<1, 1>(block + 4, 4, q);
  decode_affine(q, load_half(block), load_half(block + 2), to);
}

// d * value of q
void decode_iq4_nl(const uint8_t* block, float* to) {
  Codes<kBlock> q{};
  unpack_bits<4, 16>(block + 2, 0, q);
  const float d = load_half(block);
  for (int i = 0; i < kBlock; ++i) to[i] = d * static_cast<float>(kIq4NlValues[q[i]]);
}

// ---- Blocks of 256 ------------------------------------------------------------------------------

// `count` elements of a sub-block: scale * q - min, or scale * (q - zero).
void decode_sub_block(const uint8_t* q, int count, float scale, float min, float* to) {
  for (int i = 0; i < count; ++i) to[i] = scale * static_cast<float>(q[i]) - min;
}
void decode_sub_block(const uint8_t* q, int count, float scale, int zero, float* to) {
  for (int i = 0; i < count; ++i) to[i] = scale * static_cast<float>(q[i] - zero);
}

// scales 16 bytes (low nibble scale, high nibble min), q 64, d, dmin; sub-blocks of 16.
void decode_q2_k(const uint8_t* block, float* to) {
  Codes<kSuperBlock> q{};
  unpack_bits<2, 32>(block + 16, 0, q);
  const float d = load_half(block + 80), dmin = load_half(block + 82);
  for (int j = 0; j < 16; ++j) {
    const float scale = d * static_cast<float>(block[j] & 15);
    const float min = dmin * static_cast<float>(block[j] >> 4);
    decode_sub_block(&q[16 * j], 16, scale, min, to + 16 * j);
  }
}

// Bit 2 of q 32 bytes, bits 0 and 1 64, scales 12 (6 bits each), d; sub-blocks of 16.
void decode_q3_k(const uint8_t* block, float* to) {
  Codes<kSuperBlock> q{};
  unpack_bits<2, 32>(block + 32, 0, q);
  unpack_bits<1, 32>(block, 2, q);
  Codes<16> scales{};
  unpack_bits<4, 8>(block + 96, 0, scales);
  unpack_bits<2, 4>(block + 104, 4, scales);
  const float d = load_half(block + 108);
  for (int j = 0; j < 16; ++j)
    decode_sub_block(&q[16 * j], 16, d * static_cast<float>(scales[j] - 32), 4, to + 16 * j);
}

// What q4_k and q5_k begin with: d, dmin, scales and mins 12 bytes; sub-blocks of 32.
void decode_with_mins(const uint8_t* block, const Codes<kSuperBlock>& q, float* to) {
  const float d = load_half(block), dmin = load_half(block + 2);
  const ScalesAndMins sub = unpack_scales_and_mins(block + 4);
  for (int j = 0; j < 8; ++j) {
    const float scale = d * static_cast<float>(sub.scales[j]);
    const float min = dmin * static_cast<float>(sub.mins[j]);
    decode_sub_block(&q[32 * j], 32, scale, min, to + 32 * j);
  }
}

void decode_q4_k(const uint8_t* block, float* to) {
  Codes<kSuperBlock> q{};
  unpack_bits<4, 32>(block + 16, 0, q);
  decode_with_mins(block, q, to);
}

void decode_q5_k(const uint8_t* block, float* to) {
  Codes<kSuperBlock> q{};
  unpack_bits<4, 32>(block + 48, 0, q);
  unpack_bits<1, 32>(block + 16, 4, q);
  decode_with_mins(block, q, to);
}

// Bits 0 to 3 of q 128 bytes, bits 4 and 5 64, scales 16 (int8), d; sub-blocks of 16.
void decode_q6_k(const uint8_t* block, float* to) {
  Codes<kSuperBlock> q{};
  unpack_bits<4, 64>(block, 0, q);
  unpack_bits<2, 32>(block + 128, 4, q);
  const float d = load_half(block + 208);
  for (int j = 0; j < 16; ++j) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + j]));
    decode_sub_block(&q[16 * j], 16, scale, 32, to + 16 * j);
  }
}

// ---- Rows ---------------------------------------------------------------------------------------

using RowDecoder = void (*)(const uint8_t* from, int64_t blocks, float* to);

template <WeightType type, auto decode_block>
void decode_blocks(const uint8_t* from, int64_t blocks, float* to) {
  constexpr WeightBlock kSize = block_of(type);
  for (int64_t i = 0; i < blocks; ++i)
    decode_block(from + i * kSize.bytes, to + i * kSize.elements);
}

RowDecoder decoder_of(WeightType type) {
  using enum WeightType;
  switch (type) {
    case kF32: return decode_blocks<kF32, decode_f32>;
    case kF16: return decode_blocks<kF16, decode_f16>;
    case kBF16: return decode_blocks<kBF16, decode_bf16>;
    case kQ8_0: return decode_blocks<kQ8_0, decode_q8_0>;
    case kQ4_0: return decode_blocks<kQ4_0, decode_q4_0>;
    case kQ4_1: return decode_blocks<kQ4_1, decode_q4_1>;
    case kQ5_0: return decode_blocks<kQ5_0, decode_q5_0>;
    case kQ5_1: return decode_blocks<kQ5_1, decode_q5_1>;
    case kIQ4_NL: return decode_blocks<kIQ4_NL, decode_iq4_nl>;
    case kQ2_K: return decode_blocks<kQ2_K, decode_q2_k>;
    case kQ3_K: return decode_blocks<kQ3_K, decode_q3_k>;
    case kQ4_K: return decode_blocks<kQ4_K, decode_q4_k>;
    case kQ5_K: return decode_blocks<kQ5_K, decode_q5_k>;
    case kQ6_K: return decode_blocks<kQ6_K, decode_q6_k>;
  }
  return nullptr;
}

}  // namespace

void decode_row(WeightType type, const void* from, int64_t count, float* to) {
  const int64_t elements = block_of(type).elements;
  INK_CHECK(count % elements == 0, "a row is a whole number of blocks");
  decoder_of(type)(static_cast<const uint8_t*>(from), count / elements, to);
}

}  // namespace inkstone
