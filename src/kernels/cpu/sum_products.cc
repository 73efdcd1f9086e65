// out[j] (+)= scale[j] * sum over rows of x[n,j] y[n,j]: reads both once, two flops per element,
// limited by memory. Threads split the columns; a column is summed in the order of its rows
// whatever the number of threads.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sum_products.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// Of `columns` columns from `first` on.
template <typename T>
void product_columns(const SumProducts& op, size_t first, size_t columns) {
  const int64_t N = op.x.shape[0], M = op.x.shape[1];
  const T *x = op.x.as<T>() + first, *y = op.y.as<T>() + first;
  const float* scale = op.scale.as<float>() + first;
  float* out = op.out.as<float>() + first;
  const auto total = [&](size_t j, auto&& load_row) {
    VF sum = hn::Zero(F32());
    for (int64_t n = 0; n < N; ++n)
      sum = hn::MulAdd(load_row(x + n * M + j), load_row(y + n * M + j), sum);
    const VF scaled = hn::Mul(load_row(scale + j), sum);
    return op.accumulate ? hn::Add(load_row(out + j), scaled) : scaled;
  };
  for_vectors(
      columns, [&](size_t j) { store(total(j, [](const auto* p) { return load(p); }), out + j); },
      [&](size_t j, size_t n) {
        store_part(total(j, [n](const auto* p) { return load_part(p, n); }), out + j, n);
      });
}
void product_columns_f32(const SumProducts& op, size_t first, size_t columns) {
  product_columns<float>(op, first, columns);
}
void product_columns_bf16(const SumProducts& op, size_t first, size_t columns) {
  product_columns<bf16>(op, first, columns);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(product_columns_f32);
HWY_EXPORT(product_columns_bf16);

void sum_products(Context& context, const SumProducts& op) {
  const int64_t M = op.out.count();
  INK_CHECK(op.x.shape.rank() == 2 && op.x.shape[1] == M && op.y.shape == op.x.shape &&
                op.x.dtype == op.y.dtype && op.scale.count() == M,
            "sum products: sizes or types");
  context.pool.parallel_for(M, 64, [&](int64_t begin, int64_t end, int) {
    if (op.x.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(product_columns_bf16)(op, begin, end - begin);
    } else {
      HWY_DYNAMIC_DISPATCH(product_columns_f32)(op, begin, end - begin);
    }
  });
}

}  // namespace inkstone::cpu
#endif
