// GELU in its tanh form and its derivative: 8 to 12 bytes and about 30 flops per element; the
// arithmetic of the exponential is the limit while the data is in cache. Split over threads;
// every element by itself.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gelu.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// sqrt(2/pi) and the cubic coefficient of the tanh form.
constexpr float kRoot = 0.7978845608028654f, kCubic = 0.044715f;

HWY_INLINE VF inner(VF x) {
  const F32 d;
  const VF x2 = hn::Mul(x, x);
  return hn::Mul(hn::Set(d, kRoot),
                 hn::Mul(x, hn::MulAdd(hn::Set(d, kCubic), x2, hn::Set(d, 1.0f))));
}
// 0.5 x (1 + tanh(u)) = x / (1 + e^(-2u)), which keeps its relative accuracy for negative x too.
HWY_INLINE VF gelu(VF x) {
  const F32 d;
  const VF e = exp_f32(hn::Mul(hn::Set(d, -2.0f), inner(x)));
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), e));
}
// With s = 1/(1 + e^(-2u)): gelu' = s + x * 2 s (1 - s) * u'.
HWY_INLINE VF gelu_derivative(VF x) {
  const F32 d;
  const VF one = hn::Set(d, 1.0f);
  const VF e = exp_f32(hn::Mul(hn::Set(d, -2.0f), inner(x)));
  const VF s = hn::Div(one, hn::Add(one, e));
  const VF slope = hn::Mul(hn::Set(d, 2 * kRoot),
                           hn::MulAdd(hn::Set(d, 3 * kCubic), hn::Mul(x, x), one));
  return hn::MulAdd(hn::Mul(hn::Mul(x, s), hn::Sub(one, s)), slope, s);
}
template <typename T>
void forward(const T* x, T* y, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(gelu(load(x + i)), y + i); },
      [&](size_t i, size_t n) { store_part(gelu(load_part(x + i, n)), y + i, n); });
}
template <typename T>
void backward(const T* x, const T* dy, T* dx, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(hn::Mul(load(dy + i), gelu_derivative(load(x + i))), dx + i); },
      [&](size_t i, size_t n) {
        store_part(hn::Mul(load_part(dy + i, n), gelu_derivative(load_part(x + i, n))), dx + i, n);
      });
}
void forward_f32(const float* x, float* y, size_t n) { forward(x, y, n); }
void forward_bf16(const bf16* x, bf16* y, size_t n) { forward(x, y, n); }
void backward_f32(const float* x, const float* dy, float* dx, size_t n) { backward(x, dy, dx, n); }
void backward_bf16(const bf16* x, const bf16* dy, bf16* dx, size_t n) { backward(x, dy, dx, n); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);

void gelu_forward(Context& context, const GeluForward& op) {
  INK_CHECK(op.x.count() == op.y.count() && op.x.dtype == op.y.dtype, "gelu: sizes or types");
  context.pool.parallel_for(op.x.count(), 1024, [&](int64_t i, int64_t end, int) {
    if (op.x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(forward_bf16)(op.x.as<bf16>() + i, op.y.as<bf16>() + i, end - i);
    } else {
      HWY_DYNAMIC_DISPATCH(forward_f32)(op.x.as<float>() + i, op.y.as<float>() + i, end - i);
    }
  });
}

void gelu_backward(Context& context, const GeluBackward& op) {
  INK_CHECK(op.x.count() == op.dy.count() && op.x.count() == op.dx.count(), "gelu: sizes");
  INK_CHECK(op.x.dtype == op.dy.dtype && op.x.dtype == op.dx.dtype, "gelu: types");
  context.pool.parallel_for(op.x.count(), 1024, [&](int64_t i, int64_t end, int) {
    if (op.x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(backward_bf16)
      (op.x.as<bf16>() + i, op.dy.as<bf16>() + i, op.dx.as<bf16>() + i, end - i);
    } else {
      HWY_DYNAMIC_DISPATCH(backward_f32)
      (op.x.as<float>() + i, op.dy.as<float>() + i, op.dx.as<float>() + i, end - i);
    }
  });
}

}  // namespace inkstone::cpu
#endif
