// AdamW: reads parameter, gradient, m, v and writes parameter, m, v: 28 bytes per element (30 with
// the bf16 copy) and about 15 flops, limited by memory. Threads split the elements of all rows, as
// if they stood one behind the other; every element is computed by itself.
#include <hwy/base.h>
#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// The numbers of a row as its elements need them.
struct Numbers {
  Numbers(const AdamWNumbers& n, const ParameterUpdate& row, double scale)
      : gradient_scale(static_cast<float>(scale)),
        beta1(static_cast<float>(n.beta1)),
        rest1(static_cast<float>(1 - n.beta1)),
        beta2(static_cast<float>(n.beta2)),
        rest2(static_cast<float>(1 - n.beta2)),
        root_scale(static_cast<float>(1 / std::sqrt(n.correction2))),
        epsilon(static_cast<float>(n.epsilon)),
        decay(static_cast<float>(1 - row.lr * row.weight_decay)),
        rate(static_cast<float>(row.lr / n.correction1)) {}

  float gradient_scale, beta1, rest1, beta2, rest2, root_scale, epsilon, decay, rate;
};

// Denominator sqrt(v) / sqrt(correction2) + epsilon and step lr / correction1, as
// torch.optim.AdamW.
HWY_INLINE void update(const Numbers& s, VF& p, VF g, VF& m, VF& v) {
  const F32 d;
  g = hn::Mul(g, hn::Set(d, s.gradient_scale));
  m = hn::MulAdd(hn::Set(d, s.beta1), m, hn::Mul(hn::Set(d, s.rest1), g));
  v = hn::MulAdd(hn::Set(d, s.beta2), v, hn::Mul(hn::Set(d, s.rest2), hn::Mul(g, g)));
  const VF root = hn::Mul(hn::Sqrt(v), hn::Set(d, s.root_scale));
  const VF change = hn::Div(m, hn::Add(root, hn::Set(d, s.epsilon)));
  p = hn::NegMulAdd(hn::Set(d, s.rate), change, hn::Mul(p, hn::Set(d, s.decay)));
}

void update_range(const AdamWNumbers& of_step, const ParameterUpdate& row, double gradient_scale,
                  size_t begin, size_t end) {
  const Numbers numbers(of_step, row, gradient_scale);
  float* p = row.parameter.as<float>() + begin;
  const float* g = row.gradient.as<float>() + begin;
  float *m = row.m.as<float>() + begin, *v = row.v.as<float>() + begin;
  bf16* copy = row.copy ? row.copy.as<bf16>() + begin : nullptr;
  for_vectors(
      end - begin,
      [&](size_t i) {
        VF pi = load(p + i), mi = load(m + i), vi = load(v + i);
        update(numbers, pi, load(g + i), mi, vi);
        store(pi, p + i);
        store(mi, m + i);
        store(vi, v + i);
        if (copy != nullptr) store(pi, copy + i);
      },
      [&](size_t i, size_t n) {
        VF pi = load_part(p + i, n), mi = load_part(m + i, n), vi = load_part(v + i, n);
        update(numbers, pi, load_part(g + i, n), mi, vi);
        store_part(pi, p + i, n);
        store_part(mi, m + i, n);
        store_part(vi, v + i, n);
        if (copy != nullptr) store_part(pi, copy + i, n);
      });
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(update_range);

namespace {

// Elements of the row that AdamW moves.
int64_t count_of(const ParameterUpdate& row) {
  return row.rule == UpdateRule::kAdamW ? row.parameter.count() : 0;
}

}  // namespace

void adamw(Context& context, const OptimizerStep& op, double gradient_scale) {
  int64_t total = 0;
  for (const ParameterUpdate& row : op.rows) total += count_of(row);
  context.pool.parallel_for(total, 4096, [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;  // of the row, in the elements of all
    for (const ParameterUpdate& row : op.rows) {
      const int64_t from = std::max(begin, first), to = std::min(end, first + count_of(row));
      if (from < to) HWY_DYNAMIC_DISPATCH(update_range)
      (op.adamw, row, gradient_scale, from - first, to - first);
      first += count_of(row);
    }
  });
}

}  // namespace inkstone::cpu
#endif
