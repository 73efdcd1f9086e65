// What lies between the two products of an MLP, and its derivative: 8 to 12 bytes and, but for
// relu, 25 to 55 flops per element; the arithmetic of the exponential is the limit while the data
// is in cache. Split over threads; every element by itself. Each kind is a type of two functions,
// value(x) and gradient(x, dy) = dy * value'(x), for which the loops are compiled.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activation.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// sqrt(2/pi) and the cubic coefficient of the tanh form.
constexpr float kRoot = 0.7978845608028654f, kCubic = 0.044715f;

struct GeluTanh {
  static HWY_INLINE VF inner(VF x) {
    const F32 d;
    const VF x2 = hn::Mul(x, x);
    return hn::Mul(hn::Set(d, kRoot),
                   hn::Mul(x, hn::MulAdd(hn::Set(d, kCubic), x2, hn::Set(d, 1.0f))));
  }
  // 0.5 x (1 + tanh(u)) = x / (1 + e^(-2u)), which keeps its relative accuracy for negative x too.
  static HWY_INLINE VF value(VF x) {
    const F32 d;
    const VF e = exp_f32(hn::Mul(hn::Set(d, -2.0f), inner(x)));
    return hn::Div(x, hn::Add(hn::Set(d, 1.0f), e));
  }
  // With s = 1/(1 + e^(-2u)): f' = s + x * 2 s (1 - s) * u'.
  static HWY_INLINE VF derivative(VF x) {
    const F32 d;
    const VF one = hn::Set(d, 1.0f);
    const VF e = exp_f32(hn::Mul(hn::Set(d, -2.0f), inner(x)));
    const VF s = hn::Div(one, hn::Add(one, e));
    const VF slope = hn::Mul(hn::Set(d, 2 * kRoot),
                             hn::MulAdd(hn::Set(d, 3 * kCubic), hn::Mul(x, x), one));
    return hn::MulAdd(hn::Mul(hn::Mul(x, s), hn::Sub(one, s)), slope, s);
  }
  static HWY_INLINE VF gradient(VF x, VF dy) { return hn::Mul(dy, derivative(x)); }
};

// Below 0 nothing; a NaN in x stays one in the value and lets dy through, as in PyTorch.
struct Relu {
  static HWY_INLINE VF value(VF x) { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(F32())), x); }
  static HWY_INLINE VF gradient(VF x, VF dy) {
    return hn::IfThenZeroElse(hn::Le(x, hn::Zero(F32())), dy);
  }
};

// With a = |x|: Phi(-a) = e^(-a^2/2) R(a), R(a) = erfcx(a / sqrt(2)) / 2, which falls from 1/2 as
// 1/a does.
struct Gelu {
  VF a, e, R;

  // R is a polynomial of degree 9 in w = (a - 3)/(a + 3), the best in relative error over 0 <= a <=
  // 13.25 (Lawson's iteration of weighted least squares on a Chebyshev basis, against SciPy's
  // erfcx; of the numbers in place of 3 in steps of 0.1 that one is the best): 7e-9, and 3e-8 with
  // its coefficients rounded. Beyond a = 13.22 the exponential is 0, so a stops at 14, infinity
  // too. Measured against double precision over all finite floats x, with and without fused
  // products: the value is off by at most 4e-8 + 2e-7 |value|, the derivative by 2e-7.
  static HWY_INLINE Gelu of(VF x) {
    const F32 d;
    const VF magnitude = hn::Abs(x), end = hn::Set(d, 14.0f), three = hn::Set(d, 3.0f);
    const VF a = hn::IfThenElse(hn::Gt(magnitude, end), end, magnitude);
    const VF w = hn::Div(hn::Sub(a, three), hn::Add(a, three));
    VF p = hn::Set(d, 5.4150845e-05f);
    p = hn::MulAdd(p, w, hn::Set(d, 1.1603737e-04f));
    p = hn::MulAdd(p, w, hn::Set(d, -3.3991132e-04f));
    p = hn::MulAdd(p, w, hn::Set(d, -9.841828e-04f));
    p = hn::MulAdd(p, w, hn::Set(d, 2.9047027e-03f));
    p = hn::MulAdd(p, w, hn::Set(d, 6.132183e-03f));
    p = hn::MulAdd(p, w, hn::Set(d, -4.6213314e-02f));
    p = hn::MulAdd(p, w, hn::Set(d, 1.2322502e-01f));
    p = hn::MulAdd(p, w, hn::Set(d, -2.0640261e-01f));
    p = hn::MulAdd(p, w, hn::Set(d, 1.2151395e-01f));
    return {a, exp_f32(hn::Mul(hn::Mul(a, a), hn::Set(d, -0.5f))), p};
  }
  // x Phi(x) = max(x, 0) - a Phi(-a).
  static HWY_INLINE VF value(VF x) {
    const Gelu g = of(x);
    return hn::NegMulAdd(g.a, hn::Mul(g.e, g.R), Relu::value(x));
  }
  // Phi(x) + x phi(x) is D = Phi(-a) - a phi(a) = e^(-a^2/2) (R(a) - a / sqrt(2 pi)) for negative x
  // and 1 - D for others.
  static HWY_INLINE VF gradient(VF x, VF dy) {
    const F32 d;
    const Gelu g = of(x);
    const VF D = hn::Mul(g.e, hn::NegMulAdd(g.a, hn::Set(d, 0.3989422804014327f), g.R));
    const VF derivative = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), D, hn::Sub(hn::Set(d, 1.0f), D));
    return hn::Mul(dy, derivative);
  }
};

