#include "model/block.h"

#include <algorithm>
#include <cmath>

#include "model/layer.h"
#include "model/training_pass.h"

namespace inkstone {

namespace {

// The matrices of a layer, in the order of BlockActivations::adapters.
std::array<int, 4> matrices_of(const LayerRows& rows) {
  return {rows.attn_weight, rows.attn_proj_weight, rows.fc_weight, rows.fc_proj_weight};
}

}  // namespace

BlockActivations plan_block(Arena& arena, const Network& network, int64_t layer,
                            const PassShape& shape, Recompute recompute,
                            const BlockActivations* shared) {
  const ModelConfig& config = network.config();
  const DType act = network.compute(), f32 = DType::kF32;
  const int64_t N = shape.rows(), C = config.width, I = config.inner_width();
  BlockActivations a;
  if (shared != nullptr) a = *shared;
  const bool keeps_all = shared == nullptr || recompute == Recompute::kNone;
  a.x1 = arena.take(f32, {N, C});
  if (keeps_all) {
    a.ln1 = arena.take(act, {N, C});
    a.ln2 = arena.take(act, {N, C});
    a.activated = arena.take(act, {N, I});
  }
  if (!keeps_all && recompute == Recompute::kFull) return a;
  a.mean1 = arena.take(f32, {N});
  a.rstd1 = arena.take(f32, {N});
  a.qkv = arena.take(act, {N, 3 * C});
  a.attention = arena.take(act, {N, C});
  a.lse = arena.take(f32, {shape.batch, config.heads, shape.context});
  a.x2 = arena.take(f32, {N, C});
  a.mean2 = arena.take(f32, {N});
  a.rstd2 = arena.take(f32, {N});
  a.fc = arena.take(act, {N, I});
  const auto matrices = matrices_of(network.table().layer(layer));
  for (size_t i = 0; i < matrices.size(); ++i)
    a.adapters[i] = plan_adapter(arena, network, matrices[i], N);
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

// A matrix of the layer with its bias (rows of the table).
Projection projection(const BlockPass& p, int weight, int bias) {
  const auto matrices = matrices_of(p.network.table().layer(p.layer));
  const auto at = std::find(matrices.begin(), matrices.end(), weight) - matrices.begin();
  return {p.network, weight, bias, p.a.adapters[at], p.projections, p.dropout.adapter(weight)};
}

// How layer_forward's parts are done in training: each result is kept.
struct TrainingOps {
  const BlockPass& p;
  ConstView x, delta;  // the stream before the layer
  View branch;

  Backend& backend() const { return p.network.backend(); }
  void normalise(Branch half, int weight, int bias, View y) const {
    const bool first = half == Branch::kAttention;
    const ConstView added = first ? delta : ConstView(branch);
    backend().layer_norm_forward(
        {.x = first ? x : ConstView(p.a.x1),
         .delta = added,
         .sum = added ? (first ? p.a.x1 : p.a.x2) : View{},
         .weight = p.network.vector(weight),
         .bias = p.network.vector(bias),
         .epsilon = static_cast<float>(p.network.config().layer_norm_epsilon),
         .y = y,
         .mean = first ? p.a.mean1 : p.a.mean2,
         .rstd = first ? p.a.rstd1 : p.a.rstd2});
  }
  void multiply(View from, int weight, int bias, View y) const {
    projection(p, weight, bias).forward(from, y);
  }
  void attend(View qkv, View out) const {
    const int64_t C = p.network.config().width, NH = p.network.config().heads;
    const auto [q, k, v] = split_heads(qkv, NH, NH);
    backend().attention_forward({.q = q,
                                 .k = k,
                                 .v = v,
                                 .first_keys = p.shape.first_keys,
                                 .last_keys = p.shape.last_keys,
                                 .scale = attention_scale(p.network.config(), p.layer),
                                 .out = out.reshaped({p.shape.batch, p.shape.context, C}),
                                 .lse = p.a.lse,
                                 .dropout = p.dropout.attention(p.layer)});
  }
  void activate(View from, View y) const {
    backend().activation_forward({.kind = p.network.config().activation, .x = from, .y = y});
  }
  void finish(Branch half, View result) const {
    if (p.dropout.rate == 0) return;
    backend().dropout(result, half == Branch::kAttention ? p.dropout.attention_branch(p.layer)
                                                         : p.dropout.mlp_branch(p.layer));
  }
};

}  // namespace

void block_forward(const BlockPass& pass, ConstView x, ConstView delta, View branch) {
  const BlockActivations& a = pass.a;
  layer_forward(pass.network.table().layer(pass.layer),
                {.norm_1 = a.ln1,
                 .qkv = a.qkv,
                 .attention = a.attention,
                 .norm_2 = a.ln2,
                 .inner = a.fc,
                 .activated = a.activated,
                 .branch = branch},
                TrainingOps{pass, x, delta, branch});
}

void block_again(const BlockPass& pass, Recompute recompute, View branch) {
  const BlockActivations& a = pass.a;
  const LayerRows& rows = pass.network.table().layer(pass.layer);
  if (recompute == Recompute::kFull) return block_forward(pass, a.x1, {}, branch);
  if (recompute == Recompute::kNone) return;
  const TrainingOps ops{pass, a.x1, {}, {}};
  ops.normalise(Branch::kAttention, rows.ln_1_weight, rows.ln_1_bias, a.ln1);
  pass.network.backend().layer_norm_forward(
      {.x = a.x2,
       .weight = pass.network.vector(rows.ln_2_weight),
       .bias = pass.network.vector(rows.ln_2_bias),
       .epsilon = static_cast<float>(pass.network.config().layer_norm_epsilon),
       .y = a.ln2,
       .mean = a.mean2,
       .rstd = a.rstd2});
  ops.activate(a.fc, a.activated);
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

// A layer's way back, down to the lowest row that is trained.
struct BlockBackward {
  const BlockPass& p;
  const BackwardScratch& s;
  const Gradients& gradients;
  bool accumulate;

  Backend& backend() const { return p.network.backend(); }
  const LayerRows& rows() const { return p.network.table().layer(p.layer); }
  // Whether the gradient of what `row` reads is needed.
  bool goes_below(int row) const {
    const ParameterTable& table = p.network.table();
    return table.lowest_trained() < table[row].depth;
  }
  // Of y = x W + b; false where nothing below is trained.
  bool project(int weight, int bias, ConstView x, ConstView dy, View dx) const {
    projection(p, weight, bias)
        .backward(x, dy, goes_below(weight) ? dx : View{}, gradients, accumulate);
    return goes_below(weight);
  }
  void mlp() const;
  void attention() const;
  void attend() const;
  View dqkv() const {
    return {s.wide.data, s.wide.dtype, {p.shape.rows(), 3 * p.network.config().width}};
  }
};

void BlockBackward::mlp() const {
  const BlockActivations& a = p.a;
  const View dinner = {s.wide.data, s.wide.dtype, a.fc.shape};
  const ConstView dmlp = branch_gradient(backend(), s, p.dropout.mlp_branch(p.layer));
  if (!project(rows().fc_proj_weight, rows().fc_proj_bias, a.activated, dmlp, dinner)) return;
  backend().activation_backward(
      {.kind = p.network.config().activation, .x = a.fc, .dy = dinner, .dx = dinner});
  if (!project(rows().fc_weight, rows().fc_bias, a.ln2, dinner, s.dnorm)) return;
  backend().layer_norm_backward({.dy = s.dnorm,
                                 .sum = a.x2,
                                 .weight = p.network.vector(rows().ln_2_weight),
                                 .mean = a.mean2,
                                 .rstd = a.rstd2,
                                 .dx = s.dx,
                                 .dweight = gradients.row(rows().ln_2_weight),
                                 .dbias = gradients.row(rows().ln_2_bias),
                                 .accumulate = accumulate});
}

// From s.dnorm, the gradient of the attention's result, to dqkv.
void BlockBackward::attend() const {
  const int64_t C = p.network.config().width, NH = p.network.config().heads;
  const auto [q, k, v] = split_heads(p.a.qkv, NH, NH);
  const auto [dq, dk, dv] = split_heads(dqkv(), NH, NH);
  const Shape rank3{p.shape.batch, p.shape.context, C};
  backend().attention_backward({.dout = s.dnorm.reshaped(rank3),
                                .q = q,
                                .k = k,
                                .v = v,
                                .first_keys = p.shape.first_keys,
                                .last_keys = p.shape.last_keys,
                                .out = p.a.attention.reshaped(rank3),
                                .lse = p.a.lse,
                                .scale = attention_scale(p.network.config(), p.layer),
                                .dq = dq,
                                .dk = dk,
                                .dv = dv,
                                .scratch = s.attention,
                                .dropout = p.dropout.attention(p.layer)});
}

void BlockBackward::attention() const {
  const BlockActivations& a = p.a;
  const ConstView dattention = branch_gradient(backend(), s, p.dropout.attention_branch(p.layer));
  if (!project(rows().attn_proj_weight, rows().attn_proj_bias, a.attention, dattention, s.dnorm))
    return;
  attend();
  if (!project(rows().attn_weight, rows().attn_bias, a.ln1, dqkv(), s.dnorm)) return;
  backend().layer_norm_backward({.dy = s.dnorm,
                                 .sum = a.x1,
                                 .weight = p.network.vector(rows().ln_1_weight),
                                 .mean = a.mean1,
                                 .rstd = a.rstd1,
                                 .dx = s.dx,
                                 .dweight = gradients.row(rows().ln_1_weight),
                                 .dbias = gradients.row(rows().ln_1_bias),
                                 .accumulate = accumulate});
}

}  // namespace

void block_backward(const BlockPass& pass, const BackwardScratch& s, const Gradients& gradients,
                    bool accumulate) {
  const BlockBackward backward{pass, s, gradients, accumulate};
  backward.mlp();
  if (backward.goes_below(pass.network.table().layer(pass.layer).ln_2_weight)) backward.attention();
}

}  // namespace inkstone
