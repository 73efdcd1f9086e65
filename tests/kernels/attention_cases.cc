// Attention and its cache.
//
// Errors, to first order, u = 2^-24. A[i,j] = scale sum_e |q[i,e] k[j,e]|, S[i] the largest of its
// row. A score errs by (HS + 4) u A, its distance from the running maximum (at most 2 S) by one
// rounding, the power of two by 4 u. A tile of keys rescales once more: a distance and a power. The
// maximum itself cancels in the quotient. Probabilities below the smallest normal float may be
// zero.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels/operation_case.h"
#include "kernels/reference.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

constexpr double kSmallest = 0x1p-126;

reference::AttentionSizes sizes(const AttentionCase& c) {
  return {.B = c.B, .T = c.T, .NH = c.NH, .HS = c.HS, .scale = c.scale(), .dropout = c.dropout};
}

// Relative error of a term of a softmax of T terms with the largest score magnitude S.
double exponential_error(double S, int64_t T, int64_t HS) {
  const double tiles = static_cast<double>(T) / 64 + 1;
  return kUnit * ((static_cast<double>(HS) + 8 + 2 * tiles) * S + 4 + 6 * tiles);
}

// One (batch, head): rows of q, k and v and what follows from them.
struct HeadView {
  const AttentionCase& c;
  const Doubles& qkv;
  int64_t b, h;
  reference::Probabilities p = {};
  Doubles S = {};  // [T]

  HeadView(const AttentionCase& the_case, const Doubles& the_qkv, int64_t batch, int64_t head)
      : c(the_case),
        qkv(the_qkv),
        b(batch),
        h(head),
        p(reference::attention_probabilities(sizes(c), qkv, b, h)) {
    for (int64_t i = 0; i < c.T; ++i) {
      double largest = 0;
      for (int64_t j = 0; j <= i; ++j) largest = std::max(largest, magnitude(i, j));
      S.push_back(largest);
    }
  }
  int64_t C() const { return c.NH * c.HS; }
  double q(int64_t t, int64_t e) const { return qkv[(b * c.T + t) * 3 * C() + h * c.HS + e]; }
  double k(int64_t t, int64_t e) const { return q(t, C() + e); }
  double v(int64_t t, int64_t e) const { return q(t, 2 * C() + e); }
  double magnitude(int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t e = 0; e < c.HS; ++e) sum += std::fabs(q(i, e) * k(j, e));
    return c.scale() * sum;
  }
  double P(int64_t i, int64_t j) const { return p.P[i * c.T + j]; }
  double factor(int64_t i, int64_t j) const {
    return reference::dropout_factor(c.dropout, (b * c.NH + h) * c.T + i, static_cast<uint32_t>(j));
  }
};

enum ForwardTensors { kQkv, kOut, kLse };

// out = sum_j e[j] v[j] / sum_j e[j]: twice the terms' error, two sums of T terms, the quotient.
void bound_forward(Values& v, const AttentionCase& c, const HeadView& head) {
  for (int64_t i = 0; i < c.T; ++i) {
    const double term = exponential_error(head.S[i], c.T, c.HS),
                 sum = static_cast<double>(i + 2) * kUnit;
    const double lse = head.p.lse[i], log2_sum = std::log2(static_cast<double>(i) + 1);
    v.bound(kLse)[(head.b * c.NH + head.h) * c.T + i] = term + sum +
                                                        4 * kUnit *
                                                            (std::fabs(lse) + head.S[i] + log2_sum);
    for (int64_t e = 0; e < c.HS; ++e) {
      double magnitude = 0, underflow = 0;
      for (int64_t j = 0; j <= i; ++j) {
        magnitude += head.P(i, j) * head.factor(i, j) * std::fabs(head.v(j, e));
        underflow += kSmallest * head.factor(i, j) * std::fabs(head.v(j, e));
      }
      v.bound(kOut)[(head.b * c.T + i) * head.C() + head.h * c.HS + e] = magnitude * 2 *
                                                                             (term + sum +
                                                                              4 * kUnit) +
                                                                         underflow;
    }
  }
}

}  // namespace

float AttentionCase::scale() const { return 1 / std::sqrt(static_cast<float>(HS)); }

static std::string describe(const AttentionCase& c) {
  return fmt::format("B={} T={} NH={} HS={} {} dropout={}", c.B, c.T, c.NH, c.HS, name(c.type),
                     c.dropout.rate);
}

