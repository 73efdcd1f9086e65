// AdamW: reads parameter, gradient, m, v and writes parameter, m, v: 28 bytes per element (30 with
// the bf16 copy) and about 15 flops, limited by memory. Split over threads; every element by
// itself.
#include <hwy/base.h>
#include <cmath>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/adamw.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// The numbers of a step as the elements need them.
struct Numbers {
  explicit Numbers(const AdamWStep& op)
      : gradient_scale(static_cast<float>(op.gradient_scale)),
        beta1(static_cast<float>(op.beta1)),
        rest1(static_cast<float>(1 - op.beta1)),
        beta2(static_cast<float>(op.beta2)),
        rest2(static_cast<float>(1 - op.beta2)),
        root_scale(static_cast<float>(1 / std::sqrt(op.correction2))),
        epsilon(static_cast<float>(op.epsilon)),
        decay(static_cast<float>(1 - op.lr * op.weight_decay)),
        rate(static_cast<float>(op.lr / op.correction1)) {}

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

void update_range(const AdamWStep& op, size_t begin, size_t end) {
  const Numbers numbers(op);
  float* p = op.parameter.as<float>() + begin;
  const float* g = op.gradient.as<float>() + begin;
  float *m = op.m.as<float>() + begin, *v = op.v.as<float>() + begin;
  bf16* copy = op.copy ? op.copy.as<bf16>() + begin : nullptr;
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

void adamw(Context& context, const AdamWStep& op) {
  const int64_t count = op.parameter.count();
  INK_CHECK(op.gradient.count() == count && op.m.count() == count && op.v.count() == count,
            "adamw: sizes");
  INK_CHECK(!op.copy || op.copy.count() == count, "adamw: size of the copy");
  context.pool.parallel_for(count, 4096, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(update_range)(op, begin, end);
  });
}

}  // namespace inkstone::cpu
#endif
