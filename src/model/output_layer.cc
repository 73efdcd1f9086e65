#include "model/output_layer.h"

#include <algorithm>
#include <type_traits>

#include "model/projection.h"
#include "model/training_pass.h"

namespace inkstone {
namespace {

// `count` elements of a vector from `begin` on.
template <typename AnyView>
AnyView part(const AnyView& v, int64_t begin, int64_t count) {
  AnyView result = v;
  const int64_t width = v.shape.rank() == 2 ? v.shape[1] : 1;
  using Byte = std::conditional_t<std::is_same_v<AnyView, View>, std::byte, const std::byte>;
  result.data = static_cast<Byte*>(v.data) + begin * width * size_bytes(v.dtype);
  result.shape = v.shape.rank() == 2 ? Shape{count, width} : Shape{count};
  return result;
}

ConstView part_if_given(const ConstView& v, int64_t begin, int64_t count) {
  return v ? part(v, begin, count) : v;
}

// Calls f(begin, count) for every block of rows.
template <typename F>
void for_each_block(int64_t rows, int64_t block, F&& f) {
  for (int64_t begin = 0; begin < rows; begin += block) f(begin, std::min(block, rows - begin));
}

}  // namespace

OutputScratch plan_output(Arena& arena, const Network& network, int64_t rows) {
  const int64_t V = network.config().vocab_size;
  const DType act = network.compute();
  const Shape shape{network.backend().logits_rows(rows, V), V};
  OutputScratch scratch;
  scratch.logits = arena.take(DType::kF32, shape);
  scratch.dlogits = act == DType::kF32 ? scratch.logits : arena.take(act, shape);
  return scratch;
}

void output_forward(const Network& network, const OutputForward& op, const OutputScratch& scratch) {
  Backend& backend = network.backend();
  for_each_block(op.x.shape[0], scratch.logits.shape[0], [&](int64_t begin, int64_t count) {
    const View logits = part(scratch.logits, 0, count);
    multiply(network,
             {.weight = network.table().output(), .from = part(op.x, begin, count), .to = logits},
             scratch.widened);
    backend.cross_entropy({.logits = logits,
                           .targets = part(op.targets, begin, count),
                           .weights = part_if_given(op.weights, begin, count),
                           .losses = part(op.losses, begin, count)});
  });
}

void output_forward_backward(const Network& network, const OutputBackward& op,
                             const OutputScratch& scratch, const Gradients& gradients) {
  Backend& backend = network.backend();
  const int output = network.table().output();
  for_each_block(op.x.shape[0], scratch.logits.shape[0], [&](int64_t begin, int64_t count) {
    const View logits = part(scratch.logits, 0, count), dlogits = part(scratch.dlogits, 0, count);
    const ConstView x = part(op.x, begin, count);
    multiply(network, {.weight = output, .from = x, .to = logits}, scratch.widened);
    backend.cross_entropy({.logits = logits,
                           .targets = part(op.targets, begin, count),
                           .weights = part_if_given(op.weights, begin, count),
                           .losses = part(op.losses, begin, count),
                           .dlogits = dlogits,
                           .gradient_scale = op.gradient_scale});
    if (op.dx) {
      multiply_back(network, {.weight = output, .from = dlogits, .to = part(op.dx, begin, count)},
                    scratch.widened);
    }
    if (const View dW = gradients.row(output)) {
      backend.matmul_tn({.a = dlogits, .b = x, .c = dW, .accumulate = op.accumulate || begin > 0});
    }
  });
}

}  // namespace inkstone
