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
int64_t attention_backward_scratch_floats(const Context& context, int64_t T, int64_t HS);
// What muon() of this row needs.
int64_t muon_scratch_floats(const ParameterUpdate& row);
// Of OptimizerStep::scratch.
int64_t optimizer_scratch_floats(std::span<const ParameterUpdate> rows);

// The parts of optimizer_step, of which it has checked the sizes: AdamW for all of its rows, Muon
// for one.
void adamw(Context& context, const OptimizerStep& op, double gradient_scale);  // adamw.cc
void muon(Context& context, const MuonNumbers& numbers, const ParameterUpdate& row, View scratch,
          double gradient_scale);                    // muon.cc
double squared_norm(Context& context, ConstView x);  // sum_of_squares.cc

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
void cross_entropy(Context& context, const CrossEntropy& op);              // cross_entropy.cc
void optimizer_step(Context& context, const OptimizerStep& op);            // optimizer_step.cc
int64_t logits_rows(int64_t rows, int64_t vocab_size);                     // logits_rows.cc
void sum(ConstView x, View total, bool accumulate);                        // sum.cc
void sum_of_squares(Context& context, ConstView x, View total);            // sum_of_squares.cc
void matmul_nn(Context& context, const Matmul& op);                        // matmul.cc
void matmul_nt(Context& context, const Matmul& op);                        // matmul.cc
void matmul_tn(Context& context, const Matmul& op);                        // matmul.cc

void widen(Context& context, const Widen& op);                 // widen.cc
void scale_columns(Context& context, const ScaleColumns& op);  // scale_columns.cc
void sum_products(Context& context, const SumProducts& op);    // sum_products.cc
void adapted_norms(Context& context, const AdaptedNorms& op);  // adapted_norms.cc

void linear(Context& context, const Linear& op);                   // linear.cc
void linear_blocks(Context& context, const Linear& op);            // linear_blocks.cc
int64_t packed_bytes(const Weight& weight);                        // pack_blocks.cc
Weight pack(Context& context, const Weight& from, void* to);       // pack_blocks.cc
void embed(Context& context, const Embed& op);                     // embed.cc
void attention_paged(Context& context, const AttentionPaged& op);  // attention_paged.cc

// The instruction set that the kernels chose on this machine: "AVX-512 BF16", "AVX2", "NEON", ...
const char* instruction_set();  // instruction_set.cc

}  // namespace inkstone::cpu
