// What the two layouts of linear's float weights share: loads of every type as float32.
#if defined(INKSTONE_KERNELS_CPU_LINEAR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#undef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#else
#define INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#endif

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// IEEE half precision, as files hold it.
struct f16 {
  uint16_t bits;
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
HWY_INLINE VF load(const f16* p) {
  const hn::Rebind<hwy::float16_t, F32> half;
  return hn::PromoteTo(F32(), hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(p)));
}
#else
// Without an instruction for it: the bits of exponent and fraction, shifted to float32's places,
// are the number times 2^-112, of subnormals too; infinity and NaN get float32's exponent.
HWY_INLINE VF load(const f16* p) {
  const hn::Rebind<uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> d32;
  const hn::RebindToSigned<F32> s32;
  const auto bits = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(d32, 0x7FFFu)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(d32, 0x8000u)));
  const VF finite = hn::Mul(hn::BitCast(F32(), magnitude), hn::Set(F32(), 0x1p112f));
  const auto special = hn::Gt(hn::BitCast(s32, magnitude), hn::Set(s32, 0x0F7FFFFF));
  const auto raised = hn::Or(hn::BitCast(s32, magnitude), hn::Set(s32, 0x7F800000));
  const auto value = hn::IfThenElse(special, raised, hn::BitCast(s32, finite));
  return hn::BitCast(F32(), hn::Or(hn::BitCast(d32, value), sign));
}
#endif

HWY_INLINE float to_f32(float x) { return x; }
HWY_INLINE float to_f32(bf16 x) { return to_float(x); }

// Into the second level of the cache: the first is full of what is multiplied.
HWY_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
