// What the two layouts of linear's float weights share.
#if defined(INKSTONE_KERNELS_CPU_LINEAR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#undef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#else
#define INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#endif

#include "kernels/cpu/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

HWY_INLINE float to_f32(float x) { return x; }
HWY_INLINE float to_f32(bf16 x) { return to_float(x); }

// Into the second level of the cache: the first is full of what is multiplied.
HWY_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
