#include "model/training_pass.h"

#include <algorithm>
#include <vector>

#include "model/block.h"
#include "model/output_layer.h"
#include "model/weights.h"

namespace inkstone {

Gradients::Gradients(const Network& network)
    : network_(&network),
      buffer_(network.backend(), network.table().gradient_count() * size_bytes(DType::kF32)) {}

View Gradients::row(int row) const {
  if (row == kNoRow) return {};
  const ParameterRow& r = network_->table()[row];
  if (!r.trained) return {};
  return buffer_.view(DType::kF32, r.shape, r.gradient_offset * size_bytes(DType::kF32));
}

View Gradients::flat() const {
  return buffer_.view(DType::kF32, {network_->table().gradient_count()});
}

namespace {

// Everything that a pass writes, in one allocation.
struct PassMemory {
  View loss;                                // [1] f64
  View tokens, targets, positions, losses;  // [N]
  View weights, first_keys, last_keys;      // [N], used where a batch gives them
  std::vector<BlockActivations> blocks;
  View branch;                   // [N,C] act
  View xf, lnf, mean_f, rstd_f;  // the last normalisation
  OutputScratch output;
  BackwardScratch scratch;
  ProjectionScratch projections;
};

// The lowest layer that the backward pass comes to.
int64_t lowest_layer(const ParameterTable& table) {
  return std::clamp<int64_t>((table.lowest_trained() + 5) / 6 - 1, 0, table.layers() - 1);
}

BlockActivations plan_layer(Arena& arena, const Network& network, int64_t l, const PassShape& shape,
                            Recompute recompute, const std::vector<BlockActivations>& blocks) {
  if (l == 0) return plan_block(arena, network, l, shape);
  // Below the lowest, nothing is needed again: those layers have one memory.
  if (l < lowest_layer(network.table())) return blocks.front();
  return plan_block(arena, network, l, shape, recompute, &blocks.front());
}

PassMemory plan_pass(Arena& arena, const Network& network, const PassShape& shape,
                     Recompute recompute) {
  const ModelConfig& config = network.config();
  const DType act = network.compute();
  const int64_t N = shape.rows(), C = config.width;
  PassMemory m;
  m.loss = arena.take(DType::kF64, {1});  // first: in the same place for every shape
  m.tokens = arena.take(DType::kI32, {N});
  m.targets = arena.take(DType::kI32, {N});
  m.positions = arena.take(DType::kI32, {N});
  m.losses = arena.take(DType::kF32, {N});
  m.weights = arena.take(DType::kF32, {N});
  m.first_keys = arena.take(DType::kI32, {shape.batch, shape.context});
  m.last_keys = arena.take(DType::kI32, {shape.batch, shape.context});
  for (int64_t l = 0; l < config.layers; ++l)
    m.blocks.push_back(plan_layer(arena, network, l, shape, recompute, m.blocks));
  m.branch = arena.take(act, {N, C});
  m.xf = arena.take(DType::kF32, {N, C});
  m.lnf = arena.take(act, {N, C});
  m.mean_f = arena.take(DType::kF32, {N});
  m.rstd_f = arena.take(DType::kF32, {N});
  m.output = plan_output(arena, network, N);
  m.scratch = plan_scratch(arena, network, shape);
  m.projections = plan_projections(arena, network, N);
  m.output.widened = m.projections.widened;
  return m;
}

}  // namespace

struct TrainingPass::Impl {
  Impl(Network& net, const PassShape& plan, float rate, Recompute again)
      : network(net), planned(plan), dropout_rate(rate), recompute(again) {
    Arena count;
    plan_pass(count, network, planned, recompute);
    memory_buffer = Buffer(network.backend(), count.used_bytes());
  }

  // Lays the memory out for B x T tokens and fills in what the batch says of each.
  void load(const MicroBatch& batch, int64_t context) {
    const auto count = static_cast<int64_t>(batch.inputs.size());
    INK_CHECK(context >= 1 && context <= planned.context && count > 0 && count % context == 0 &&
                  count / context <= planned.batch,
              "micro-batch does not fit the plan");
    const PassShape wanted{count / context, context};
    if (wanted.batch != shape.batch || wanted.context != shape.context || memory.blocks.empty()) {
      shape = wanted;
      Arena arena(memory_buffer.data(), memory_buffer.bytes());
      memory = plan_pass(arena, network, shape, recompute);
      prepare_projections(network, memory.projections);
      plain_positions = false;
    }
    give(batch.inputs, memory.tokens);
    give(batch.targets, memory.targets);
    load_positions(batch.positions);
    weights = give_if_any(batch.weights, memory.weights);
    shape.first_keys = give_if_any(batch.first_keys, memory.first_keys);
    shape.last_keys = give_if_any(batch.last_keys, memory.last_keys);
  }

