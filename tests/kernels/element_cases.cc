// Operations element by element, AdamW, dropout, the sum of squares and cross-entropy.
#include <algorithm>
#include <cmath>

#include "kernels/operation_case.h"
#include "kernels/reference.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

// Relative error of the kernels' exponential at an exact argument: argument reduction, seven fused
// steps (two roundings each where the machine does not fuse, damped by |r| <= ln(2)/2), the
// scaling, and the polynomial's 0.1 u.
constexpr double kExponential = 6 * kUnit;
// A result below the smallest normal float may be anything down to zero.
constexpr double kSmallest = 0x1p-126;

}  // namespace

OperationCase add_case(int64_t count, DType delta) {
  enum { kX, kDelta };
  return {.name = "add",
          .what = fmt::format("[{}] {}", count, name(delta)),
          .tensors = {{"x", DType::kF32, {count}, Role::kUpdated}, {"delta", delta, {count}}},
          .run = [](Backend& backend, Views t) { backend.add(t[kX], t[kDelta]); },
          .expect =
              [](Values& v) {
                reference::add(v[kX], v[kDelta]);
                v.set_bound(kX, [&](int64_t i) { return kUnit * std::fabs(v[kX][i]); });
              },
          .flops = static_cast<double>(count)};
}

// Exact: the reference rounds too.
OperationCase cast_case(int64_t count, DType to) {
  enum { kFrom, kTo };
  return {.name = "cast",
          .what = fmt::format("[{}] to {}", count, name(to)),
          .tensors = {{"from",
                       to == DType::kBF16 ? DType::kF32 : DType::kBF16,
                       {count},
                       Role::kInput,
                       -1e3,
                       1e3},
                      {"to", to, {count}, Role::kOutput}},
          .run = [](Backend& backend, Views t) { backend.cast(t[kFrom], t[kTo]); },
          .expect =
              [to](Values& v) {
                for (size_t i = 0; i < v[kFrom].size(); ++i)
                  v[kTo][i] = reference::cast(v[kFrom][i], to);
                v.set_bound(kTo, [](int64_t) { return -1.0; });
              }};
}

OperationCase sum_case(int64_t count, bool accumulate) {
  enum { kX, kSum };
  return {.name = "sum",
          .what = fmt::format("[{}]{}", count, accumulate ? " accumulate" : ""),
          .tensors = {{"x", DType::kF32, {count}},
                      {"sum", DType::kF64, {1}, accumulate ? Role::kUpdated : Role::kOutput}},
          .run = [=](Backend& backend, Views t) { backend.sum(t[kX], t[kSum], accumulate); },
          .expect =
              [=](Values& v) {
                Doubles magnitudes = v[kX];
                for (double& x : magnitudes) x = std::fabs(x);
                const double before = accumulate ? v[kSum][0] : 0;
                v[kSum][0] = before + reference::sum(v[kX]);
                // Both sums round.
                v.bound(kSum)[0] = 2 * static_cast<double>(count + 1) * 0x1p-53 *
                                   (reference::sum(magnitudes) + std::fabs(before));
              },
          .flops = static_cast<double>(count),
          .vector_code = false};
}

OperationCase sum_of_squares_case(int64_t count) {
  enum { kX, kSum };
  return {.name = "sum_of_squares",
          .what = fmt::format("[{}]", count),
          .tensors = {{"x", DType::kF32, {count}}, {"sum", DType::kF64, {1}, Role::kOutput}},
          .run = [](Backend& backend, Views t) { backend.sum_of_squares(t[kX], t[kSum]); },
          .expect =
              [count](Values& v) {
                v[kSum][0] = reference::sum_of_squares(v[kX]);
                // Both sums round.
                v.bound(kSum)[0] = 2 * static_cast<double>(count + 2) * 0x1p-53 * v[kSum][0];
              },
          .flops = 2.0 * static_cast<double>(count)};
}

