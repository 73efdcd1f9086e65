// Conversion between f32 and bf16: 6 bytes and no arithmetic per element, limited by memory. Split evenly over
// threads; every element by itself, hence deterministic.
#include <hwy/base.h>

#include "base/threads.h"
#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convert.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename From, typename To>
void convert_range(const From* from, To* to, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(load(from + i), to + i); },
      [&](size_t i, size_t n) { store_part(load_part(from + i, n), to + i, n); });
}
void to_bf16(const float* from, bf16* to, size_t count) { convert_range(from, to, count); }
void to_f32(const bf16* from, float* to, size_t count) { convert_range(from, to, count); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(to_bf16);
HWY_EXPORT(to_f32);

void cast(ConstView from, View to) {
  INK_CHECK(from.count() == to.count() && from.dtype != to.dtype, "cast: sizes or types");
  parallel_for(from.count(), 4096, [&](int64_t begin, int64_t end, int) {
    if (to.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(to_bf16)(from.as<float>() + begin, to.as<bf16>() + begin, end - begin);
    } else {
      HWY_DYNAMIC_DISPATCH(to_f32)(from.as<bf16>() + begin, to.as<float>() + begin, end - begin);
    }
  });
}

}  // namespace inkstone::cpu
#endif
