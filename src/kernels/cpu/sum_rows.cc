// out[N] (+)= sum over rows of x[M,N]: reads x once, one flop per element, limited by memory.
// Threads split the columns; a column is summed in the order of its rows whatever the number of
// threads.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sum_rows.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename T>
void sum_columns(const T* x, int64_t rows, int64_t stride, size_t columns, bool accumulate,
                 float* out) {
  const auto total = [&](size_t c, auto&& load_row) {
    VF even = accumulate ? load_row(out + c) : hn::Zero(F32()), odd = hn::Zero(F32());
    int64_t m = 0;
    for (; m + 1 < rows; m += 2) {
      even = hn::Add(even, load_row(x + m * stride + c));
      odd = hn::Add(odd, load_row(x + (m + 1) * stride + c));
    }
    if (m < rows) even = hn::Add(even, load_row(x + m * stride + c));
    return hn::Add(even, odd);
  };
  for_vectors(
      columns, [&](size_t c) { store(total(c, [](const auto* p) { return load(p); }), out + c); },
      [&](size_t c, size_t n) {
        store_part(total(c, [n](const auto* p) { return load_part(p, n); }), out + c, n);
      });
}
void sum_columns_f32(const float* x, int64_t rows, int64_t stride, size_t columns, bool accumulate,
                     float* out) {
  sum_columns(x, rows, stride, columns, accumulate, out);
}
void sum_columns_bf16(const bf16* x, int64_t rows, int64_t stride, size_t columns, bool accumulate,
                      float* out) {
  sum_columns(x, rows, stride, columns, accumulate, out);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(sum_columns_f32);
HWY_EXPORT(sum_columns_bf16);

void sum_rows(Context& context, ConstView x, View out, bool accumulate) {
  INK_CHECK(x.shape.rank() == 2 && x.shape[1] == out.count(), "sum_rows: sizes");
  const int64_t rows = x.shape[0], width = x.shape[1];
  context.pool.parallel_for(width, 64, [&](int64_t begin, int64_t end, int) {
    float* to = out.as<float>() + begin;
    if (x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(sum_columns_bf16)
      (x.as<bf16>() + begin, rows, width, end - begin, accumulate, to);
    } else {
      HWY_DYNAMIC_DISPATCH(sum_columns_f32)
      (x.as<float>() + begin, rows, width, end - begin, accumulate, to);
    }
  });
}

}  // namespace inkstone::cpu
#endif
