// y[n,j] = x[n,j] * scale[j] + bias[j]: reads and writes each element once, limited by memory.
// Threads split rows; every element by itself, hence deterministic.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/scale_columns.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename T>
void scale_row(const T* x, const float* scale, const float* bias, T* y, size_t M) {
  for_vectors(
      M,
      [&](size_t j) {
        const VF product = hn::Mul(load(x + j), load(scale + j));
        store(bias != nullptr ? hn::Add(product, load(bias + j)) : product, y + j);
      },
      [&](size_t j, size_t n) {
        const VF product = hn::Mul(load_part(x + j, n), load_part(scale + j, n));
        store_part(bias != nullptr ? hn::Add(product, load_part(bias + j, n)) : product, y + j, n);
      });
}
void scale_row_f32(const float* x, const float* scale, const float* bias, float* y, size_t M) {
  scale_row(x, scale, bias, y, M);
}
void scale_row_bf16(const bf16* x, const float* scale, const float* bias, bf16* y, size_t M) {
  scale_row(x, scale, bias, y, M);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(scale_row_f32);
HWY_EXPORT(scale_row_bf16);

void scale_columns(Context& context, const ScaleColumns& op) {
  const int64_t N = op.x.shape[0], M = op.x.shape[1];
  INK_CHECK(op.x.shape.rank() == 2 && op.y.count() == N * M && op.y.dtype == op.x.dtype &&
                op.scale.count() == M && (!op.bias || op.bias.count() == M),
            "scale columns: sizes or types");
  const float *scale = op.scale.as<float>(), *bias = op.bias ? op.bias.as<float>() : nullptr;
  context.pool.parallel_for(N, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (op.x.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(scale_row_bf16)
        (op.x.as<bf16>() + n * M, scale, bias, op.y.as<bf16>() + n * M, M);
      } else {
        HWY_DYNAMIC_DISPATCH(scale_row_f32)
        (op.x.as<float>() + n * M, scale, bias, op.y.as<float>() + n * M, M);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
