// What the two layouts of linear's float weights share: how K is summed.
#if defined(INKSTONE_KERNELS_CPU_LINEAR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#undef INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#else
#define INKSTONE_KERNELS_CPU_LINEAR_INL_H_
#endif

#include "kernels/backend.h"
#include "kernels/cpu/extensions.h"
#include "kernels/cpu/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

HWY_INLINE float to_f32(float x) { return x; }
HWY_INLINE float to_f32(bf16 x) { return to_float(x); }

// A lane adds one product at a time, in float32.
template <typename W>
struct Floats {
  using Weight = W;
  static constexpr int64_t kDepth = 1;  // of K, that a lane takes at once
  HWY_INLINE static VF add(VF w, VF x, VF sum) { return hn::MulAdd(w, x, sum); }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// A lane is two bf16, the bits of a float32, and adds two products at a time: vdpbf16ps, whose sums
// are float32 too. Denormal numbers count as zero in it. In assembly, for it belongs to an
// extension (AVX-512 BF16) that these functions' compiler options do not name: who calls makes sure
// that the machine has it.
struct Bf16Pairs {
  using Weight = bf16;
  static constexpr int64_t kDepth = 2;
  HWY_INLINE static VF add(VF w, VF x, VF sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
    return sum;
  }
};

// Pairs are what is multiplied: both are bf16, and K has no half pair.
HWY_INLINE bool takes_pairs(const Linear& op) {
  return extensions().avx512_bf16 && op.weight.type == WeightType::kBF16 &&
         op.x.dtype == DType::kBF16 && op.weight.in % Bf16Pairs::kDepth == 0;
}
#endif

// Into the second level of the cache: the first is full of what is multiplied.
HWY_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }
HWY_INLINE void prefetch_first(const void* p) { __builtin_prefetch(p, 0, 3); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
