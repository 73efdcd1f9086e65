// Dropout in place: reads and writes each element once and hashes its index (about 15 integer
// operations). Split over threads; every element by itself, hence deterministic.
#include <hwy/base.h>
#include <algorithm>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dropout.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename T>
void drop_range(T* x, const DropoutMask& mask, uint64_t begin, uint64_t end) {
  const uint32_t threshold = dropout_threshold(mask.rate);
  const float scale = 1.0f / (1.0f - mask.rate);
  while (begin < end) {  // a row has 2^32 columns
    const uint64_t row_end = std::min(end, ((begin >> 32) + 1) << 32);
    const DropoutRow row = dropout_row(mask, begin >> 32);
    const auto first = static_cast<uint32_t>(begin);
    T* p = x + begin;
    for_vectors(
        row_end - begin,
        [&](size_t i) {
          store(drop(load(p + i), row, first + static_cast<uint32_t>(i), threshold, scale), p + i);
        },
        [&](size_t i, size_t n) {
          store_part(
              drop(load_part(p + i, n), row, first + static_cast<uint32_t>(i), threshold, scale),
              p + i, n);
        });
    begin = row_end;
  }
}
void drop_f32(float* x, const DropoutMask& mask, uint64_t begin, uint64_t end) {
  drop_range(x, mask, begin, end);
}
void drop_bf16(bf16* x, const DropoutMask& mask, uint64_t begin, uint64_t end) {
  drop_range(x, mask, begin, end);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(drop_f32);
HWY_EXPORT(drop_bf16);

void dropout(Context& context, View x, const DropoutMask& mask) {
  INK_CHECK(mask.rate >= 0 && mask.rate < 1, "dropout: rate");
  if (mask.rate == 0) return;
  context.pool.parallel_for(x.count(), 1024, [&](int64_t begin, int64_t end, int) {
    if (x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(drop_bf16)(x.as<bf16>(), mask, begin, end);
    } else {
      HWY_DYNAMIC_DISPATCH(drop_f32)(x.as<float>(), mask, begin, end);
    }
  });
}

}  // namespace inkstone::cpu
#endif
