// Products, sums over rows, embeddings and layer normalisation.
#include <algorithm>
#include <cmath>

#include "kernels/operation_case.h"
#include "kernels/reference.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

Doubles absolute(Doubles x) {
  for (double& value : x) value = std::fabs(value);
  return x;
}

void run_product(Backend& backend, Product product, const Matmul& op) {
  switch (product) {
    case Product::kNN: return backend.matmul_nn(op);
    case Product::kNT: return backend.matmul_nt(op);
    case Product::kTN: return backend.matmul_tn(op);
  }
}

void reference_product(const MatmulCase& c, const Doubles& a, const Doubles& b, const Doubles& bias,
                       Doubles& to) {
  const reference::MatmulSizes s{c.M, c.N, c.K, c.accumulate};
  if (c.product == Product::kNN) return reference::matmul_nn(s, a, b, bias, to);
  if (c.product == Product::kTN) return reference::matmul_tn(s, a, b, bias, to);
  reference::matmul_nt(s, a, b, bias, to);
}

const char* name_of(Product product) {
  constexpr const char* kNames[] = {"matmul_nn", "matmul_nt", "matmul_tn"};
  return kNames[static_cast<int>(product)];
}

// A matrix whose rows lie `padding` elements apart, without what is between them.
Doubles packed(const Doubles& x, const Shape& shape, int64_t padding) {
  Doubles result;
  const int64_t stride = shape[1] + padding;
  for (int64_t r = 0; r < shape[0]; ++r)
    result.insert(result.end(), x.begin() + r * stride, x.begin() + r * stride + shape[1]);
  return result;
}

// Puts it back.
void unpack(const Doubles& from, const Shape& shape, int64_t padding, Doubles& to) {
  for (int64_t i = 0; i < shape.count(); ++i) to[i / shape[1] * padding + i] = from[i];
}

struct MatmulShapes {
  Shape a, b, c;
  explicit MatmulShapes(const MatmulCase& s) : c{s.M, s.N} {
    a = s.product == Product::kTN ? Shape{s.K, s.M} : Shape{s.M, s.K};
    b = s.product == Product::kNT ? Shape{s.N, s.K} : Shape{s.K, s.N};
  }
};

enum MatmulTensors { kA, kB, kC, kBias };

Matmul matmul_of(const MatmulCase& c, Views t) {
  const MatmulShapes shapes(c);
  const auto stride = [&](const Shape& s) { return c.padding > 0 ? s[1] + c.padding : 0; };
  return {.a = {t[kA].data, t[kA].dtype, shapes.a},
          .b = {t[kB].data, t[kB].dtype, shapes.b},
          .c = {t[kC].data, t[kC].dtype, shapes.c},
          .bias = c.bias ? t[kBias] : View{},
          .accumulate = c.accumulate,
          .a_stride = stride(shapes.a),
          .b_stride = stride(shapes.b),
          .c_stride = stride(shapes.c)};
}

// |error| <= (K + 2) u (|A| |B| + |bias| + |C|), in whatever order the library adds. What is
// between the rows of C stays as it is.
void expect_matmul(Values& v, const MatmulCase& c) {
  const MatmulShapes shapes(c);
  const Doubles a = packed(v[kA], shapes.a, c.padding), b = packed(v[kB], shapes.b, c.padding),
                bias = c.bias ? v[kBias] : Doubles{};
  Doubles to = packed(v[kC], shapes.c, c.padding), magnitude = absolute(to);
  reference_product(c, absolute(a), absolute(b), absolute(bias), magnitude);
  reference_product(c, a, b, bias, to);
  for (double& x : magnitude) x *= static_cast<double>(c.K + 2) * kUnit;
  unpack(to, shapes.c, c.padding, v[kC]);
  unpack(magnitude, shapes.c, c.padding, v.bound(kC));
}

}  // namespace