namespace {

// s = 1/(1 + e^-t) of a t that is off by t_error.
struct Logistic {
  double s, relative_error;
  Logistic(double t, double t_error) : s(1 / (1 + std::exp(-t))) {
    relative_error = (1 - s) * (t_error + kExponential) + 2 * kUnit;
  }
};

// The exponential stops at e^88.37, so that far below zero something up to |x| 2^-127 remains of 0;
// and the reference itself, 1 + tanh or 1 - s, rounds at 2^-52.
double logistic_floor(double x) { return (1 + std::fabs(x)) * (kSmallest + 0x1p-51); }

// t = 2 sqrt(2/pi) (x + 0.044715 x^3): six roundings.
struct GeluTanhBounds {
  double x, slope;  // of t
  Logistic l;
  explicit GeluTanhBounds(double at)
      : x(at), slope(2 * kRoot * (1 + 3 * 0.044715 * x * x)), l(t(), 6 * kUnit * std::fabs(t())) {}

  double value(double y) const {
    return std::fabs(y) * (l.relative_error + 2 * kUnit) + logistic_floor(x);
  }
  // s + x slope s (1 - s).
  double derivative() const {
    const double s_error = l.s * l.relative_error;
    const double product_error = std::fabs(x) * slope *
                                 ((1 - l.s) * (s_error + 8 * kUnit * l.s) +
                                  l.s * (s_error + kUnit));
    const double second = std::fabs(x) * slope * l.s * (1 - l.s);
    return s_error + product_error + 2 * kUnit * (l.s + second) + logistic_floor(x) * (1 + slope);
  }

 private:
  static constexpr double kRoot = 0.7978845608028654;
  double t() const { return 2 * kRoot * (x + 0.044715 * x * x * x); }
};

struct SiluBounds {
  double x;
  Logistic l;
  explicit SiluBounds(double at) : x(at), l(at, 0) {}

  double value(double y) const { return std::fabs(y) * l.relative_error + logistic_floor(x); }
  // s + (x s)(e s), e = e^-x: three products and a sum, in which s stands twice.
  double derivative() const {
    const double second = std::fabs(x) * l.s * (1 - l.s);
    return l.s * l.relative_error + second * (2 * l.relative_error + kExponential + 3 * kUnit) +
           kUnit * (l.s + second) + logistic_floor(x);
  }
};

// With a = |x|, e = e^(-a^2/2), whose exponent rounds once, and the tail Q = Phi(-a) = e R.
struct GeluBounds {
  // Of R, relative: ten steps of two roundings each, damped by |w| <= 1, and three in w: 17 units
  // at most where all of them add up, found by running the sum of their bounds along a; the
  // polynomial's 0.5 u.
  static constexpr double kTail = 18 * kUnit;

  double x, a, e, tail, e_relative;
  explicit GeluBounds(double at)
      : x(at),
        a(std::fabs(x)),
        e(std::exp(-a * a / 2)),
        tail(0.5 * std::erfc(a / std::sqrt(2.0))),
        e_relative(a * a / 2 * kUnit + kExponential) {}

  double floor() const { return (1 + a) * kSmallest; }
  // max(x, 0) - a (e R).
  double value(double y) const {
    return a * tail * (e_relative + kTail + 2 * kUnit) + kUnit * std::fabs(y) + floor();
  }
  // D = e (R - c a), whose constant and product round, or 1 - D.
  double derivative() const {
    const double second = a * e * 0.3989422804014327, D = std::fabs(tail - second);
    return tail * kTail + 2 * kUnit * second + D * (e_relative + 2 * kUnit) + kUnit * (1 + D) +
           floor();
  }
};

double value_bound(Activation kind, double x, double y) {
  switch (kind) {
    case Activation::kGeluTanh: return GeluTanhBounds(x).value(y);
    case Activation::kGelu: return GeluBounds(x).value(y);
    case Activation::kRelu: return -1;  // exact
    case Activation::kSilu: return SiluBounds(x).value(y);
  }
  return 0;
}

// Of dy f'(x).
double gradient_bound(Activation kind, double x, double dy, double dx) {
  double derivative = 0;
  switch (kind) {
    case Activation::kGeluTanh: derivative = GeluTanhBounds(x).derivative(); break;
    case Activation::kGelu: derivative = GeluBounds(x).derivative(); break;
    case Activation::kRelu: return -1;  // exact
    case Activation::kSilu: derivative = SiluBounds(x).derivative(); break;
  }
  return std::fabs(dy) * derivative + kUnit * std::fabs(dx) + kSmallest;
}

struct ActivationKind {
  const char* name;
  double forward_flops, backward_flops;  // per element
};
constexpr ActivationKind kKinds[] = {
    {"gelu_tanh", 30, 40}, {"gelu", 50, 55}, {"relu", 1, 1}, {"silu", 25, 30}};

std::string text(const ActivationCase& c) {
  return fmt::format("{} [{}] {} +-{}", kKinds[static_cast<int>(c.kind)].name, c.count,
                     name(c.type), c.range);
}

}  // namespace

