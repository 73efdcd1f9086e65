#include "model/projection.h"

#include <algorithm>
#include <vector>

#include "model/training_pass.h"
#include "model/weights.h"

namespace inkstone {
namespace {

// The type of a weight that GEMMs read as it is: that of the activations.
bool is_direct(const Weight& weight, DType act) {
  return weight.type == (act == DType::kBF16 ? WeightType::kBF16 : WeightType::kF32);
}

struct Sizes {
  int64_t elements = 0, in = 0, out = 0;  // the largest of the layers' matrices
};

Sizes largest_matrices(const Network& network) {
  Sizes sizes;
  for (const ParameterRow& row : network.table().rows()) {
    if (row.maps == 0) continue;
    sizes.elements = std::max(sizes.elements, row.shape.count());
    sizes.in = std::max(sizes.in, row.shape[0]);
    sizes.out = std::max(sizes.out, row.shape[1]);
  }
  return sizes;
}

bool widens_any(const Network& network) {
  if (network.base() == nullptr) return false;
  for (int row = 0; row < network.table().count(); ++row) {
    if (network.table()[row].multiplied && !is_direct(network.matrix(row), network.compute()))
      return true;
  }
  return false;
}

View first_of(const View& vector, const Shape& shape) { return {vector.data, vector.dtype, shape}; }

// Columns [begin, begin + count) of a matrix, whose rows stay as far apart as they were.
template <typename AnyView>
AnyView column_range(AnyView v, int64_t begin, int64_t count) {
  using Byte = std::conditional_t<std::is_same_v<AnyView, View>, std::byte, const std::byte>;
  v.data = static_cast<Byte*>(v.data) + begin * size_bytes(v.dtype);
  v.shape = {v.shape[0], count};
  return v;
}

// Calls f(begin, rows) for the rows of a weight as it lies, as many at once as there is room for
// where they have to be widened.
template <typename F>
void for_rows(const Network& network, const Weight& weight, View widened, F&& f) {
  const bool in_first = weight.layout == WeightLayout::kInOut;
  const int64_t rows = in_first ? weight.in : weight.out,
                columns = in_first ? weight.out : weight.in;
  const DType act = network.compute();
  if (is_direct(weight, act)) return f(0, ConstView{weight.data, act, {rows, columns}});
  const int64_t at_once = std::max<int64_t>(1, widened.count() / columns);
  for (int64_t begin = 0; begin < rows; begin += at_once) {
    const View part = first_of(widened, {std::min(at_once, rows - begin), columns});
    network.backend().widen({.weight = weight, .first_row = begin, .to = part});
    f(begin, part);
  }
}

// The product of `from` and W (back: of `from` and W^T), where the rows of W, as they lie, are what
// is summed over: parts add up.
Matmul over_rows(const Product& op, int64_t begin, ConstView rows) {
  return {.a = column_range(op.from, begin, rows.shape[0]),
          .b = rows,
          .c = op.to,
          .bias = begin == 0 ? op.bias : ConstView{},
          .accumulate = op.accumulate || begin > 0,
          .a_stride = op.from.shape[1]};
}

// Where they are what the result's columns belong to: parts stand side by side.
Matmul beside_rows(const Product& op, int64_t begin, ConstView rows) {
  ConstView bias = op.bias;
  if (bias) {
    bias.data = op.bias.as<float>() + begin;
    bias.shape = {rows.shape[0]};
  }
  return {.a = op.from,
          .b = rows,
          .c = column_range(op.to, begin, rows.shape[0]),
          .bias = bias,
          .accumulate = op.accumulate,
          .c_stride = op.to.shape[1]};
}

void multiply_by(const Network& network, const Product& op, View widened, bool sums_over_rows) {
  for_rows(network, network.matrix(op.weight), widened, [&](int64_t begin, ConstView rows) {
    if (sums_over_rows) {
      network.backend().matmul_nn(over_rows(op, begin, rows));
    } else {
      network.backend().matmul_nt(beside_rows(op, begin, rows));
    }
  });
}

}  // namespace

void multiply(const Network& network, const Product& op, View widened) {
  multiply_by(network, op, widened, network.matrix(op.weight).layout == WeightLayout::kInOut);
}

void multiply_back(const Network& network, const Product& op, View widened) {
  multiply_by(network, op, widened, network.matrix(op.weight).layout == WeightLayout::kOutIn);
}

ProjectionScratch plan_projections(Arena& arena, const Network& network, int64_t rows) {
  const DType act = network.compute();
  const Sizes largest = largest_matrices(network);
  const LoraOptions& lora = network.lora();
  ProjectionScratch s;
  if (widens_any(network)) s.widened = arena.take(act, {largest.elements});
  if (lora.rank == 0) return s;
  if (lora.dropout > 0) s.dropped = arena.take(act, {rows, largest.in});
  s.dz = arena.take(act, {rows, lora.rank});
  if (lora.magnitudes) s.du = arena.take(act, {rows, largest.out});
  s.scale = arena.take(DType::kF32, {lora.rank});
  return s;
}

void prepare_projections(const Network& network, const ProjectionScratch& scratch) {
  if (network.lora().rank == 0) return;
  const std::vector<float> scale(network.lora().rank,
                                 static_cast<float>(adapter_scale(network.lora())));
  network.backend().copy_from_host(scale.data(), scratch.scale);
}

AdapterActivations plan_adapter(Arena& arena, const Network& network, int weight, int64_t rows) {
  AdapterActivations a;
  if (network.table().adapter(weight).empty()) return a;
  const DType act = network.compute();
  const int64_t out = network.table()[weight].shape[1];
  a.z = arena.take(act, {rows, network.lora().rank});
  if (!network.lora().magnitudes) return a;
  a.u = arena.take(act, {rows, out});
  a.norms = arena.take(DType::kF32, {out});
  a.inverses = arena.take(DType::kF32, {out});
  a.gain = arena.take(DType::kF32, {1, out});
  return a;
}

ConstView Projection::dropped(ConstView x) const {
  if (dropout.rate == 0) return x;
  Backend& backend = network.backend();
  const View d = first_of(s.dropped, x.shape);
  backend.copy(x, d);
  backend.dropout(d, dropout);
  return d;
}

void Projection::forward(ConstView x, View y) const {
  Backend& backend = network.backend();
  const AdapterRows rows = network.table().adapter(weight);
  const ConstView b = network.vector(bias);
  const bool magnitudes = rows.magnitude != kNoRow;
  const View u = magnitudes ? a.u : y;
  multiply(network, {.weight = weight, .from = x, .bias = magnitudes ? ConstView{} : b, .to = u},
           s.widened);
  if (rows.empty()) return;
  backend.matmul_nt({.a = dropped(x), .b = network.operand(rows.a), .c = a.z});
  backend.scale_columns({.x = a.z, .scale = s.scale, .y = a.z});
  backend.matmul_nt({.a = a.z, .b = network.operand(rows.b), .c = u, .accumulate = true});
  if (!magnitudes) return;
  backend.adapted_norms({.weight = network.matrix(weight),
                         .a = network.master(rows.a),
                         .b = network.master(rows.b),
                         .factor = static_cast<float>(adapter_scale(network.lora())),
                         .norms = a.norms,
                         .inverses = a.inverses});
  const View m = network.master(rows.magnitude).reshaped(a.gain.shape);
  backend.scale_columns({.x = m, .scale = a.inverses, .y = a.gain});
  backend.scale_columns({.x = u, .scale = a.gain, .bias = b, .y = y});
}

// du of dy, and the gradient of the magnitudes: n is a constant there.
ConstView Projection::through_magnitudes(ConstView dy, const Gradients& gradients,
                                         bool accumulate) const {
  const int magnitude = network.table().adapter(weight).magnitude;
  if (magnitude == kNoRow) return dy;
  Backend& backend = network.backend();
  backend.sum_products({.x = dy,
                        .y = a.u,
                        .scale = a.inverses,
                        .out = gradients.row(magnitude),
                        .accumulate = accumulate});
  const View du = first_of(s.du, dy.shape);
  backend.scale_columns({.x = dy, .scale = a.gain, .y = du});
  return du;
}

// dB = du^T z, dz = s du B, dA = dz^T d, and dx = dropout(dz A).
void Projection::adapter_backward(ConstView x, ConstView du, View dx, const Gradients& gradients,
                                  bool accumulate) const {
  Backend& backend = network.backend();
  const AdapterRows rows = network.table().adapter(weight);
  backend.matmul_tn({.a = du, .b = a.z, .c = gradients.row(rows.b), .accumulate = accumulate});
  backend.matmul_nn({.a = du, .b = network.operand(rows.b), .c = s.dz});
  backend.scale_columns({.x = s.dz, .scale = s.scale, .y = s.dz});
  backend.matmul_tn(
      {.a = s.dz, .b = dropped(x), .c = gradients.row(rows.a), .accumulate = accumulate});
  if (!dx) return;
  backend.matmul_nn({.a = s.dz, .b = network.operand(rows.a), .c = dx});
  if (dropout.rate > 0) backend.dropout(dx, dropout);
}

void Projection::backward(ConstView x, ConstView dy, View dx, const Gradients& gradients,
                          bool accumulate) const {
  Backend& backend = network.backend();
  if (const View db = gradients.row(bias)) backend.sum_rows(dy, db, accumulate);
  if (const View dW = gradients.row(weight))
    backend.matmul_tn({.a = x, .b = dy, .c = dW, .accumulate = accumulate});
  const bool adapted = !network.table().adapter(weight).empty();
  const ConstView du = adapted ? through_magnitudes(dy, gradients, accumulate) : dy;
  if (adapted) adapter_backward(x, du, dx, gradients, accumulate);
  if (dx) {
    multiply_back(network, {.weight = weight, .from = du, .to = dx, .accumulate = adapted},
                  s.widened);
  }
}

}  // namespace inkstone