OperationCase matmul_case(const MatmulCase& c) {
  const MatmulShapes shapes(c);
  const auto padded = [&](const Shape& s) { return Shape{s[0], s[1] + c.padding}; };
  OperationCase result{
      .name = name_of(c.product),
      .what = fmt::format("M={} N={} K={} {}->{}{}{}{}", c.M, c.N, c.K, name(c.operand),
                          name(c.result), c.bias ? " bias" : "", c.accumulate ? " accumulate" : "",
                          c.padding > 0 ? " padded rows" : ""),
      .tensors = {{"a", c.operand, padded(shapes.a)},
                  {"b", c.operand, padded(shapes.b)},
                  {"c", c.result, padded(shapes.c),
                   c.accumulate || c.padding > 0 ? Role::kUpdated : Role::kOutput}},
      .run = [c](Backend& backend, Views t) { run_product(backend, c.product, matmul_of(c, t)); },
      .expect = [c](Values& v) { expect_matmul(v, c); },
      .flops = 2.0 * static_cast<double>(c.M * c.N * c.K)};
  if (c.bias) result.tensors.push_back({"bias", DType::kF32, {c.N}});
  result.vector_code = false;
  return result;
}

Weight weight_of(const LinearCase& c, const void* data) {
  return {.type = c.weight, .layout = c.layout, .in = c.K, .out = c.N, .data = data};
}

// As a product's: weights of all types are exact as float32.
OperationCase linear_case(const LinearCase& c) {
  enum { kX, kW, kY, kBias };
  const bool in_out = c.layout == WeightLayout::kInOut;
  const DType type = c.weight == WeightType::kF32    ? DType::kF32
                     : c.weight == WeightType::kBF16 ? DType::kBF16
                                                     : DType::kF16;
  OperationCase result{
      .name = in_out ? "linear_in_out" : "linear_out_in",
      .what = fmt::format("R={} K={} N={} {} {}->{}{}", c.R, c.K, c.N, name(type), name(c.x),
                          name(c.y), c.bias ? "" : " no bias"),
      .tensors = {{"x", c.x, {c.R, c.K}},
                  {"weight", type, in_out ? Shape{c.K, c.N} : Shape{c.N, c.K}},
                  {"y", c.y, {c.R, c.N}, Role::kOutput}},
      .run =
          [c](Backend& backend, Views t) {
            backend.linear({.x = t[kX],
                            .weight = weight_of(c, t[kW].data),
                            .bias = c.bias ? t[kBias] : View{},
                            .y = t[kY]});
          },
      .expect =
          [c](Values& v) {
            const MatmulCase as_product{
                .product = c.layout == WeightLayout::kInOut ? Product::kNN : Product::kNT,
                .M = c.R,
                .N = c.N,
                .K = c.K};
            const Doubles bias = c.bias ? v[kBias] : Doubles{};
            Doubles magnitude(v[kY].size());
            reference_product(as_product, absolute(v[kX]), absolute(v[kW]), absolute(bias),
                              magnitude);
            reference_product(as_product, v[kX], v[kW], bias, v[kY]);
            v.set_bound(
                kY, [&](int64_t i) { return static_cast<double>(c.K + 2) * kUnit * magnitude[i]; });
          },
      .flops = 2.0 * static_cast<double>(c.R * c.N * c.K)};
  if (c.bias) result.tensors.push_back({"bias", DType::kF32, {c.N}});
  return result;
}

OperationCase sum_rows_case(int64_t rows, int64_t columns, DType type, bool accumulate) {
  enum { kX, kOut };
  return {.name = "sum_rows",
          .what = fmt::format("[{}, {}] {}{}", rows, columns, name(type),
                              accumulate ? " accumulate" : ""),
          .tensors = {{"x", type, {rows, columns}},
                      {"out", DType::kF32, {columns}, accumulate ? Role::kUpdated : Role::kOutput}},
          .run = [=](Backend& backend, Views t) { backend.sum_rows(t[kX], t[kOut], accumulate); },
          .expect =
              [=](Values& v) {
                Doubles magnitude = absolute(v[kOut]);
                reference::sum_rows(absolute(v[kX]), magnitude, accumulate);
                reference::sum_rows(v[kX], v[kOut], accumulate);
                v.set_bound(kOut, [&](int64_t i) {
                  return static_cast<double>(rows + 1) * kUnit * magnitude[i];
                });
              },
          .flops = static_cast<double>(rows * columns)};
}

