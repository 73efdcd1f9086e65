// The CPU's implementations, one file each. Contracts: kernels/backend.h.
#pragma once

#include "kernels/backend.h"

namespace inkstone::cpu {

// to[r, c] = from[r, c] of matrices whose rows lie `stride` elements apart; f32 or bf16 on either
// side.
struct RowCopy {
  const void* from;
  DType from_dtype;
  int64_t from_stride;
  void* to;
  DType to_dtype;
  int64_t to_stride;
  int64_t rows, columns;
};
void copy_rows(const RowCopy& op);  // convert.cc

void cast(ConstView from, View to);                     // convert.cc
void add(View x, ConstView delta);                      // add.cc
void sum_rows(ConstView x, View out, bool accumulate);  // sum_rows.cc
void embedding_forward(const EmbeddingForward& op);     // embedding.cc
void embedding_backward(const EmbeddingBackward& op);   // embedding.cc
void layer_norm_forward(const LayerNormForward& op);    // layer_norm.cc
void layer_norm_backward(const LayerNormBackward& op);  // layer_norm.cc
void gelu_forward(const GeluForward& op);               // gelu.cc
void gelu_backward(const GeluBackward& op);             // gelu.cc
void dropout(View x, const DropoutMask& mask);          // dropout.cc
void attention_forward(const AttentionForward& op);     // attention_forward.cc
void attention_backward(const AttentionBackward& op);   // attention_backward.cc
void attention_cached(const AttentionCached& op);       // attention_cached.cc
void cache_store(const CacheStore& op);                 // attention_cached.cc
void cross_entropy(const CrossEntropy& op);             // cross_entropy.cc
void adamw(const AdamWStep& op);                        // adamw.cc
double sum_of_squares(ConstView x);                     // sum_of_squares.cc
void matmul_nn(const Matmul& op);                       // matmul.cc
void matmul_nt(const Matmul& op);                       // matmul.cc
void matmul_tn(const Matmul& op);                       // matmul.cc
void matmul_rows_nn(const Matmul& op);                  // matmul_rows.cc
void matmul_rows_nt(const Matmul& op);                  // matmul_rows.cc

// The instruction set that the kernels chose on this machine: "AVX-512 BF16", "AVX2", "NEON", ...
const char* instruction_set();  // instruction_set.cc

}  // namespace inkstone::cpu
