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
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/dropout_hash.h"
#include "kernels/operation_case.h"
#include "kernels/page_layout.h"
#include "kernels/reference_codes.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

constexpr double kSmallest = 0x1p-126;

// Relative error of a term of a softmax with the largest score magnitude S that is rescaled so many
// times.
double rescaled_error(double S, int64_t HS, double rescalings) {
  return kUnit * ((static_cast<double>(HS) + 8 + 2 * rescalings) * S + 4 + 6 * rescalings);
}
// Of T terms in tiles of 64.
double exponential_error(double S, int64_t T, int64_t HS) {
  return rescaled_error(S, HS, static_cast<double>(T) / 64 + 1);
}

// q, k and v, each [B,T,heads,HS], out of qkv [B,T,width], and back.
struct Operands {
  Doubles q, k, v;
  reference::AttentionInputs inputs() const { return {q, k, v}; }
};

// Calls f(i, j): element i of a part (0 q, 1 k, 2 v) is element j of qkv.
template <typename F>
void for_part(const AttentionCase& c, int part, F&& f) {
  const int64_t heads = part == 0 ? c.NH : c.KVH(),
                begin = part == 0 ? 0 : c.NH + (part - 1) * c.KVH();
  for (int64_t row = 0; row < c.B * c.T; ++row) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t at = c.interleaved ? 3 * h + part : begin + h;
      for (int64_t e = 0; e < c.HS; ++e)
        f((row * heads + h) * c.HS + e, row * c.width() + at * c.HS + e);
    }
  }
}

Operands unpacked(const AttentionCase& c, const Doubles& qkv) {
  const int64_t rows = c.B * c.T;
  Operands x{Doubles(rows * c.NH * c.HS), Doubles(rows * c.KVH() * c.HS),
             Doubles(rows * c.KVH() * c.HS)};
  for (int part = 0; part < 3; ++part) {
    Doubles& to = part == 0 ? x.q : part == 1 ? x.k : x.v;
    for_part(c, part, [&](int64_t i, int64_t j) { to[i] = qkv[j]; });
  }
  return x;
}

void pack(const AttentionCase& c, const Operands& x, Doubles& qkv) {
  for (int part = 0; part < 3; ++part) {
    const Doubles& from = part == 0 ? x.q : part == 1 ? x.k : x.v;
    for_part(c, part, [&](int64_t i, int64_t j) { qkv[j] = from[i]; });
  }
}

// One (batch, query head): rows of q, k and v and what follows from them.
struct HeadView {
  const AttentionCase& c;
  const Operands& x;
  int64_t b, h;
  reference::AttentionSizes sizes = {};
  reference::Probabilities p = {};
  Doubles S = {};  // [T]