OperationCase embedding_forward_case(const EmbeddingSizes& s) {
  enum { kTokens, kPositions, kWte, kWpe, kX };
  return {.name = "embedding_forward",
          .what = fmt::format("N={} C={} V={} T={}", s.N, s.C, s.V, s.T),
          .tensors = {{"tokens", DType::kI32, {s.N}, Role::kInput, 0, static_cast<double>(s.V)},
                      {"positions", DType::kI32, {s.N}, Role::kInput, 0, static_cast<double>(s.T)},
                      {"wte", DType::kF32, {s.V, s.C}},
                      {"wpe", DType::kF32, {s.T, s.C}},
                      {"x", DType::kF32, {s.N, s.C}, Role::kOutput}},
          .run =
              [](Backend& backend, Views t) {
                backend.embedding_forward({.tokens = t[kTokens],
                                           .positions = t[kPositions],
                                           .wte = t[kWte],
                                           .wpe = t[kWpe],
                                           .x = t[kX]});
              },
          .expect =
              [](Values& v) {
                reference::embedding_forward(v.integers(kTokens), v.integers(kPositions), v[kWte],
                                             v[kWpe], v[kX]);
                v.set_bound(kX, [&](int64_t i) { return kUnit * std::fabs(v[kX][i]); });
              },
          .flops = static_cast<double>(s.N * s.C),
          .bytes_of_rows = static_cast<double>(s.N * (3 * s.C + 2) * size_bytes(DType::kF32))};
}

// A row of the tables receives at most N additions.
OperationCase embedding_backward_case(const EmbeddingSizes& s) {
  enum { kTokens, kPositions, kDx, kDwte, kDwpe };
  return {.name = "embedding_backward",
          .what = fmt::format("N={} C={} V={} T={}", s.N, s.C, s.V, s.T),
          .tensors = {{"tokens", DType::kI32, {s.N}, Role::kInput, 0, static_cast<double>(s.V)},
                      {"positions", DType::kI32, {s.N}, Role::kInput, 0, static_cast<double>(s.T)},
                      {"dx", DType::kF32, {s.N, s.C}},
                      {"dwte", DType::kF32, {s.V, s.C}, s.dwte ? Role::kUpdated : Role::kInput},
                      {"dwpe", DType::kF32, {s.T, s.C}, s.dwpe ? Role::kUpdated : Role::kInput}},
          .run =
              [s](Backend& backend, Views t) {
                backend.embedding_backward({.tokens = t[kTokens],
                                            .positions = t[kPositions],
                                            .dx = t[kDx],
                                            .dwte = s.dwte ? t[kDwte] : View{},
                                            .dwpe = s.dwpe ? t[kDwpe] : View{}});
              },
          .expect =
              [s](Values& v) {
                const auto tokens = v.integers(kTokens), positions = v.integers(kPositions);
                Doubles dwte = absolute(v[kDwte]), dwpe = absolute(v[kDwpe]);
                const Doubles old_dwte = v[kDwte], old_dwpe = v[kDwpe];
                reference::embedding_backward(tokens, positions, absolute(v[kDx]), dwte, dwpe);
                reference::embedding_backward(tokens, positions, v[kDx], v[kDwte], v[kDwpe]);
                if (!s.dwte) v[kDwte] = old_dwte;
                if (!s.dwpe) v[kDwpe] = old_dwpe;
                v.set_bound(kDwte,
                            [&](int64_t i) { return static_cast<double>(s.N) * kUnit * dwte[i]; });
                v.set_bound(kDwpe,
                            [&](int64_t i) { return static_cast<double>(s.N) * kUnit * dwpe[i]; });
              },
          .flops = 2.0 * static_cast<double>(s.N * s.C),
          .bytes_of_rows = static_cast<double>(s.N * (5 * s.C + 2) * size_bytes(DType::kF32))};
}