OperationCase attention_forward_case(const AttentionCase& c) {
  const int64_t C = c.NH * c.HS;
  return {.name = "attention_forward",
          .what = describe(c),
          .tensors = {{"qkv", c.type, {c.B, c.T, 3 * C}, Role::kInput, -c.range, c.range},
                      {"out", c.type, {c.B, c.T, C}, Role::kOutput},
                      {"lse", DType::kF32, {c.B, c.NH, c.T}, Role::kOutput}},
          .run =
              [c](Backend& backend, Views t) {
                backend.attention_forward({.qkv = t[kQkv],
                                           .heads = c.NH,
                                           .scale = c.scale(),
                                           .out = t[kOut],
                                           .lse = t[kLse],
                                           .dropout = c.dropout});
              },
          .expect =
              [c](Values& v) {
                reference::attention_forward(sizes(c), v[kQkv], v[kOut], v[kLse]);
                for (int64_t i = 0; i < c.B * c.NH; ++i) {
                  bound_forward(v, c, HeadView(c, v[kQkv], i / c.NH, i % c.NH));
                }
              },
          .flops = 2.0 * static_cast<double>(c.B * c.T * c.T * C)};
}

namespace {

enum BackwardTensors { kBackwardQkv, kBackwardOut, kBackwardLse, kDout, kDqkv };

// The forward pass's results, rounded to what the backward pass is given.
void prepare_backward(const AttentionCase& c, Views t) {
  const Doubles qkv = to_doubles(t[kBackwardQkv]);
  Doubles out(t[kBackwardOut].count()), lse(t[kBackwardLse].count());
  reference::attention_forward(sizes(c), qkv, out, lse);
  for (size_t i = 0; i < lse.size(); ++i) put(t[kBackwardLse], static_cast<int64_t>(i), lse[i]);
  for (size_t i = 0; i < out.size(); ++i) put(t[kBackwardOut], static_cast<int64_t>(i), out[i]);
}

// P errs by the score, the given log-sum-exp (rounded, times log2(e)) and the power; D by out's
// rounding and a dot product; dP by a dot product. dS = P (dP - D); dQ = scale dS K; dK = scale
// dS^T Q; dV = (P M)^T dout.
void bound_backward(Values& v, const AttentionCase& c, const HeadView& head) {
  const int64_t C = head.C(), at = head.b * c.T * C + head.h * c.HS,
                to = head.b * c.T * 3 * C + head.h * c.HS;
  const auto dout = [&](int64_t t, int64_t e) { return std::fabs(v[kDout][at + t * C + e]); };
  const double HS = static_cast<double>(c.HS), T = static_cast<double>(c.T);
  for (int64_t i = 0; i < c.T; ++i) {
    double D = 0;
    for (int64_t e = 0; e < c.HS; ++e) D += dout(i, e) * std::fabs(v[kBackwardOut][at + i * C + e]);
    const double D_error = D * (unit_roundoff(c.type) + (HS + 2) * kUnit);
    const double P_error = kUnit * ((HS + 6) * head.S[i] + 5 * std::fabs(head.p.lse[i]) + 8);
    for (int64_t j = 0; j <= i; ++j) {
      double dP = 0;
      for (int64_t e = 0; e < c.HS; ++e)
        dP += dout(i, e) * std::fabs(head.v(j, e)) * head.factor(i, j);
      const double P = head.P(i, j), P_absolute = P * (P_error + (T + 6) * kUnit) + kSmallest;
      const double dS_error = P * (dP * (HS + 4) * kUnit + D_error) + P_absolute * (dP + D);
      const double dV_error = P_absolute * head.factor(i, j);
      for (int64_t e = 0; e < c.HS; ++e) {
        v.bound(kDqkv)[to + i * 3 * C + e] += c.scale() * dS_error * std::fabs(head.k(j, e));
        v.bound(kDqkv)[to + j * 3 * C + C + e] += c.scale() * dS_error * std::fabs(head.q(i, e));
        v.bound(kDqkv)[to + j * 3 * C + 2 * C + e] += dV_error * dout(i, e);
      }
    }
  }
}

}  // namespace

OperationCase attention_backward_case(const AttentionCase& c) {
  const int64_t C = c.NH * c.HS;
  return {.name = "attention_backward",
          .what = describe(c),
          .tensors = {{"qkv", c.type, {c.B, c.T, 3 * C}, Role::kInput, -c.range, c.range},
                      {"out", c.type, {c.B, c.T, C}},
                      {"lse", DType::kF32, {c.B, c.NH, c.T}},
                      {"dout", c.type, {c.B, c.T, C}},
                      {"dqkv", c.type, {c.B, c.T, 3 * C}, Role::kOutput}},
          .run =
              [c, C, scratch = std::make_shared<std::vector<float>>()](Backend& backend, Views t) {
                scratch->resize(backend.attention_backward_scratch_bytes({c.B, c.T, 3 * C}, c.NH) /
                                sizeof(float));
                backend.attention_backward(
                    {.dout = t[kDout],
                     .qkv = t[kBackwardQkv],
                     .out = t[kBackwardOut],
                     .lse = t[kBackwardLse],
                     .heads = c.NH,
                     .scale = c.scale(),
                     .dqkv = t[kDqkv],
                     .scratch = view(scratch->data(), {static_cast<int64_t>(scratch->size())}),
                     .dropout = c.dropout});
              },
          .expect =
              [c](Values& v) {
                reference::attention_backward(sizes(c), v[kDout], v[kBackwardQkv], v[kDqkv]);
                for (int64_t i = 0; i < c.B * c.NH; ++i) {
                  bound_backward(v, c, HeadView(c, v[kBackwardQkv], i / c.NH, i % c.NH));
                }
              },
          .prepare = [c](Views t) { prepare_backward(c, t); },
          .flops = 5.0 * static_cast<double>(c.B * c.T * c.T * C)};
}