  HeadView(const AttentionCase& the_case, const Operands& operands, int64_t batch, int64_t head)
      : c(the_case), x(operands), b(batch), h(head), sizes(c.sizes()) {
    p = reference::attention_probabilities(sizes, x.q, x.k, b, h);
    for (int64_t i = 0; i < c.T; ++i) {
      double largest = 0;
      for (int64_t j = first(i); j <= last(i); ++j) largest = std::max(largest, magnitude(i, j));
      S.push_back(largest);
    }
  }
  int64_t first(int64_t i) const { return sizes.first_key(b, i); }
  int64_t last(int64_t i) const { return sizes.last_key(b, i); }
  double seen(int64_t i) const { return static_cast<double>(last(i) - first(i) + 1); }
  int64_t at_q(int64_t t, int64_t e) const { return ((b * c.T + t) * c.NH + h) * c.HS + e; }
  int64_t at_k(int64_t t, int64_t e) const {
    return ((b * c.T + t) * c.KVH() + h / c.queries_per_key_head) * c.HS + e;
  }
  double q(int64_t t, int64_t e) const { return x.q[at_q(t, e)]; }
  double k(int64_t t, int64_t e) const { return x.k[at_k(t, e)]; }
  double v(int64_t t, int64_t e) const { return x.v[at_k(t, e)]; }
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

// The intervals' two tensors, behind the case's others; none if causal.
void add_intervals(const AttentionCase& c, std::vector<TensorSpec>& tensors) {
  if (c.mask == KeyMask::kCausal) return;
  const reference::AttentionSizes s = c.sizes();
  tensors.push_back({"first_keys", DType::kI32, {c.B, c.T}, Role::kInput, 0, 0, s.first_keys});
  tensors.push_back({"last_keys", DType::kI32, {c.B, c.T}, Role::kInput, 0, 0, s.last_keys});
}
ConstView interval_tensor(const AttentionCase& c, Views t, int index) {
  return c.mask == KeyMask::kCausal ? ConstView{} : ConstView(t[index]);
}

enum ForwardTensors { kQkv, kOut, kLse, kFirstKeys, kLastKeys };

// out = sum_j e[j] v[j] / sum_j e[j]: twice the terms' error, two sums of the seen keys' terms, the
// quotient.
void bound_forward(Values& v, const AttentionCase& c, const HeadView& head) {
  for (int64_t i = 0; i < c.T; ++i) {
    const double term = exponential_error(head.S[i], c.T, c.HS), sum = (head.seen(i) + 1) * kUnit;
    const double lse = head.p.lse[i], log2_sum = std::log2(head.seen(i));
    v.bound(kLse)[(head.b * c.NH + head.h) * c.T + i] = term + sum +
                                                        4 * kUnit *
                                                            (std::fabs(lse) + head.S[i] + log2_sum);
    for (int64_t e = 0; e < c.HS; ++e) {
      double magnitude = 0, underflow = 0;
      for (int64_t j = head.first(i); j <= head.last(i); ++j) {
        magnitude += head.P(i, j) * head.factor(i, j) * std::fabs(head.v(j, e));
        underflow += kSmallest * head.factor(i, j) * std::fabs(head.v(j, e));
      }
      v.bound(kOut)[head.at_q(i, e)] = magnitude * 2 * (term + sum + 4 * kUnit) + underflow;
    }
  }
}

void expect_forward(Values& v, const AttentionCase& c) {
  const Operands x = unpacked(c, v[kQkv]);
  reference::attention_forward(c.sizes(), x.inputs(), v[kOut], v[kLse]);
  for (int64_t i = 0; i < c.B * c.NH; ++i) {
    bound_forward(v, c, HeadView(c, x, i / c.NH, i % c.NH));
  }
}

// The interval of query i of sequence b; T keys.
struct Interval {
  int64_t first, last;
};
Interval interval(KeyMask mask, int64_t b, int64_t i, int64_t T) {
  constexpr int64_t kLengths[] = {3, 37, 1, 60, 29};  // of documents, in turn
  int64_t document = 0, prefix = std::min(T, 3 * T / 5 + 1 + b);
  for (int64_t n = b; document + kLengths[n % 5] <= i; ++n) document += kLengths[n % 5];
  const int64_t x = mix32(static_cast<uint32_t>(b * T + i)) % T,
                y = mix32(static_cast<uint32_t>(b * T + i) + 77) % T;
  switch (mask) {
    case KeyMask::kCausal:
    case KeyMask::kCausalIntervals:
    case KeyMask::kGiven: return {0, i};
    case KeyMask::kDocuments: return {document, i};
    case KeyMask::kPrefix: return {0, std::max(i, prefix - 1)};
    case KeyMask::kWindow: return {std::max<int64_t>(0, i - 20), i};
    case KeyMask::kRandom: return {std::min(x, y), i % 3 == 0 ? std::min(x, y) : std::max(x, y)};
    case KeyMask::kEnds:
      return i % 2 == 0 ? Interval{0, i % 4 % T} : Interval{T - 1 - i % 2, T - 1};
  }
  return {0, i};
}

}  // namespace