  template <typename T>
  void give(std::span<const T> values, View to) {
    INK_CHECK(static_cast<int64_t>(values.size()) == to.count(), "an array does not fit the batch");
    network.backend().copy_from_host(values.data(), to);
  }

  template <typename T>
  ConstView give_if_any(std::span<const T> values, View to) {
    if (values.empty()) return {};
    give(values, to);
    return to;
  }

  // Those of whole windows stay from batch to batch.
  void load_positions(std::span<const int32_t> given) {
    if (!given.empty()) {
      give(given, memory.positions);
    } else if (!plain_positions) {
      std::vector<int32_t> positions(static_cast<size_t>(shape.rows()));
      for (size_t n = 0; n < positions.size(); ++n)
        positions[n] = static_cast<int32_t>(n % static_cast<size_t>(shape.context));
      give(std::span<const int32_t>(positions), memory.positions);
    }
    plain_positions = given.empty();
  }

  void embed(View x) {
    Backend& backend = network.backend();
    const ParameterTable& table = network.table();
    if (const Weights* base = network.base()) {
      return backend.embed({.tokens = memory.tokens,
                            .positions = memory.positions,
                            .wte = base->embedding(table.wte()),
                            .wpe = base->embedding(table.wpe()),
                            .x = x});
    }
    backend.embedding_forward({.tokens = memory.tokens,
                               .positions = memory.positions,
                               .wte = network.master(table.wte()),
                               .wpe = network.master(table.wpe()),
                               .x = x});
  }

  BlockPass block(int64_t l, const PassDropout& dropout) const {
    return {network, l, shape, memory.blocks[l], memory.projections, dropout};
  }

  void forward(const PassDropout& dropout) {
    Backend& backend = network.backend();
    const ParameterTable& table = network.table();
    const View x = memory.blocks.front().x1;
    embed(x);
    if (dropout.rate > 0) backend.dropout(x, dropout.embedding());
    for (size_t l = 0; l < memory.blocks.size(); ++l) {
      const ConstView input = l == 0 ? ConstView(x) : ConstView(memory.blocks[l - 1].x2);
      const ConstView delta = l == 0 ? ConstView{} : ConstView(memory.branch);
      block_forward(block(static_cast<int64_t>(l), dropout), input, delta, memory.branch);
    }
    backend.layer_norm_forward({.x = memory.blocks.back().x2,
                                .delta = memory.branch,
                                .sum = memory.xf,
                                .weight = network.vector(table.ln_f_weight()),
                                .bias = network.vector(table.ln_f_bias()),
                                .epsilon = static_cast<float>(network.config().layer_norm_epsilon),
                                .y = memory.lnf,
                                .mean = memory.mean_f,
                                .rstd = memory.rstd_f});
  }

  // Down to the lowest row that is trained.
  void backward(const Gradients& gradients, const MicroBatch& batch, const PassDropout& dropout) {
    const ParameterTable& table = network.table();
    const BackwardScratch& s = memory.scratch;
    const int lowest = table.lowest_trained();
    const bool to_last_norm = lowest <= table[table.ln_f_weight()].depth;
    output_forward_backward(network,
                            {.x = memory.lnf,
                             .targets = memory.targets,
                             .weights = weights,
                             .losses = memory.losses,
                             .dx = to_last_norm ? s.dnorm : View{},
                             .gradient_scale = batch.gradient_scale,
                             .accumulate = batch.accumulate},
                            memory.output, gradients);
    if (to_last_norm) last_norm_backward(gradients, batch.accumulate);
    for (int64_t l = table.layers() - 1; l >= 0 && lowest < table.depth_of_layer(l + 1); --l) {
      // The memory of the topmost layer is as it left it.
      if (l < table.layers() - 1) block_again(block(l, dropout), recompute, memory.branch);
      block_backward(block(l, dropout), s, gradients, batch.accumulate);
    }
    if (lowest == 0) embedding_backward(gradients, batch.accumulate, dropout);
  }