namespace {

enum CachedTensors { kRows, kSlots, kPositions, kKeys, kValues, kCachedOut };

reference::CacheSizes cache_sizes(const AttentionCase& c) {
  return {.R = c.B, .NH = c.NH, .T = c.T, .HS = c.HS, .scale = c.scale()};
}

// Row r is the last position, then the first, then others; its slot is one of B + 1, counted
// downwards.
std::vector<TensorSpec> cached_tensors(const AttentionCase& c) {
  std::vector<int32_t> slots, positions;
  for (int64_t r = 0; r < c.B; ++r) {
    slots.push_back(static_cast<int32_t>(c.B - r));
    positions.push_back(static_cast<int32_t>((c.T - 1 + r * (c.T / 3 + 1)) % c.T));
  }
  const Shape cache{c.B + 1, c.NH, c.T, c.HS};
  return {{"qkv", c.type, {c.B, 3 * c.NH * c.HS}, Role::kInput, -c.range, c.range},
          {"slots", DType::kI32, {c.B}, Role::kInput, 0, 0, slots},
          {"positions", DType::kI32, {c.B}, Role::kInput, 0, 0, positions},
          {"keys", c.type, cache, Role::kUpdated, -c.range, c.range},
          {"values", c.type, cache, Role::kUpdated, -c.range, c.range}};
}

void expect_store(Values& v, const AttentionCase& c) {
  const auto slots = v.integers(kSlots), positions = v.integers(kPositions);
  reference::cache_store(cache_sizes(c), v[kRows], slots, positions, v[kKeys], v[kValues]);
  for (const int i : {int{kKeys}, int{kValues}}) v.set_bound(i, [](int64_t) { return -1.0; });
}

// As bound_forward for the one row: with values replaced by their magnitudes the reference gives
// sum_j P |v|.
void expect_cached(Values& v, const AttentionCase& c) {
  expect_store(v, c);
  const auto slots = v.integers(kSlots), positions = v.integers(kPositions);
  Doubles magnitudes = v[kValues], weighted(v[kCachedOut].size());
  for (double& x : magnitudes) x = std::fabs(x);
  const auto s = cache_sizes(c);
  reference::attention_cached(s, v[kRows], slots, positions, v[kKeys], magnitudes, weighted);
  reference::attention_cached(s, v[kRows], slots, positions, v[kKeys], v[kValues], v[kCachedOut]);
  const double S = c.range * c.range * static_cast<double>(c.HS) * c.scale();
  v.set_bound(kCachedOut, [&](int64_t i) {
    const auto count = positions[i / (c.NH * c.HS)] + 1;
    return weighted[i] * 2 * (exponential_error(S, 1, c.HS) + (count + 4) * kUnit) +
           kSmallest * count * c.range;
  });
}

}  // namespace

OperationCase attention_cached_case(const AttentionCase& c) {
  // The first row is at the last position; the benchmark has only that one.
  OperationCase result{
      .name = "attention_cached",
      .what = describe(c),
      .tensors = cached_tensors(c),
      .run =
          [c](Backend& backend, Views t) {
            backend.attention_cached({.qkv = t[kRows],
                                      .slots = t[kSlots],
                                      .positions = t[kPositions],
                                      .keys = t[kKeys],
                                      .values = t[kValues],
                                      .scale = c.scale(),
                                      .out = t[kCachedOut]});
          },
      .expect = [c](Values& v) { expect_cached(v, c); },
      .flops = 4.0 * static_cast<double>(c.B * c.T * c.NH * c.HS),
      .bytes_of_rows = static_cast<double>(c.B * (2 * c.T + 6) * c.NH * c.HS * size_bytes(c.type))};
  result.tensors.push_back({"out", c.type, {c.B, c.NH * c.HS}, Role::kOutput});
  return result;
}

OperationCase cache_store_case(const AttentionCase& c) {
  return {.name = "cache_store",
          .what = describe(c),
          .tensors = cached_tensors(c),
          .run =
              [](Backend& backend, Views t) {
                backend.cache_store({t[kRows], t[kSlots], t[kPositions], t[kKeys], t[kValues]});
              },
          .expect = [c](Values& v) { expect_store(v, c); },
          .bytes_of_rows = static_cast<double>(4 * c.B * c.NH * c.HS * size_bytes(c.type))};
}

}  // namespace inkstone::test