float AttentionCase::scale() const { return 1 / std::sqrt(static_cast<float>(HS)); }

reference::AttentionSizes AttentionCase::sizes() const {
  reference::AttentionSizes s{
      .B = B, .T = T, .NH = NH, .KVH = KVH(), .HS = HS, .scale = scale(), .dropout = dropout};
  s.first_keys = given_first;
  s.last_keys = given_last;
  if (mask == KeyMask::kCausal || mask == KeyMask::kGiven) return s;
  for (int64_t i = 0; i < B * T; ++i) {
    const Interval keys = interval(mask, i / T, i % T, T);
    s.first_keys.push_back(static_cast<int32_t>(keys.first));
    s.last_keys.push_back(static_cast<int32_t>(keys.last));
  }
  return s;
}

PackedHeads heads_of(const AttentionCase& c, View qkv) {
  if (!c.interleaved) return split_heads(qkv, c.NH, c.KVH());
  const auto part = [&](int64_t i) {
    StridedHeads heads = heads_in_columns(qkv, c.width(), i * c.HS, c.NH, c.HS);
    heads.head_stride = 3 * c.HS;
    return heads;
  };
  return {part(0), part(1), part(2)};
}

static std::string describe(const AttentionCase& c) {
  constexpr const char* kMasks[] = {"causal", "documents", "prefix", "window",
                                    "random", "ends",      "0..i",   "given"};
  return fmt::format("B={} T={} NH={} KVH={} HS={} {} {}{} dropout={}", c.B, c.T, c.NH, c.KVH(),
                     c.HS, name(c.type), kMasks[static_cast<int>(c.mask)],
                     c.interleaved ? " interleaved" : "", c.dropout.rate);
}

OperationCase attention_forward_case(const AttentionCase& c) {
  const int64_t C = c.NH * c.HS;
  OperationCase result{
      .name = "attention_forward",
      .what = describe(c),
      .tensors = {{"qkv", c.type, {c.B, c.T, c.width()}, Role::kInput, -c.range, c.range},
                  {"out", c.type, {c.B, c.T, C}, Role::kOutput},
                  {"lse", DType::kF32, {c.B, c.NH, c.T}, Role::kOutput}},
      .run =
          [c](Backend& backend, Views t) {
            const auto [q, k, v] = heads_of(c, t[kQkv]);
            backend.attention_forward({.q = q,
                                       .k = k,
                                       .v = v,
                                       .first_keys = interval_tensor(c, t, kFirstKeys),
                                       .last_keys = interval_tensor(c, t, kLastKeys),
                                       .scale = c.scale(),
                                       .out = t[kOut],
                                       .lse = t[kLse],
                                       .dropout = c.dropout});
          },
      .expect = [c](Values& v) { expect_forward(v, c); },
      .flops = 2.0 * static_cast<double>(c.B * c.T * c.T * C)};
  add_intervals(c, result.tensors);
  return result;
}