namespace {

// Errors of one row of layer_norm_forward, in the order in which the kernel computes.
struct RowErrors {
  double sum, mean, rstd_relative;
};

RowErrors layer_norm_errors(std::span<const double> s, bool delta, double rstd, double depth) {
  const auto C = static_cast<int64_t>(s.size());
  double magnitude = 0, largest = 0;
  for (const double x : s) {
    magnitude += std::fabs(x) / static_cast<double>(C);
    largest = std::max(largest, std::fabs(x));
  }
  RowErrors e{};
  e.sum = delta ? kUnit * largest : 0;               // x + delta, rounded
  e.mean = e.sum + (depth + 1) * kUnit * magnitude;  // summed and divided
  // Of every s - mean; sum (s - mean)^2 grows by its square.
  const double shift = e.sum + e.mean;
  const double deviation = 1 / rstd;  // sqrt(variance + epsilon)
  const double variance_relative = (depth + 4) * kUnit + 2 * e.sum / deviation +
                                   shift * shift * rstd * rstd;
  e.rstd_relative = variance_relative / 2 + 4 * kUnit;  // + epsilon, square root, division
  return e;
}

void expect_layer_norm_forward(Values& v, const LayerNormCase& c) {
  enum { kX, kWeight, kBias, kY, kMean, kRstd, kDelta, kSum };
  Doubles s = v[kX];
  if (c.delta) reference::add(s, v[kDelta]);
  reference::layer_norm_forward(s, v[kWeight], c.bias ? reference::In(v[kBias]) : reference::In(),
                                double{1e-5f}, v[kY], v[kMean], v[kRstd]);
  std::vector<RowErrors> errors;
  for (int64_t n = 0; n < c.N; ++n) {
    const auto row = std::span(s).subspan(n * c.C, c.C);
    errors.push_back(layer_norm_errors(row, c.delta, v[kRstd][n], v.depth(c.C)));
  }
  v.set_bound(kMean, [&](int64_t n) { return errors[n].mean; });
  v.set_bound(kRstd, [&](int64_t n) { return errors[n].rstd_relative * v[kRstd][n]; });
  v.set_bound(kY, [&](int64_t i) {
    const int64_t n = i / c.C;
    const double w = v[kWeight][i % c.C], z = (s[i] - v[kMean][n]) * v[kRstd][n],
                 rstd = v[kRstd][n];
    const double z_relative = errors[n].rstd_relative + 2 * kUnit;
    const double z_error = (errors[n].sum + errors[n].mean) * rstd + std::fabs(z) * z_relative;
    return std::fabs(w) * z_error + 2 * kUnit * (std::fabs(w * z) + std::fabs(v[kY][i]));
  });
  if (!c.delta) return;
  v[kSum] = s;
  v.set_bound(kSum, [&](int64_t i) { return kUnit * std::fabs(s[i]); });
}

}  // namespace

OperationCase layer_norm_forward_case(const LayerNormCase& c) {
  enum { kX, kWeight, kBias, kY, kMean, kRstd, kDelta, kSum };
  OperationCase result{
      .name = "layer_norm_forward",
      .what = fmt::format("N={} C={} {}{}{} mean={}", c.N, c.C, name(c.type),
                          c.delta ? " delta" : "", c.bias ? "" : " no bias", c.mean),
      .tensors = {{"x", DType::kF32, {c.N, c.C}, Role::kInput, c.mean - 1, c.mean + 1},
                  {"weight", DType::kF32, {c.C}},
                  {"bias", DType::kF32, {c.C}},
                  {"y", c.type, {c.N, c.C}, Role::kOutput},
                  {"mean", DType::kF32, {c.N}, Role::kOutput},
                  {"rstd", DType::kF32, {c.N}, Role::kOutput}},
      .run =
          [c](Backend& backend, Views t) {
            backend.layer_norm_forward({.x = t[kX],
                                        .delta = c.delta ? t[kDelta] : View{},
                                        .sum = c.delta ? t[kSum] : View{},
                                        .weight = t[kWeight],
                                        .bias = c.bias ? t[kBias] : View{},
                                        .y = t[kY],
                                        .mean = t[kMean],
                                        .rstd = t[kRstd]});
          },
      .expect = [c](Values& v) { expect_layer_norm_forward(v, c); },
      .flops = 8.0 * static_cast<double>(c.N * c.C)};
  if (c.delta) {
    result.tensors.push_back({"delta", c.type, {c.N, c.C}});
    result.tensors.push_back({"sum", DType::kF32, {c.N, c.C}, Role::kOutput});
  }
  return result;
}