  void last_norm_backward(const Gradients& gradients, bool accumulate) {
    const ParameterTable& table = network.table();
    const BackwardScratch& s = memory.scratch;
    network.backend().fill_zero(s.dx);
    network.backend().layer_norm_backward({.dy = s.dnorm,
                                           .sum = memory.xf,
                                           .weight = network.vector(table.ln_f_weight()),
                                           .mean = memory.mean_f,
                                           .rstd = memory.rstd_f,
                                           .dx = s.dx,
                                           .dweight = gradients.row(table.ln_f_weight()),
                                           .dbias = gradients.row(table.ln_f_bias()),
                                           .accumulate = accumulate});
  }

  void embedding_backward(const Gradients& gradients, bool accumulate, const PassDropout& dropout) {
    Backend& backend = network.backend();
    const ParameterTable& table = network.table();
    const View dx = memory.scratch.dx, dwte = gradients.row(table.wte()),
               dwpe = gradients.row(table.wpe());
    if (dropout.rate > 0) backend.dropout(dx, dropout.embedding());
    // Where the output layer is tied, dwte holds its term by now; what no term stands in starts
    // here.
    if (!accumulate && dwpe) backend.fill_zero(dwpe);
    if (!accumulate && dwte && table.output() != table.wte()) backend.fill_zero(dwte);
    backend.embedding_backward({.tokens = memory.tokens,
                                .positions = memory.positions,
                                .dx = dx,
                                .dwte = dwte,
                                .dwpe = dwpe});
  }

  void sum_losses(bool accumulate) {
    network.backend().sum(memory.losses, memory.loss, accumulate);
  }

  Network& network;
  PassShape planned, shape;
  float dropout_rate;
  Recompute recompute;
  Buffer memory_buffer;
  PassMemory memory;
  ConstView weights;             // of the batch; absent: all 1
  bool plain_positions = false;  // memory holds those of whole windows
};

TrainingPass::TrainingPass(Network& network, int64_t batch, int64_t context, float dropout,
                           Recompute recompute)
    : impl_(std::make_unique<Impl>(network, PassShape{batch, context}, dropout, recompute)) {}

TrainingPass::~TrainingPass() = default;

void TrainingPass::forward_backward(const MicroBatch& batch, int64_t context,
                                    Gradients& gradients) {
  impl_->load(batch, context);
  const PassDropout dropout{impl_->dropout_rate, batch.dropout_seed,
                            static_cast<float>(impl_->network.lora().dropout)};
  impl_->forward(dropout);
  impl_->backward(gradients, batch, dropout);
  impl_->sum_losses(batch.accumulate);
}

void TrainingPass::forward(const MicroBatch& batch, int64_t context) {
  impl_->load(batch, context);
  impl_->forward({});
  const PassMemory& memory = impl_->memory;
  output_forward(impl_->network,
                 {.x = memory.lnf,
                  .targets = memory.targets,
                  .weights = impl_->weights,
                  .losses = memory.losses},
                 memory.output);
  impl_->sum_losses(batch.accumulate);
}

ConstView TrainingPass::loss() const { return impl_->memory_buffer.view(DType::kF64, {1}); }

double TrainingPass::read_loss() const {
  double sum = 0;
  impl_->network.backend().copy_to_host(loss(), &sum);
  return sum;
}

int64_t TrainingPass::planned_bytes(const Network& network, int64_t batch, int64_t context,
                                    Recompute recompute) {
  Arena count;
  plan_pass(count, network, PassShape{batch, context}, recompute);
  return count.used_bytes();
}

double training_flops(const Network& network, int64_t tokens, int64_t context) {
  const ParameterTable& table = network.table();
  const int lowest = table.lowest_trained();
  const auto C = static_cast<double>(network.config().width);
  double flops = 0;
  for (const ParameterRow& row : table.rows()) {
    if (!row.multiplied) continue;
    // Forward; the gradient of what it reads, which of no layer's matrix is that of the layers
    // below or an adapter's; its own.
    const int products = 1 + (row.maps == 0 || lowest < row.depth ? 1 : 0) + (row.trained ? 1 : 0);
    flops += 2 * products * static_cast<double>(row.shape.count());
  }
  for (int64_t l = 0; l < table.layers(); ++l) {
    // Q K^T and P V: 2 products of 2 T/2 C flops per token forward, twice that backward.
    const bool back = lowest < table[table.layer(l).attn_proj_weight].depth;
    flops += (back ? 6 : 2) * static_cast<double>(context) * C;
  }
  return static_cast<double>(tokens) * flops;
}

}  // namespace inkstone