namespace {

enum BackwardTensors {
  kBackwardQkv,
  kBackwardOut,
  kBackwardLse,
  kDout,
  kDqkv,
  kBackwardFirstKeys,
  kBackwardLastKeys
};

// The forward pass's results, rounded to what the backward pass is given.
void prepare_backward(const AttentionCase& c, Views t) {
  const Operands x = unpacked(c, to_doubles(t[kBackwardQkv]));
  Doubles out(t[kBackwardOut].count()), lse(t[kBackwardLse].count());
  reference::attention_forward(c.sizes(), x.inputs(), out, lse);
  for (size_t i = 0; i < lse.size(); ++i) put(t[kBackwardLse], static_cast<int64_t>(i), lse[i]);
  for (size_t i = 0; i < out.size(); ++i) put(t[kBackwardOut], static_cast<int64_t>(i), out[i]);
}

// P errs by the score, the given log-sum-exp (rounded, times log2(e)) and the power; D by out's
// rounding and a dot product; dP by a dot product. dS = P (dP - D); dQ = scale dS K; dK = scale
// dS^T Q; dV = (P M)^T dout; the longest sums are those of a key over the queries that share it.
void bound_backward(const Values& v, const AttentionCase& c, const HeadView& head,
                    Operands& bound) {
  const auto dout = [&](int64_t t, int64_t e) { return std::fabs(v[kDout][head.at_q(t, e)]); };
  const double HS = static_cast<double>(c.HS),
               terms = static_cast<double>(c.T * c.queries_per_key_head);
  for (int64_t i = 0; i < c.T; ++i) {
    double D = 0;
    for (int64_t e = 0; e < c.HS; ++e)
      D += dout(i, e) * std::fabs(v[kBackwardOut][head.at_q(i, e)]);
    const double D_error = D * (unit_roundoff(c.type) + (HS + 2) * kUnit);
    const double P_error = kUnit * ((HS + 6) * head.S[i] + 5 * std::fabs(head.p.lse[i]) + 8);
    for (int64_t j = head.first(i); j <= head.last(i); ++j) {
      double dP = 0;
      for (int64_t e = 0; e < c.HS; ++e)
        dP += dout(i, e) * std::fabs(head.v(j, e)) * head.factor(i, j);
      const double P = head.P(i, j), P_absolute = P * (P_error + (terms + 6) * kUnit) + kSmallest;
      const double dS_error = P * (dP * (HS + 4) * kUnit + D_error) + P_absolute * (dP + D);
      const double dV_error = P_absolute * head.factor(i, j);
      for (int64_t e = 0; e < c.HS; ++e) {
        bound.q[head.at_q(i, e)] += c.scale() * dS_error * std::fabs(head.k(j, e));
        bound.k[head.at_k(j, e)] += c.scale() * dS_error * std::fabs(head.q(i, e));
        bound.v[head.at_k(j, e)] += dV_error * dout(i, e);
      }
    }
  }
}

void expect_backward(Values& v, const AttentionCase& c) {
  const Operands x = unpacked(c, v[kBackwardQkv]);
  Operands gradients = x, bound = unpacked(c, v.bound(kDqkv));
  reference::attention_backward(c.sizes(), v[kDout], x.inputs(),
                                {gradients.q, gradients.k, gradients.v});
  for (int64_t i = 0; i < c.B * c.NH; ++i) {
    bound_backward(v, c, HeadView(c, x, i / c.NH, i % c.NH), bound);
  }
  pack(c, gradients, v[kDqkv]);
  pack(c, bound, v.bound(kDqkv));
}

void run_backward(const AttentionCase& c, Backend& backend, Views t) {
  const auto [q, k, v] = heads_of(c, t[kBackwardQkv]);
  const auto [dq, dk, dv] = heads_of(c, t[kDqkv]);
  backend.attention_backward({.dout = t[kDout],
                              .q = q,
                              .k = k,
                              .v = v,
                              .first_keys = interval_tensor(c, t, kBackwardFirstKeys),
                              .last_keys = interval_tensor(c, t, kBackwardLastKeys),
                              .out = t[kBackwardOut],
                              .lse = t[kBackwardLse],
                              .scale = c.scale(),
                              .dq = dq,
                              .dk = dk,
                              .dv = dv,
                              .scratch = t.back(),
                              .dropout = c.dropout});
}

}  // namespace

