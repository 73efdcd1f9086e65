// Blocks of 256: a half for the whole block, small integers for the scales of its sub-blocks.
#pragma once

#include <cstdint>

namespace inkstone {

// x [256] to the bytes of one block. w [256], weights of the squared errors in (0, 1].
void encode_q2_k(const float* x, const float* w, uint8_t* block);
void encode_q3_k(const float* x, const float* w, uint8_t* block);
void encode_q4_k(const float* x, const float* w, uint8_t* block);
void encode_q5_k(const float* x, const float* w, uint8_t* block);
void encode_q6_k(const float* x, const float* w, uint8_t* block);

}  // namespace inkstone
