// Rows of weights to float32 and back: the plain statement of every type of weight_type.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/weight_type.h"

namespace inkstone {

// `count` elements, a whole number of blocks, from bytes at any address to float32: the bits of
// ggml's dequantisation.
void decode_row(WeightType type, const void* from, int64_t count, float* to);

// `count` elements, a whole number of blocks, to row_bytes(type, count) bytes such that decode_row
// gives back nearly the same. The elements are finite and no larger than a half can be, 65504: the
// caller has checked that. importance [count], finite and not negative, weights of the squared
// errors, or null; only their ratios within a block matter.
// Without importance q8_0, q4_0, q4_1, q5_0 and q5_1 take their scales from the extremes of a block
// and have the bits of ggml's; q8_0 does so always. All else is a search for the least sum of
// weighted squared errors (block_fit.h, encode_k_blocks.cc), and equal importance is none.
void encode_row(WeightType type, const float* from, int64_t count, const float* importance,
                void* to);

}  // namespace inkstone
