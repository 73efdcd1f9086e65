// What adapters of low rank need: columns scaled, sums of products, norms of adapted columns.
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

}  // namespace

OperationCase scale_columns_case(int64_t rows, int64_t columns, DType type, bool bias) {
  enum { kX, kScale, kBias, kY };
  return {.name = "scale_columns",
          .what = fmt::format("[{}, {}] {}{}", rows, columns, name(type), bias ? " bias" : ""),
          .tensors = {{"x", type, {rows, columns}},
                      {"scale", DType::kF32, {columns}},
                      {"bias", DType::kF32, {columns}},
                      {"y", type, {rows, columns}, Role::kOutput}},
          .run =
              [=](Backend& backend, Views t) {
                backend.scale_columns(
                    {.x = t[kX], .scale = t[kScale], .bias = bias ? t[kBias] : View{}, .y = t[kY]});
              },
          .expect =
              [=](Values& v) {
                const Doubles b = bias ? v[kBias] : Doubles();
                Doubles products(v[kX].size());
                reference::scale_columns(absolute(v[kX]), absolute(v[kScale]), {}, products);
                reference::scale_columns(v[kX], v[kScale], b, v[kY]);
                v.set_bound(kY,
                            [&](int64_t i) { return kUnit * (products[i] + std::fabs(v[kY][i])); });
              },
          .flops = (bias ? 2.0 : 1.0) * static_cast<double>(rows * columns)};
}

OperationCase sum_products_case(int64_t rows, int64_t columns, DType type, bool accumulate) {
  enum { kX, kY, kScale, kOut };
  return {.name = "sum_products",
          .what = fmt::format("[{}, {}] {}{}", rows, columns, name(type),
                              accumulate ? " accumulate" : ""),
          .tensors = {{"x", type, {rows, columns}},
                      {"y", type, {rows, columns}},
                      {"scale", DType::kF32, {columns}},
                      {"out", DType::kF32, {columns}, accumulate ? Role::kUpdated : Role::kOutput}},
          .run =
              [=](Backend& backend, Views t) {
                backend.sum_products({.x = t[kX],
                                      .y = t[kY],
                                      .scale = t[kScale],
                                      .out = t[kOut],
                                      .accumulate = accumulate});
              },
          .expect =
              [=](Values& v) {
                if (!accumulate) v[kOut].assign(v[kOut].size(), 0.0);
                Doubles magnitude = absolute(v[kOut]);
                reference::sum_products(absolute(v[kX]), absolute(v[kY]), absolute(v[kScale]),
                                        magnitude);
                reference::sum_products(v[kX], v[kY], v[kScale], v[kOut]);
                v.set_bound(kOut, [&](int64_t i) {
                  return static_cast<double>(rows + 3) * kUnit * magnitude[i];
                });
              },
          .flops = 2.0 * static_cast<double>(rows * columns)};
}

// An element of W + factor (B A)^T is a sum of r + 1 terms, which errs by (r + 2) u of their
// magnitudes; norms of two vectors are no farther apart than the norm of their difference.
OperationCase adapted_norms_case(const AdaptedNormsCase& c) {
  enum { kW, kA, kB, kNorms, kInverses };
  const bool in_out = c.layout == WeightLayout::kInOut;
  constexpr float kFactor = 1.5f;
  return {.name = "adapted_norms",
          .what = fmt::format("in={} out={} r={} {} {}", c.in, c.out, c.rank,
                              in_out ? "in_out" : "out_in", name(c.type)),
          .tensors = {{"w", c.type, in_out ? Shape{c.in, c.out} : Shape{c.out, c.in}},
                      {"a", DType::kF32, {c.rank, c.in}},
                      {"b", DType::kF32, {c.out, c.rank}},
                      {"norms", DType::kF32, {c.out}, Role::kOutput},
                      {"inverses", DType::kF32, {c.out}, Role::kOutput}},
          .run =
              [=](Backend& backend, Views t) {
                const WeightType type = c.type == DType::kBF16 ? WeightType::kBF16
                                                               : WeightType::kF32;
                backend.adapted_norms({.weight = {type, c.layout, c.in, c.out, t[kW].data},
                                       .a = t[kA],
                                       .b = t[kB],
                                       .factor = kFactor,
                                       .norms = t[kNorms],
                                       .inverses = t[kInverses]});
              },
          .expect =
              [=](Values& v) {
                const reference::AdaptedSizes s{c.in, c.out, c.rank, in_out, kFactor};
                Doubles magnitudes(c.out);
                reference::adapted_norms(s, absolute(v[kW]), absolute(v[kA]), absolute(v[kB]),
                                         magnitudes);
                reference::adapted_norms(s, v[kW], v[kA], v[kB], v[kNorms]);
                const auto bound = [&](int64_t j) {
                  return kUnit * (static_cast<double>(c.rank + 2) * magnitudes[j] + v[kNorms][j]);
                };
                for (int64_t j = 0; j < c.out; ++j) v[kInverses][j] = 1 / v[kNorms][j];
                v.set_bound(kNorms, bound);
                v.set_bound(kInverses, [&](int64_t j) {
                  const double norm = v[kNorms][j];
                  return bound(j) / (norm * (norm - bound(j))) + kUnit / norm;
                });
              },
          .flops = 2.0 * static_cast<double>((c.rank + 1) * c.in * c.out),
          .vector_code = false};
}

}  // namespace inkstone::test
