// The CPU's implementations, one file each. Contracts: kernels/backend.h.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/context.h"

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
void copy_rows(Context& context, const RowCopy& op);  // convert.cc

// Of AttentionBackward::scratch.
int64_t attention_backward_scratch_floats(const Context& context, const Shape& qkv, int64_t heads);
// Of MuonStep::scratch.
int64_t muon_scratch_floats(const Shape& parameter, int64_t parts);

void cast(Context& context, ConstView from, View to);                      // convert.cc
void add(Context& context, View x, ConstView delta);                       // add.cc
void sum_rows(Context& context, ConstView x, View out, bool accumulate);   // sum_rows.cc
void embedding_forward(Context& context, const EmbeddingForward& op);      // embedding.cc
void embedding_backward(Context& context, const EmbeddingBackward& op);    // embedding.cc
void layer_norm_forward(Context& context, const LayerNormForward& op);     // layer_norm.cc
void layer_norm_backward(Context& context, const LayerNormBackward& op);   // layer_norm.cc
void activation_forward(Context& context, const ActivationForward& op);    // activation.cc
void activation_backward(Context& context, const ActivationBackward& op);  // activation.cc
void dropout(Context& context, View x, const DropoutMask& mask);           // dropout.cc
void attention_forward(Context& context, const AttentionForward& op);      // attention_forward.cc
void attention_backward(Context& context, const AttentionBackward& op);    // attention_backward.cc
void attention_cached(Context& context, const AttentionCached& op);        // attention_cached.cc
void cache_store(const CacheStore& op);                                    // attention_cached.cc
void cross_entropy(Context& context, const CrossEntropy& op);              // cross_entropy.cc
void adamw(Context& context, const AdamWStep& op);                         // adamw.cc
void muon(Context& context, const MuonStep& op);                           // muon.cc
double sum_of_squares(Context& context, ConstView x);                      // sum_of_squares.cc
void matmul_nn(Context& context, const Matmul& op);                        // matmul.cc
void matmul_nt(Context& context, const Matmul& op);                        // matmul.cc
void matmul_tn(Context& context, const Matmul& op);                        // matmul.cc
void matmul_rows_nn(Context& context, const Matmul& op);                   // matmul_rows.cc
void matmul_rows_nt(Context& context, const Matmul& op);                   // matmul_rows.cc

// The instruction set that the kernels chose on this machine: "AVX-512 BF16", "AVX2", "NEON", ...
const char* instruction_set();  // instruction_set.cc

}  // namespace inkstone::cpu
