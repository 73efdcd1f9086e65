#include "model/block.h"

#include <algorithm>
#include <cmath>

#include "model/training_pass.h"

namespace inkstone {

BlockActivations plan_block(Arena& arena, const ModelConfig& config, DType act,
                            const PassShape& shape) {
  const int64_t N = shape.rows(), C = config.width, I = config.inner_width();
  BlockActivations a;
  a.x1 = arena.take(DType::kF32, {N, C});
  a.ln1 = arena.take(act, {N, C});
  a.mean1 = arena.take(DType::kF32, {N});
  a.rstd1 = arena.take(DType::kF32, {N});
  a.qkv = arena.take(act, {N, 3 * C});
  a.attention = arena.take(act, {N, C});
  a.lse = arena.take(DType::kF32, {shape.batch, config.heads, shape.context});
  a.x2 = arena.take(DType::kF32, {N, C});
  a.ln2 = arena.take(act, {N, C});
  a.mean2 = arena.take(DType::kF32, {N});
  a.rstd2 = arena.take(DType::kF32, {N});
  a.fc = arena.take(act, {N, I});
  a.activated = arena.take(act, {N, I});
  return a;
}

BackwardScratch plan_scratch(Arena& arena, const Network& network, const PassShape& shape) {
  const int64_t N = shape.rows(), C = network.config().width;
  const DType act = network.compute();
  BackwardScratch s;
  s.dx = arena.take(DType::kF32, {N, C});
  s.dbranch = arena.take(act, {N, C});
  s.dnorm = arena.take(act, {N, C});
  s.wide = arena.take(act, {N, std::max(network.config().inner_width(), 3 * C)});
  const int64_t bytes = network.backend().attention_backward_scratch_bytes(
      {shape.batch, shape.context, 3 * C}, network.config().heads);
  s.attention = arena.take(DType::kF32, {bytes / size_bytes(DType::kF32)});
  return s;
}

float attention_scale(const ModelConfig& config, int64_t layer) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_size()));
  return static_cast<float>(
      config.scale_attention_by_inverse_layer ? scale / static_cast<double>(layer + 1) : scale);
}

void block_forward(const Network& network, int64_t layer, const PassShape& shape, ConstView x,
                   ConstView delta, const BlockActivations& a, View branch,
                   const PassDropout& dropout) {
  Backend& backend = network.backend();
  const LayerRows& rows = network.table().layer(layer);
  const int64_t C = network.config().width;
  const auto epsilon = static_cast<float>(network.config().layer_norm_epsilon);

  backend.layer_norm_forward({.x = x,
                              .delta = delta,
                              .sum = delta ? a.x1 : View{},
                              .weight = network.master(rows.ln_1_weight),
                              .bias = network.master(rows.ln_1_bias),
                              .epsilon = epsilon,
                              .y = a.ln1,
                              .mean = a.mean1,
                              .rstd = a.rstd1});
  backend.matmul_nn({.a = a.ln1,
                     .b = network.operand(rows.attn_weight),
                     .c = a.qkv,
                     .bias = network.master(rows.attn_bias)});
  backend.attention_forward({.qkv = a.qkv.reshaped({shape.batch, shape.context, 3 * C}),
                             .heads = network.config().heads,
                             .scale = attention_scale(network.config(), layer),
                             .out = a.attention.reshaped({shape.batch, shape.context, C}),
                             .lse = a.lse,
                             .dropout = dropout.attention(layer)});
  backend.matmul_nn({.a = a.attention,
                     .b = network.operand(rows.attn_proj_weight),
                     .c = branch,
                     .bias = network.master(rows.attn_proj_bias)});
  if (dropout.rate > 0) backend.dropout(branch, dropout.attention_branch(layer));

  backend.layer_norm_forward({.x = a.x1,
                              .delta = branch,
                              .sum = a.x2,
                              .weight = network.master(rows.ln_2_weight),
                              .bias = network.master(rows.ln_2_bias),
                              .epsilon = epsilon,
                              .y = a.ln2,
                              .mean = a.mean2,
                              .rstd = a.rstd2});
  backend.matmul_nn({.a = a.ln2,
                     .b = network.operand(rows.fc_weight),
                     .c = a.fc,
                     .bias = network.master(rows.fc_bias)});
  backend.activation_forward({.kind = network.config().activation, .x = a.fc, .y = a.activated});
  backend.matmul_nn({.a = a.activated,
                     .b = network.operand(rows.fc_proj_weight),
                     .c = branch,
                     .bias = network.master(rows.fc_proj_bias)});
  if (dropout.rate > 0) backend.dropout(branch, dropout.mlp_branch(layer));
}