OperationCase attention_backward_case(const AttentionCase& c) {
  const int64_t C = c.NH * c.HS;
  OperationCase result{
      .name = "attention_backward",
      .what = describe(c),
      .tensors = {{"qkv", c.type, {c.B, c.T, c.width()}, Role::kInput, -c.range, c.range},
                  {"out", c.type, {c.B, c.T, C}},
                  {"lse", DType::kF32, {c.B, c.NH, c.T}},
                  {"dout", c.type, {c.B, c.T, C}},
                  {"dqkv", c.type, {c.B, c.T, c.width()}, Role::kOutput}},
      .run = [c](Backend& backend, Views t) { run_backward(c, backend, t); },
      .expect = [c](Values& v) { expect_backward(v, c); },
      .prepare = [c](Views t) { prepare_backward(c, t); },
      .flops = 5.0 * static_cast<double>(c.B * c.T * c.T * C),
      .scratch_bytes =
          [c](const Backend& backend) {
            return backend.attention_backward_scratch_bytes(c.T, c.HS);
          }};
  add_intervals(c, result.tensors);
  return result;
}

namespace {

enum PagedTensors {
  kPagedQkv,
  kSequences,
  kRowPositions,
  kPagedFirstKeys,
  kPagedLastKeys,
  kPages,
  kPagedKeys,
  kPagedValues,
  kPagedOut
};

int64_t page_count(const PagedCase& c) { return c.S * c.M + 1; }

std::vector<TensorSpec> paged_tensors(const PagedCase& c) {
  const auto R = static_cast<int64_t>(c.rows.size()), P = page_count(c);
  const auto indices = [R](const char* what, std::vector<int32_t> given) {
    return TensorSpec{what, DType::kI32, {R}, Role::kInput, 0, 0, std::move(given)};
  };
  const auto column = [&](int32_t PagedRow::*field) {
    std::vector<int32_t> values;
    for (const PagedRow& row : c.rows) values.push_back(row.*field);
    return values;
  };
  // All pages but the first, in an order of their own.
  int64_t step = P / 2 + 1;
  while (std::gcd(step, P) != 1) ++step;
  std::vector<int32_t> pages;
  for (int64_t i = 1; i < P; ++i) pages.push_back(static_cast<int32_t>(i * step % P));
  const Shape keys = keys_shape(c.cache, P, c.NH, c.HS),
              values = values_shape(c.cache, P, c.NH, c.HS);
  return {{"qkv", c.type, {R, 3 * c.NH * c.HS}, Role::kInput, -c.range, c.range},
          indices("sequences", column(&PagedRow::sequence)),
          indices("positions", column(&PagedRow::position)),
          indices("first_keys", column(&PagedRow::first_key)),
          indices("last_keys", column(&PagedRow::last_key)),
          {"pages", DType::kI32, {c.S, c.M}, Role::kInput, 0, 0, pages},
          {"keys", c.cache, keys, Role::kUpdated, -c.range, c.range},
          {"values", c.cache, values, Role::kUpdated, -c.range, c.range},
          {"out", c.type, {R, c.NH * c.HS}, Role::kOutput}};
}

reference::PagedSizes paged_sizes(const PagedCase& c) {
  return {.R = static_cast<int64_t>(c.rows.size()),
          .NH = c.NH,
          .HS = c.HS,
          .M = c.M,
          .scale = c.scale(),
          .cache = c.cache};
}

// Bytes of q8_0 pages: a head's codes at random, and scales that make numbers in the range of them.
void prepare_codes(const PagedCase& c, Views t) {
  const int64_t numbers = page_numbers(c.HS), elements = page_elements(c.cache, c.HS);
  for (const int tensor : {int{kPagedKeys}, int{kPagedValues}}) {
    auto* const bytes = static_cast<uint8_t*>(t[tensor].data);
    for (int64_t i = 0; i < t[tensor].count(); ++i) {
      const int64_t at = i % elements, code = (i * 37 + i / 101) % (2 * kLargestCode + 1);
      if (at < numbers) bytes[i] = static_cast<uint8_t>(code - kLargestCode);
      if (at < numbers || (at - numbers) % 2 != 0) continue;
      const double largest = c.range * static_cast<double>(code + 1) / (2 * kLargestCode + 1);
      const uint16_t half = float_to_half(static_cast<float>(largest) / kLargestCode);
      bytes[i] = static_cast<uint8_t>(half & 0xFF);
      bytes[i + 1] = static_cast<uint8_t>(half >> 8);
    }
  }
}

// A row's terms are rescaled in each tile of 64 positions of their span of 256,
// and with each span after it.
void expect_paged(Values& v, const PagedCase& c) {
  const auto sequences = v.integers(kSequences), positions = v.integers(kRowPositions),
             first = v.integers(kPagedFirstKeys), last = v.integers(kPagedLastKeys),
             pages = v.integers(kPages);
  reference::PagedSizes s = paged_sizes(c);
  const reference::PagedRows rows{sequences, positions, first, last, pages};
  reference::store_in_pages(s, rows, v[kPagedQkv], v[kPagedKeys], v[kPagedValues]);
  for (const int i : {int{kPagedKeys}, int{kPagedValues}})
    v.set_bound(i, [](int64_t) { return -1.0; });
  const bool codes = c.cache == DType::kI8;
  const Doubles keys = codes ? reference::keys_of_bytes(s, v[kPagedKeys]) : v[kPagedKeys],
                values = codes ? reference::values_of_bytes(s, v[kPagedValues]) : v[kPagedValues];
  s.cache = DType::kF32;
  Doubles magnitudes = values, weighted(v[kPagedOut].size());
  for (double& x : magnitudes) x = std::fabs(x);
  reference::attention_paged(s, rows, v[kPagedQkv], keys, magnitudes, weighted);
  reference::attention_paged(s, rows, v[kPagedQkv], keys, values, v[kPagedOut]);
  // A scale may have been rounded up, as a half.
  const double S = c.range * c.range * (codes ? 1 + 0x1p-11 : 1) * static_cast<double>(c.HS) *
                   c.scale();
  v.set_bound(kPagedOut, [&](int64_t i) {
    const int64_t r = i / (c.NH * c.HS);
    const int64_t tiles = std::min(4, last[r] / 64 - first[r] / 64 + 1),
                  spans = last[r] / 256 - first[r] / 256;
    const double count = last[r] + 1 - first[r],
                 term = rescaled_error(S, c.HS, static_cast<double>(tiles + spans));
    return weighted[i] * 2 * (term + (count + 4) * kUnit) + kSmallest * count * c.range;
  });
}

}  // namespace