OperationCase activation_forward_case(const ActivationCase& c) {
  enum { kX, kY };
  return {
      .name = "activation_forward",
      .what = text(c),
      .tensors = {{"x", c.type, {c.count}, Role::kInput, -c.range, c.range},
                  {"y", c.type, {c.count}, Role::kOutput}},
      .run = [c](Backend& backend,
                 Views t) { backend.activation_forward({.kind = c.kind, .x = t[kX], .y = t[kY]}); },
      .expect =
          [c](Values& v) {
            for (size_t i = 0; i < v[kX].size(); ++i)
              v[kY][i] = reference::activation(c.kind, v[kX][i]);
            v.set_bound(kY, [&](int64_t i) { return value_bound(c.kind, v[kX][i], v[kY][i]); });
          },
      .flops = kKinds[static_cast<int>(c.kind)].forward_flops * static_cast<double>(c.count)};
}

OperationCase activation_backward_case(const ActivationCase& c) {
  enum { kX, kDy, kDx };
  return {
      .name = "activation_backward",
      .what = text(c),
      .tensors = {{"x", c.type, {c.count}, Role::kInput, -c.range, c.range},
                  {"dy", c.type, {c.count}},
                  {"dx", c.type, {c.count}, Role::kOutput}},
      .run =
          [c](Backend& backend, Views t) {
            backend.activation_backward({.kind = c.kind, .x = t[kX], .dy = t[kDy], .dx = t[kDx]});
          },
      .expect =
          [c](Values& v) {
            for (size_t i = 0; i < v[kX].size(); ++i)
              v[kDx][i] = v[kDy][i] * reference::activation_derivative(c.kind, v[kX][i]);
            v.set_bound(kDx, [&](int64_t i) {
              return gradient_bound(c.kind, v[kX][i], v[kDy][i], v[kDx][i]);
            });
          },
      .flops = kKinds[static_cast<int>(c.kind)].backward_flops * static_cast<double>(c.count)};
}

// Which elements are zero is exact; 1/(1 - rate) and the product round three times.
OperationCase dropout_case(int64_t count, DType type, const DropoutMask& mask) {
  enum { kX };
  return {.name = "dropout",
          .what = fmt::format("[{}] {} rate={}", count, name(type), mask.rate),
          .tensors = {{"x", type, {count}, Role::kUpdated, 1, 2}},
          .run = [mask](Backend& backend, Views t) { backend.dropout(t[kX], mask); },
          .expect =
              [mask](Values& v) {
                reference::dropout(v[kX], mask);
                v.set_bound(kX, [&](int64_t i) { return 3 * kUnit * std::fabs(v[kX][i]); });
              },
          .flops = static_cast<double>(count)};
}

