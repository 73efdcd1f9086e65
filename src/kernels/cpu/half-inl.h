// Vectors of float16 as float32.
#if defined(INKSTONE_KERNELS_CPU_HALF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_HALF_INL_H_
#undef INKSTONE_KERNELS_CPU_HALF_INL_H_
#else
#define INKSTONE_KERNELS_CPU_HALF_INL_H_
#endif

#include "kernels/cpu/half.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// By the processor where it can; Highway 1.0.3 makes numbers of infinity and NaN where it cannot.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_INLINE VF load(const f16* p) {
  const hn::Rebind<hwy::float16_t, F32> d16;
  return hn::PromoteTo(F32(), hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(p)));
}
#else
HWY_INLINE VF load(const f16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const auto bits = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(d32, 0x8000u)));
  // The exponent's bias is 127 in place of 15.
  const VF x = hn::Mul(hn::BitCast(F32(), hn::ShiftLeft<13>(hn::And(bits, hn::Set(d32, 0x7FFFu)))),
                       hn::Set(F32(), 0x1p112f));
  const auto not_finite = hn::RebindMask(d32, hn::Ge(x, hn::Set(F32(), 65536.0f)));
  const auto exponent = hn::IfThenElseZero(not_finite, hn::Set(d32, 0x7F800000u));
  return hn::BitCast(F32(), hn::Or(hn::BitCast(d32, x), hn::Or(sign, exponent)));
}
#endif
// To nearest even, as to_f16.
HWY_INLINE void store(VF x, f16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const hn::RebindToSigned<F32> s32;
  const auto u = [d32](uint32_t bits) { return hn::Set(d32, bits); };
  const VF magnitude = hn::Abs(x);
  const auto bits = hn::BitCast(d32, magnitude);
  const auto sign = hn::ShiftRight<16>(hn::Xor(hn::BitCast(d32, x), bits));
  const auto odd = hn::And(hn::ShiftRight<13>(bits), u(1));
  const auto normal = hn::ShiftRight<13>(
      hn::Add(hn::Sub(bits, u((uint32_t{112} << 23) - 0xFFF)), odd));
  const auto small = hn::Sub(hn::BitCast(d32, hn::Add(magnitude, hn::Set(F32(), 0.5f))),
                             u(0x3F000000));
  const auto is_small = hn::RebindMask(d32, hn::Lt(magnitude, hn::Set(F32(), 0x1p-14f)));
  const auto is_large = hn::RebindMask(d32, hn::Ge(magnitude, hn::Set(F32(), 65520.0f)));
  auto half = hn::IfThenElse(is_small, small, normal);
  half = hn::IfThenElse(is_large, u(0x7C00), half);
  half = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(x)), u(0x7E00), half);
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(s32, hn::Or(half, sign))), d16,
             reinterpret_cast<uint16_t*>(p));
}

// The first n lanes; n < Lanes.
HWY_INLINE VF load_part(const f16* p, size_t n) {
  f16 buffer[HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(static_cast<void*>(buffer), p, n * sizeof(f16));
  return load(buffer);
}
HWY_INLINE void store_part(VF x, f16* p, size_t n) {
  f16 buffer[HWY_MAX_BYTES / sizeof(float)];
  store(x, buffer);
  std::memcpy(static_cast<void*>(p), buffer, n * sizeof(f16));
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
