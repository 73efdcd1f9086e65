// Loads, stores and functions that several kernels share, compiled once per instruction set.
// Include it inside a kernel file after highway.h (no include guard across targets, as Highway
// asks).
#if defined(INKSTONE_KERNELS_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_SIMD_INL_H_
#undef INKSTONE_KERNELS_CPU_SIMD_INL_H_
#else
#define INKSTONE_KERNELS_CPU_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF = hn::Vec<F32>;

// Full vectors of activations as float32.
HWY_INLINE VF load(const float* p) { return hn::LoadU(F32(), p); }
HWY_INLINE VF load(const bf16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const auto half = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(d32, half)));
}

HWY_INLINE void store(VF x, float* p) { hn::StoreU(x, F32(), p); }
// To nearest even; a NaN stays a NaN.
HWY_INLINE void store(VF x, bf16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const hn::RebindToSigned<F32> s32;
  const auto quiet = hn::BitCast(F32(), hn::Set(d32, 0x7FC00000u));
  const auto bits = hn::BitCast(d32, hn::IfThenElse(hn::IsNaN(x), quiet, x));
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7FFFu))));
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(s32, rounded)), d16, reinterpret_cast<uint16_t*>(p));
}

// The first n lanes, the others `fill`; n < Lanes.
template <typename T>
HWY_INLINE VF load_part(const T* p, size_t n, float fill = 0) {
  T buffer[HWY_MAX_BYTES / sizeof(float)];
  std::memset(static_cast<void*>(buffer), 0, sizeof buffer);
  std::memcpy(static_cast<void*>(buffer), p, n * sizeof(T));
  const VF x = load(buffer);
  return fill == 0 ? x : hn::IfThenElse(hn::FirstN(F32(), n), x, hn::Set(F32(), fill));
}
template <typename T>
HWY_INLINE void store_part(VF x, T* p, size_t n) {
  T buffer[HWY_MAX_BYTES / sizeof(float)];
  store(x, buffer);
  std::memcpy(static_cast<void*>(p), buffer, n * sizeof(T));
}

// Calls full(i) for every whole vector of [0, count) and part(i, n) for the rest.
template <typename Full, typename Part>
HWY_INLINE void for_vectors(size_t count, Full&& full, Part&& part) {
  const size_t lanes = hn::Lanes(F32());
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) full(i);
  if (i < count) part(i, count - i);
}

// e^x by Cody-Waite reduction and a polynomial of degree 6 (coefficients: Taylor's, the interval is
// [-ln2/2, ln2/2], the remainder below 2e-8 relative); 0 below -87.3, e^88.37 above 88.37; a NaN
// stays a NaN, for which the bounds are selected: minimum and maximum treat a NaN as each target
// likes.
HWY_INLINE VF exp_f32(VF x) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  const VF low = hn::Set(d, -87.33654f), high = hn::Set(d, 88.37f);
  const auto underflow = hn::Lt(x, low);
  x = hn::IfThenElse(hn::Gt(x, high), high, hn::IfThenElse(underflow, low, x));
  const VF n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504088896341f)));
  VF r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  VF p = hn::Set(d, 1.0f / 5040);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 720));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 120));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 24));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 6));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::NearestInt(n), hn::Set(di, 127)));
  return hn::IfThenZeroElse(underflow, hn::Mul(p, hn::BitCast(d, exponent)));
}

// tanh(u) = (1 - q) / (1 + q) with q = e^(-2|u|); near 0, where that cancels, an odd polynomial.
HWY_INLINE VF tanh_f32(VF u) {
  const F32 d;
  const VF one = hn::Set(d, 1.0f);
  const VF a = hn::Abs(u);
  const VF q = exp_f32(hn::Mul(hn::Set(d, -2.0f), a));
  const VF far = hn::Div(hn::Sub(one, q), hn::Add(one, q));
  // u - u^3/3 + 2u^5/15 - 17u^7/315 + 62u^9/2835 - 1382u^11/155925: below |u| = 0.25 the next term
  // is under 1e-9 u.
  const VF s = hn::Mul(a, a);
  VF p = hn::Set(d, -1382.0f / 155925);
  p = hn::MulAdd(p, s, hn::Set(d, 62.0f / 2835));
  p = hn::MulAdd(p, s, hn::Set(d, -17.0f / 315));
  p = hn::MulAdd(p, s, hn::Set(d, 2.0f / 15));
  p = hn::MulAdd(p, s, hn::Set(d, -1.0f / 3));
  const VF near = hn::MulAdd(hn::Mul(p, s), a, a);
  return hn::CopySign(hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.25f)), near, far), u);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