namespace {

enum AdamWTensors { kParameter, kGradient, kM, kV, kNorm, kCopy };

constexpr AdamWNumbers kAdamW{.correction1 = 0.271, .correction2 = 0.002997};  // of the third step

// But for its tensors.
ParameterUpdate adamw_row() { return {.lr = 0.01, .weight_decay = 0.1}; }

void expect_adamw(Values& v, bool copy) {
  const AdamWNumbers& numbers = kAdamW;
  const ParameterUpdate row = adamw_row();
  const double scale = reference::gradient_scale(kSquaredNorm, kClip);
  const Doubles old_p = v[kParameter], old_m = v[kM];
  reference::adamw(numbers, row, scale, v[kParameter], v[kGradient], v[kM], v[kV]);
  v.set_bound(kM, [&](int64_t i) {  // two products of at most four roundings, and the sum
    const double g = scale * v[kGradient][i], beta1 = numbers.beta1;
    return 5 * kUnit * (std::fabs(beta1 * old_m[i]) + std::fabs((1 - beta1) * g)) + kSmallest;
  });
  // No cancellation: all terms >= 0. Roundings: of beta2 and 1 - beta2, of the scale and the scaled
  // gradient (twice each in the square), of the square, its product and the sum.
  v.set_bound(kV, [&](int64_t i) { return 8 * kUnit * v[kV][i] + kSmallest; });
  v.set_bound(kParameter, [&](int64_t i) {
    // 4 + 5 roundings, those of the numbers included.
    const double denominator = std::sqrt(v[kV][i] / numbers.correction2) + numbers.epsilon;
    const double rate = row.lr / numbers.correction1;
    return rate * (v.bound(kM)[i] + 12 * kUnit * std::fabs(v[kM][i])) / denominator +
           kUnit * (3 * std::fabs(old_p[i]) + std::fabs(v[kParameter][i]));
  });
  if (!copy) return;
  v[kCopy] = v[kParameter];
  v.bound(kCopy) = v.bound(kParameter);
}

}  // namespace

OperationCase adamw_case(int64_t count, bool copy, double gradient_range) {
  const double g = gradient_range;
  OperationCase result{
      .name = "adamw",
      .what = fmt::format("[{}]{} gradients +-{}", count, copy ? " bf16 copy" : "", g),
      .tensors = {{"parameter", DType::kF32, {count}, Role::kUpdated},
                  {"gradient", DType::kF32, {count}, Role::kInput, -g, g},
                  {"m", DType::kF32, {count}, Role::kUpdated, -g, g},
                  {"v", DType::kF32, {count}, Role::kUpdated, 0, g * g},
                  {"squared norm", DType::kF64, {1}, Role::kInput, kSquaredNorm, kSquaredNorm}},
      .run =
          [copy](Backend& backend, Views t) {
            ParameterUpdate row = adamw_row();
            row.parameter = t[kParameter], row.gradient = t[kGradient], row.m = t[kM];
            row.v = t[kV];
            if (copy) row.copy = t[kCopy];
            backend.optimizer_step({.rows = std::span(&row, 1),
                                    .squared_norm = t[kNorm],
                                    .clip = kClip,
                                    .adamw = kAdamW});
          },
      .expect = [copy](Values& v) { expect_adamw(v, copy); },
      .flops = 15.0 * static_cast<double>(count)};
  if (copy) result.tensors.push_back({"copy", DType::kBF16, {count}, Role::kOutput});
  return result;
}