float PagedCase::scale() const { return 1 / std::sqrt(static_cast<float>(HS)); }

OperationCase attention_paged_case(const PagedCase& c) {
  double keys = 0;
  for (const PagedRow& row : c.rows) keys += row.last_key + 1 - row.first_key;
  const double channels = static_cast<double>(c.NH * c.HS);
  return {.name = "attention_paged",
          .what = fmt::format("R={} S={} M={} NH={} HS={} {} pages {}", c.rows.size(), c.S, c.M,
                              c.NH, c.HS, name(c.type), name(c.cache)),
          .tensors = paged_tensors(c),
          .run =
              [c](Backend& backend, Views t) {
                backend.attention_paged({.qkv = t[kPagedQkv],
                                         .sequences = t[kSequences],
                                         .positions = t[kRowPositions],
                                         .first_keys = t[kPagedFirstKeys],
                                         .last_keys = t[kPagedLastKeys],
                                         .pages = t[kPages],
                                         .keys = t[kPagedKeys],
                                         .values = t[kPagedValues],
                                         .scale = c.scale(),
                                         .out = t[kPagedOut]});
              },
          .expect = [c](Values& v) { expect_paged(v, c); },
          .prepare = c.cache == DType::kI8 ? [c](Views t) { prepare_codes(c, t); }
                                           : std::function<void(Views)>(),
          .flops = 4.0 * keys * channels,
          .bytes_of_rows = 2.0 * keys * channels * static_cast<double>(size_bytes(c.cache)) *
                           static_cast<double>(page_elements(c.cache, c.HS)) /
                           static_cast<double>(page_numbers(c.HS))};
}

}  // namespace inkstone::test