namespace {

enum LayerNormBackwardTensors { kDy, kS, kWeight, kMean, kRstd, kDx, kDweight, kDbias };

// dx = old + rstd (g - average(g) - z average(g z)); z and g carry two and one roundings.
void bound_layer_norm_dx(Values& v, const Doubles& old, const LayerNormCase& c) {
  for (int64_t n = 0; n < c.N; ++n) {
    const double mean = v[kMean][n], rstd = v[kRstd][n];
    const auto z = [&](int64_t i) { return std::fabs(v[kS][n * c.C + i] - mean) * rstd; };
    const auto g = [&](int64_t i) { return std::fabs(v[kDy][n * c.C + i] * v[kWeight][i]); };
    double g_average = 0, gz_average = 0;  // of magnitudes, hence bounds of the averages themselves
    for (int64_t i = 0; i < c.C; ++i) {
      g_average += g(i) / static_cast<double>(c.C);
      gz_average += g(i) * z(i) / static_cast<double>(c.C);
    }
    for (int64_t i = 0; i < c.C; ++i) {
      const double sums = (v.depth(c.C) + 8) * (g_average + z(i) * gz_average);
      v.bound(kDx)[n * c.C + i] = kUnit * (rstd * (4 * g(i) + sums) + std::fabs(old[n * c.C + i]) +
                                           std::fabs(v[kDx][n * c.C + i]));
    }
  }
}

void expect_layer_norm_backward(Values& v, const LayerNormCase& c) {
  const Doubles old_dx = v[kDx], old_dweight = v[kDweight];
  const Doubles zeros(c.C, 0.0);
  if (!c.accumulate) v[kDweight] = zeros;
  if (!c.accumulate && c.bias) v[kDbias] = zeros;
  // Sums of magnitudes: z and dy replaced by theirs (mean 0 and rstd 1 leave z as it is).
  Doubles z(c.N * c.C), unused(c.N * c.C), dweight = absolute(v[kDweight]),
                                           dbias = absolute(v[kDbias]);
  for (int64_t i = 0; i < c.N * c.C; ++i)
    z[i] = std::fabs(v[kS][i] - v[kMean][i / c.C]) * v[kRstd][i / c.C];
  reference::layer_norm_backward(absolute(v[kDy]), z, v[kWeight], Doubles(c.N, 0.0),
                                 Doubles(c.N, 1.0), {unused, dweight, dbias});
  reference::layer_norm_backward(
      v[kDy], v[kS], v[kWeight], v[kMean], v[kRstd],
      {v[kDx], v[kDweight], c.bias ? reference::Out(v[kDbias]) : reference::Out()});
  v.set_bound(kDweight,
              [&](int64_t i) { return static_cast<double>(c.N + 4) * kUnit * dweight[i]; });
  if (!c.dweight) v[kDweight] = old_dweight;
  if (c.bias)
    v.set_bound(kDbias, [&](int64_t i) { return static_cast<double>(c.N + 1) * kUnit * dbias[i]; });
  bound_layer_norm_dx(v, old_dx, c);
}

}  // namespace

OperationCase layer_norm_backward_case(const LayerNormCase& c) {
  const Role sums = c.accumulate ? Role::kUpdated : Role::kOutput;
  return {.name = "layer_norm_backward",
          .what = fmt::format("N={} C={} {}{}{}{}", c.N, c.C, name(c.type),
                              c.accumulate ? " accumulate" : "", c.bias ? "" : " no bias",
                              c.dweight ? "" : " no weight"),
          .tensors = {{"dy", c.type, {c.N, c.C}},
                      {"sum", DType::kF32, {c.N, c.C}, Role::kInput, c.mean - 1, c.mean + 1},
                      {"weight", DType::kF32, {c.C}},
                      {"mean", DType::kF32, {c.N}, Role::kInput, c.mean - 0.1, c.mean + 0.1},
                      {"rstd", DType::kF32, {c.N}, Role::kInput, 0.5, 2},
                      {"dx", DType::kF32, {c.N, c.C}, Role::kUpdated},
                      {"dweight", DType::kF32, {c.C}, c.dweight ? sums : Role::kInput},
                      {"dbias", DType::kF32, {c.C}, c.bias ? sums : Role::kInput}},
          .run =
              [c](Backend& backend, Views t) {
                backend.layer_norm_backward({.dy = t[kDy],
                                             .sum = t[kS],
                                             .weight = t[kWeight],
                                             .mean = t[kMean],
                                             .rstd = t[kRstd],
                                             .dx = t[kDx],
                                             .dweight = c.dweight ? t[kDweight] : View{},
                                             .dbias = c.bias ? t[kDbias] : View{},
                                             .accumulate = c.accumulate});
              },
          .expect = [c](Values& v) { expect_layer_norm_backward(v, c); },
          .flops = 16.0 * static_cast<double>(c.N * c.C)};
}