namespace {

constexpr float kGradientScale = 0.25f;
enum CrossEntropyTensors { kLogits, kTargets, kWeights, kLosses, kDlogits };

// With s = x - maximum and L = log(sum of e^s): loss = L - s[target], p[v] = e^(s[v] - L). One
// roundoff in each s, the exponentials' errors averaged with weights p and a sum of at most 4096
// terms of V give L's error.
struct RowBounds {
  double maximum, log_sum, log_sum_error;
  RowBounds(std::span<const double> x, double loss, int32_t target, double depth) {
    maximum = *std::max_element(x.begin(), x.end());
    log_sum = loss + x[target] - maximum;
    log_sum_error = depth * kUnit + kUnit * std::fabs(log_sum);
    for (const double value : x)
      log_sum_error += std::exp(value - maximum - log_sum) * shift_error(value);
  }
  double shift_error(double x) const { return kUnit * std::fabs(x - maximum) + kExponential; }
  double loss(double x) const {
    return log_sum_error + 2 * kUnit * (std::fabs(maximum - x) + std::fabs(log_sum));
  }
  double probability_relative(double x) const { return loss(x) + kExponential + 2 * kUnit; }
};

void expect_cross_entropy(Values& v, const CrossEntropyCase& c) {
  using Gradient = CrossEntropyCase::Gradient;
  const Doubles logits = v[kLogits];
  const std::vector<int32_t> targets = v.integers(kTargets);
  const Doubles weights = c.weights ? v[kWeights] : Doubles(targets.size(), 1);
  Doubles dlogits(c.gradient == Gradient::kNone ? 0 : logits.size());
  reference::cross_entropy(logits, targets, {}, kGradientScale, v[kLosses], dlogits);
  const Doubles losses = v[kLosses];  // not weighted, of which the bounds are made
  if (c.weights)
    reference::cross_entropy(logits, targets, weights, kGradientScale, v[kLosses], dlogits);
  const int to = c.gradient == Gradient::kInPlace ? int{kLogits} : int{kDlogits};
  if (!dlogits.empty()) v[to] = dlogits;
  for (int64_t r = 0; r < c.R; ++r) {
    if (targets[r] < 0) continue;  // exactly zero
    const std::span<const double> row = std::span(logits).subspan(r * c.V, c.V);
    const RowBounds bounds(row, losses[r], targets[r], v.depth(std::min<int64_t>(c.V, 4096)));
    const double rounding = c.weights ? 2 * kUnit : 0;  // of a product with the weight
    v.bound(kLosses)[r] = weights[r] * bounds.loss(row[targets[r]]) +
                          rounding * std::fabs(v[kLosses][r]);
    for (int64_t i = 0; i < c.V && !dlogits.empty(); ++i) {
      const double p = std::exp(row[i] - bounds.maximum - bounds.log_sum);
      v.bound(
          to)[r * c.V + i] = weights[r] * kGradientScale * p * bounds.probability_relative(row[i]) +
                             (2 * kUnit + rounding) * std::fabs(dlogits[r * c.V + i]) + kSmallest;
    }
  }
}

}  // namespace

OperationCase cross_entropy_case(const CrossEntropyCase& c) {
  using Gradient = CrossEntropyCase::Gradient;
  constexpr const char* kNames[] = {"no gradient", "f32", "bf16", "in place"};
  const bool in_place = c.gradient == Gradient::kInPlace,
             own = !in_place && c.gradient != Gradient::kNone;
  OperationCase result{
      .name = "cross_entropy",
      .what = fmt::format("R={} V={} {} +-{}{}", c.R, c.V, kNames[static_cast<int>(c.gradient)],
                          c.range, c.weights ? " weighted" : ""),
      .tensors = {{"logits",
                   DType::kF32,
                   {c.R, c.V},
                   in_place ? Role::kUpdated : Role::kInput,
                   c.offset - c.range,
                   c.offset + c.range},
                  {"targets", DType::kI32, {c.R}, Role::kInput, -1, static_cast<double>(c.V)},
                  {"weights", DType::kF32, {c.R}, Role::kInput, 0, 2},
                  {"losses", DType::kF32, {c.R}, Role::kOutput}},
      .run =
          [=](Backend& backend, Views t) {
            backend.cross_entropy({.logits = t[kLogits],
                                   .targets = t[kTargets],
                                   .weights = c.weights ? t[kWeights] : View{},
                                   .losses = t[kLosses],
                                   .dlogits = in_place ? t[kLogits]
                                              : own    ? t[kDlogits]
                                                       : View{},
                                   .gradient_scale = kGradientScale});
          },
      .expect = [c](Values& v) { expect_cross_entropy(v, c); },
      .flops = 50.0 * static_cast<double>(c.R * c.V)};
  const DType type = c.gradient == Gradient::kBF16 ? DType::kBF16 : DType::kF32;
  if (own) result.tensors.push_back({"dlogits", type, {c.R, c.V}, Role::kOutput});
  return result;
}

}  // namespace inkstone::test
