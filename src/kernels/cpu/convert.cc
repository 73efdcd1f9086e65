// Conversion between f32 and bf16, whole tensors and rows with a stride: 6 bytes and no arithmetic
// per element, limited by memory. Split over threads; every element by itself, hence
// deterministic.
#include <hwy/base.h>

#include <cstring>

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

namespace {
void convert(DType from_dtype, const void* from, DType to_dtype, void* to, int64_t count) {
  if (from_dtype == to_dtype) {
    std::memcpy(to, from, count * size_bytes(to_dtype));
  } else if (to_dtype == DType::kBF16) {
    HWY_DYNAMIC_DISPATCH(to_bf16)(static_cast<const float*>(from), static_cast<bf16*>(to), count);
  } else {
    HWY_DYNAMIC_DISPATCH(to_f32)(static_cast<const bf16*>(from), static_cast<float*>(to), count);
  }
}
}  // namespace

void cast(Context& context, ConstView from, View to) {
  INK_CHECK(from.count() == to.count() && from.dtype != to.dtype, "cast: sizes or types");
  context.pool.parallel_for(from.count(), 4096, [&](int64_t begin, int64_t end, int) {
    convert(from.dtype, static_cast<const std::byte*>(from.data) + begin * size_bytes(from.dtype),
            to.dtype, static_cast<std::byte*>(to.data) + begin * size_bytes(to.dtype), end - begin);
  });
}

void copy_rows(Context& context, const RowCopy& op) {
  context.pool.parallel_for(op.rows, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      convert(
          op.from_dtype,
          static_cast<const std::byte*>(op.from) + r * op.from_stride * size_bytes(op.from_dtype),
          op.to_dtype, static_cast<std::byte*>(op.to) + r * op.to_stride * size_bytes(op.to_dtype),
          op.columns);
    }
  });
}

}  // namespace inkstone::cpu
#endif