namespace {

// The gradient of a branch's result: that of the stream, in the activation type, through its
// dropout.
ConstView branch_gradient(Backend& backend, const BackwardScratch& s, const DropoutMask& mask) {
  if (s.dbranch.dtype == s.dx.dtype && mask.rate == 0) return s.dx;
  if (s.dbranch.dtype == s.dx.dtype) {
    backend.copy(s.dx, s.dbranch);
  } else {
    backend.cast(s.dx, s.dbranch);
  }
  if (mask.rate > 0) backend.dropout(s.dbranch, mask);
  return s.dbranch;
}

// y = x W + b: dx = dy W^T (if wanted), dW (+)= x^T dy, db (+)= sum of dy's rows.
struct LinearBackward {
  ConstView x, dy;
  View dx;
  int weight, bias;
};

void linear_backward(const Network& network, const LinearBackward& op, const Gradients& gradients,
                     bool accumulate) {
  Backend& backend = network.backend();
  backend.matmul_nt({.a = op.dy, .b = network.operand(op.weight), .c = op.dx});
  backend.matmul_tn(
      {.a = op.x, .b = op.dy, .c = gradients.row(op.weight), .accumulate = accumulate});
  if (op.bias != kNoRow) backend.sum_rows(op.dy, gradients.row(op.bias), accumulate);
}

}  // namespace

void block_backward(const Network& network, int64_t layer, const PassShape& shape,
                    const BlockActivations& a, const BackwardScratch& s, const Gradients& gradients,
                    bool accumulate, const PassDropout& dropout) {
  Backend& backend = network.backend();
  const LayerRows& rows = network.table().layer(layer);
  const int64_t N = shape.rows(), C = network.config().width;
  const View dinner = {s.wide.data, s.wide.dtype, a.fc.shape};

  const ConstView dmlp = branch_gradient(backend, s, dropout.mlp_branch(layer));
  linear_backward(network,
                  {.x = a.activated,
                   .dy = dmlp,
                   .dx = dinner,
                   .weight = rows.fc_proj_weight,
                   .bias = rows.fc_proj_bias},
                  gradients, accumulate);
  backend.activation_backward(
      {.kind = network.config().activation, .x = a.fc, .dy = dinner, .dx = dinner});
  linear_backward(
      network,
      {.x = a.ln2, .dy = dinner, .dx = s.dnorm, .weight = rows.fc_weight, .bias = rows.fc_bias},
      gradients, accumulate);
  backend.layer_norm_backward({.dy = s.dnorm,
                               .sum = a.x2,
                               .weight = network.master(rows.ln_2_weight),
                               .mean = a.mean2,
                               .rstd = a.rstd2,
                               .dx = s.dx,
                               .dweight = gradients.row(rows.ln_2_weight),
                               .dbias = gradients.row(rows.ln_2_bias),
                               .accumulate = accumulate});

  const ConstView dattention = branch_gradient(backend, s, dropout.attention_branch(layer));
  linear_backward(network,
                  {.x = a.attention,
                   .dy = dattention,
                   .dx = s.dnorm,
                   .weight = rows.attn_proj_weight,
                   .bias = rows.attn_proj_bias},
                  gradients, accumulate);
  const View dqkv = View{s.wide.data, s.wide.dtype, {N, 3 * C}};
  const Shape rank3{shape.batch, shape.context, C};
  backend.attention_backward({.dout = s.dnorm.reshaped(rank3),
                              .qkv = a.qkv.reshaped({shape.batch, shape.context, 3 * C}),
                              .out = a.attention.reshaped(rank3),
                              .lse = a.lse,
                              .heads = network.config().heads,
                              .scale = attention_scale(network.config(), layer),
                              .dqkv = dqkv.reshaped({shape.batch, shape.context, 3 * C}),
                              .scratch = s.attention,
                              .dropout = dropout.attention(layer)});
  linear_backward(
      network,
      {.x = a.ln1, .dy = dqkv, .dx = s.dnorm, .weight = rows.attn_weight, .bias = rows.attn_bias},
      gradients, accumulate);
  backend.layer_norm_backward({.dy = s.dnorm,
                               .sum = a.x1,
                               .weight = network.master(rows.ln_1_weight),
                               .mean = a.mean1,
                               .rstd = a.rstd1,
                               .dx = s.dx,
                               .dweight = gradients.row(rows.ln_1_weight),
                               .dbias = gradients.row(rows.ln_1_bias),
                               .accumulate = accumulate});
}

}  // namespace inkstone