struct Silu {
  static HWY_INLINE VF value(VF x) {
    return hn::Div(x, hn::Add(hn::Set(F32(), 1.0f), exp_f32(hn::Neg(x))));
  }
  // s (1 + x (1 - s)) with 1 - s = e^-x s, which does not cancel.
  static HWY_INLINE VF gradient(VF x, VF dy) {
    const VF one = hn::Set(F32(), 1.0f), e = exp_f32(hn::Neg(x)), s = hn::Div(one, hn::Add(one, e));
    return hn::Mul(dy, hn::MulAdd(hn::Mul(x, s), hn::Mul(e, s), s));
  }
};

template <typename Kind, typename T>
void values(const T* x, T* y, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(Kind::value(load(x + i)), y + i); },
      [&](size_t i, size_t n) { store_part(Kind::value(load_part(x + i, n)), y + i, n); });
}
template <typename Kind, typename T>
void gradients(const T* x, const T* dy, T* dx, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(Kind::gradient(load(x + i), load(dy + i)), dx + i); },
      [&](size_t i, size_t n) {
        store_part(Kind::gradient(load_part(x + i, n), load_part(dy + i, n)), dx + i, n);
      });
}
template <typename T>
void forward(Activation kind, const T* x, T* y, size_t count) {
  switch (kind) {
    case Activation::kGeluTanh: return values<GeluTanh>(x, y, count);
    case Activation::kGelu: return values<Gelu>(x, y, count);
    case Activation::kRelu: return values<Relu>(x, y, count);
    case Activation::kSilu: return values<Silu>(x, y, count);
  }
}
template <typename T>
void backward(Activation kind, const T* x, const T* dy, T* dx, size_t count) {
  switch (kind) {
    case Activation::kGeluTanh: return gradients<GeluTanh>(x, dy, dx, count);
    case Activation::kGelu: return gradients<Gelu>(x, dy, dx, count);
    case Activation::kRelu: return gradients<Relu>(x, dy, dx, count);
    case Activation::kSilu: return gradients<Silu>(x, dy, dx, count);
  }
}
void forward_f32(Activation kind, const float* x, float* y, size_t n) { forward(kind, x, y, n); }
void forward_bf16(Activation kind, const bf16* x, bf16* y, size_t n) { forward(kind, x, y, n); }
void backward_f32(Activation kind, const float* x, const float* dy, float* dx, size_t n) {
  backward(kind, x, dy, dx, n);
}
void backward_bf16(Activation kind, const bf16* x, const bf16* dy, bf16* dx, size_t n) {
  backward(kind, x, dy, dx, n);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);

void activation_forward(Context& context, const ActivationForward& op) {
  INK_CHECK(op.x.count() == op.y.count() && op.x.dtype == op.y.dtype, "activation: sizes or types");
  context.pool.parallel_for(op.x.count(), 1024, [&](int64_t i, int64_t end, int) {
    if (op.x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(forward_bf16)
      (op.kind, op.x.as<bf16>() + i, op.y.as<bf16>() + i, end - i);
    } else {
      HWY_DYNAMIC_DISPATCH(forward_f32)
      (op.kind, op.x.as<float>() + i, op.y.as<float>() + i, end - i);
    }
  });
}

void activation_backward(Context& context, const ActivationBackward& op) {
  INK_CHECK(op.x.count() == op.dy.count() && op.x.count() == op.dx.count(), "activation: sizes");
  INK_CHECK(op.x.dtype == op.dy.dtype && op.x.dtype == op.dx.dtype, "activation: types");
  context.pool.parallel_for(op.x.count(), 1024, [&](int64_t i, int64_t end, int) {
    if (op.x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(backward_bf16)
      (op.kind, op.x.as<bf16>() + i, op.dy.as<bf16>() + i, op.dx.as<bf16>() + i, end - i);
    } else {
      HWY_DYNAMIC_DISPATCH(backward_f32)
      (op.kind, op.x.as<float>() + i, op.dy.as<float>() + i, op.dx.as<float>() + i, end - i);
    }
  });
}

}  // namespace inkstone::cpu
#endif
