#include "model/block.h"

#include <algorithm>
#include <cmath>

#include "model/layer.h"
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
      shape.context, network.config().head_size());
  s.attention = arena.take(DType::kF32, {bytes / size_bytes(DType::kF32)});
  return s;
}

float attention_scale(const ModelConfig& config, int64_t layer) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_size()));
  return static_cast<float>(
      config.scale_attention_by_inverse_layer ? scale / static_cast<double>(layer + 1) : scale);
}

namespace {

// How layer_forward's parts are done in training: each result is kept.
struct TrainingOps {
  const Network& network;
  int64_t layer;
  const PassShape& shape;
  ConstView x, delta;  // the stream before the layer
  const BlockActivations& a;
  View branch;
  const PassDropout& dropout;

  Backend& backend() const { return network.backend(); }
  void normalise(Branch half, int weight, int bias, View y) const {
    const bool first = half == Branch::kAttention;
    const ConstView added = first ? delta : ConstView(branch);
    backend().layer_norm_forward(
        {.x = first ? x : ConstView(a.x1),
         .delta = added,
         .sum = added ? (first ? a.x1 : a.x2) : View{},
         .weight = network.master(weight),
         .bias = network.master(bias),
         .epsilon = static_cast<float>(network.config().layer_norm_epsilon),
         .y = y,
         .mean = first ? a.mean1 : a.mean2,
         .rstd = first ? a.rstd1 : a.rstd2});
  }
  void multiply(View from, int weight, int bias, View y) const {
    backend().matmul_nn(
        {.a = from, .b = network.operand(weight), .c = y, .bias = network.master(bias)});
  }
  void attend(View qkv, View out) const {
    const int64_t C = network.config().width, NH = network.config().heads;
    const auto [q, k, v] = split_heads(qkv, NH, NH);
    backend().attention_forward({.q = q,
                                 .k = k,
                                 .v = v,
                                 .first_keys = shape.first_keys,
                                 .last_keys = shape.last_keys,
                                 .scale = attention_scale(network.config(), layer),
                                 .out = out.reshaped({shape.batch, shape.context, C}),
                                 .lse = a.lse,
                                 .dropout = dropout.attention(layer)});
  }
  void activate(View from, View y) const {
    backend().activation_forward({.kind = network.config().activation, .x = from, .y = y});
  }
  void finish(Branch half, View result) const {
    if (dropout.rate == 0) return;
    backend().dropout(result, half == Branch::kAttention ? dropout.attention_branch(layer)
                                                         : dropout.mlp_branch(layer));
  }
};

}  // namespace

void block_forward(const Network& network, int64_t layer, const PassShape& shape, ConstView x,
                   ConstView delta, const BlockActivations& a, View branch,
                   const PassDropout& dropout) {
  layer_forward(network.table().layer(layer),
                {.norm_1 = a.ln1,
                 .qkv = a.qkv,
                 .attention = a.attention,
                 .norm_2 = a.ln2,
                 .inner = a.fc,
                 .activated = a.activated,
                 .branch = branch},
                TrainingOps{network, layer, shape, x, delta, a, branch, dropout});
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
  const int64_t N = shape.rows(), C = network.config().width, NH = network.config().heads;
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
  const auto [q, k, v] = split_heads(a.qkv, NH, NH);
  const auto [dq, dk, dv] = split_heads(dqkv, NH, NH);
  const Shape rank3{shape.batch, shape.context, C};
  backend.attention_backward({.dout = s.dnorm.reshaped(rank3),
                              .q = q,
                              .k = k,
                              .v = v,
                              .first_keys = shape.first_keys,
                              .last_keys = shape.last_keys,
                              .out = a.attention.reshaped(rank3),
                              .lse = a.lse,
                              .scale = attention_scale(network.config(), layer),
                              .dq = dq,
                              .dk = dk,
                              .dv = dv,
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
