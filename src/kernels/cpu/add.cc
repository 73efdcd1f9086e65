// x += delta: 10 to 12 bytes and one flop per element, limited by memory. Split evenly over
// threads; every element by itself, hence deterministic.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/add.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename T>
void add_range(float* x, const T* delta, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(hn::Add(load(x + i), load(delta + i)), x + i); },
      [&](size_t i, size_t n) {
        store_part(hn::Add(load_part(x + i, n), load_part(delta + i, n)), x + i, n);
      });
}
void add_f32(float* x, const float* delta, size_t count) { add_range(x, delta, count); }
void add_bf16(float* x, const bf16* delta, size_t count) { add_range(x, delta, count); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(add_f32);
HWY_EXPORT(add_bf16);

void add(Context& context, View x, ConstView delta) {
  INK_CHECK(x.count() == delta.count(), "add: sizes");
  context.pool.parallel_for(x.count(), 4096, [&](int64_t begin, int64_t end, int) {
    if (delta.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(add_bf16)(x.as<float>() + begin, delta.as<bf16>() + begin, end - begin);
    } else {
      HWY_DYNAMIC_DISPATCH(add_f32)(x.as<float>() + begin, delta.as<float>() + begin, end - begin);
    }
  });
}

}  // namespace inkstone::cpu
#endif