namespace {

enum MuonTensors { kMuonParameter, kMuonGradient, kMuonM, kMuonNorm, kMuonCopy };

// But for its tensors.
ParameterUpdate muon_row(const MuonCase& c) {
  return {.rule = UpdateRule::kMuon, .parts = c.parts, .lr = 0.02, .weight_decay = 0.1};
}

// How far an element of X may be off. Six standard deviations of roundings of random sign: a sum of
// n terms in d = n/lanes + 8 steps errs by u sqrt(d / 6) times its own size (tests/model/golden.h).
// The singular values stay below 1.2, so an element of A = X X^T is below 1.44, and what a step
// computes from A and A^2 adds 4.8 x 1.7 + 2.1 x 7.5, under 24 of that, to an element of X. A step
// multiplies what it is given wrong by at most 4 (its derivative), five steps by 264 in quadrature.
double orthogonal_bound(double depth) {
  return 6 * 264 * 24 * kUnit * std::sqrt(std::max(1.0, depth / 6));
}

void expect_muon(const MuonCase& c, Values& v) {
  const ParameterUpdate row = muon_row(c);
  const MuonNumbers numbers;
  const double scale = reference::gradient_scale(kSquaredNorm, kClip);
  const Doubles old_p = v[kMuonParameter], old_m = v[kMuonM];
  reference::muon(numbers, row, scale, {c.rows, c.columns}, v[kMuonParameter], v[kMuonGradient],
                  v[kMuonM]);
  v.set_bound(kMuonM, [&](int64_t i) {  // two products of at most three roundings, and the sum
    const double g = (1 - numbers.beta) * scale * v[kMuonGradient][i];
    return 4 * kUnit * (std::fabs(numbers.beta * old_m[i]) + std::fabs(g)) + 0x1p-126;
  });
  const double rate = row.lr * std::sqrt(std::max(1.0, static_cast<double>(c.columns) /
                                                           static_cast<double>(c.rows)));
  const double off = rate * orthogonal_bound(v.depth(std::max(c.rows, c.columns)));
  v.set_bound(kMuonParameter, [&](int64_t i) {
    return off + kUnit * (3 * std::fabs(old_p[i]) + std::fabs(v[kMuonParameter][i]));
  });
  if (!c.copy) return;
  v[kMuonCopy] = v[kMuonParameter];
  v.bound(kMuonCopy) = v.bound(kMuonParameter);
}

}  // namespace

OperationCase muon_case(const MuonCase& c) {
  const double g = c.gradient_range, small = static_cast<double>(std::min(c.rows, c.columns));
  const Shape shape = {c.rows, c.parts * c.columns};
  OperationCase result{
      .name = "muon",
      .what = fmt::format("[{},{}x{}]{} gradients +-{}", c.rows, c.parts, c.columns,
                          c.copy ? " bf16 copy" : "", g),
      .tensors = {{"parameter", DType::kF32, shape, Role::kUpdated},
                  {"gradient", DType::kF32, shape, Role::kInput, -g, g},
                  {"m", DType::kF32, shape, Role::kUpdated, -g, g},
                  {"squared norm", DType::kF64, {1}, Role::kInput, kSquaredNorm, kSquaredNorm}},
      .run =
          [c](Backend& backend, Views t) {
            ParameterUpdate row = muon_row(c);
            row.parameter = t[kMuonParameter], row.gradient = t[kMuonGradient], row.m = t[kMuonM];
            if (c.copy) row.copy = t[kMuonCopy];
            backend.optimizer_step({.rows = std::span(&row, 1),
                                    .squared_norm = t[kMuonNorm],
                                    .clip = kClip,
                                    .scratch = t.back()});
          },
      .expect = [c](Values& v) { expect_muon(c, v); },
      .flops = static_cast<double>(5 * c.parts) *
               (4 * small * static_cast<double>(c.rows * c.columns) + 2 * small * small * small)};
  if (c.copy) result.tensors.push_back({"copy", DType::kBF16, shape, Role::kOutput});
  result.scratch_bytes = [c, shape](const Backend& backend) {
    ParameterUpdate row = muon_row(c);
    row.parameter.shape = shape;
    return backend.optimizer_scratch_bytes(std::span(&row, 1));
  };
  return result;
}

}  // namespace inkstone::test
