// Softmax cross-entropy: per row three passes over V logits in cache (maximum; sum of exponentials;
// gradient), about 25 flops per element for the exponentials. Threads split rows; every row by
// itself, in a fixed order.
#include <hwy/base.h>
#include <cmath>
#include <limits>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr float kLowest = -3.4028234e38f;

float row_maximum(const float* x, size_t V) {
  VF m = hn::Set(F32(), kLowest);
  for_vectors(
      V, [&](size_t i) { m = hn::Max(m, load(x + i)); },
      [&](size_t i, size_t n) { m = hn::Max(m, load_part(x + i, n, kLowest)); });
  return hn::GetLane(hn::MaxOfLanes(F32(), m));
}

// log(sum of e^(x - maximum)); the sum of a row is kept in blocks, added in double.
float row_log_sum(const float* x, float maximum, size_t V) {
  constexpr size_t kBlock = 4096;
  const VF m = hn::Set(F32(), maximum);
  double total = 0;
  for (size_t begin = 0; begin < V; begin += kBlock) {
    VF sum = hn::Zero(F32());
    for_vectors(
        HWY_MIN(kBlock, V - begin),
        [&](size_t i) { sum = hn::Add(sum, exp_f32(hn::Sub(load(x + begin + i), m))); },
        [&](size_t i, size_t n) {
          const VF e = exp_f32(hn::Sub(load_part(x + begin + i, n), m));
          sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(F32(), n), e));
        });
    total += hn::GetLane(hn::SumOfLanes(F32(), sum));
  }
  return static_cast<float>(std::log(total));
}

// The maximum is subtracted by itself: added to log_sum first, logits near 10^4 would cost the
// result four digits.
template <typename T>
void row_gradient(const float* x, float maximum, float log_sum, float scale, size_t V, T* dx) {
  const VF m = hn::Set(F32(), maximum), shift = hn::Set(F32(), log_sum),
           factor = hn::Set(F32(), scale);
  const auto gradient = [&](VF logits) {
    return hn::Mul(exp_f32(hn::Sub(hn::Sub(logits, m), shift)), factor);
  };
  for_vectors(
      V, [&](size_t i) { store(gradient(load(x + i)), dx + i); },
      [&](size_t i, size_t n) { store_part(gradient(load_part(x + i, n)), dx + i, n); });
}

HWY_INLINE void put(float* p, float x) { *p = x; }
HWY_INLINE void put(bf16* p, float x) { *p = to_bf16(x); }

template <typename T>
void one_row(const CrossEntropy& op, int64_t r, T* dx) {
  const size_t V = op.logits.shape.last();
  const float* x = op.logits.as<float>() + r * V;
  const int32_t target = op.targets.as<int32_t>()[r];
  op.losses.as<float>()[r] = 0;
  if (target < 0) {
    if (dx != nullptr) std::memset(static_cast<void*>(dx), 0, V * sizeof(T));
    return;
  }
  const float maximum = row_maximum(x, V), log_sum = row_log_sum(x, maximum, V);
  const float loss = log_sum - (x[target] - maximum);
  const float weight = op.weights ? op.weights.as<float>()[r] : 1.0f;
  op.losses.as<float>()[r] = weight * loss;
  if (dx == nullptr) return;
  const float scale = weight * op.gradient_scale;
  row_gradient(x, maximum, log_sum, scale, V, dx);
  put(dx + target, std::expm1(-loss) * scale);
}

void rows(const CrossEntropy& op, int64_t begin, int64_t end) {
  const int64_t V = op.logits.shape.last();
  for (int64_t r = begin; r < end; ++r) {
    if (op.dlogits && op.dlogits.dtype == DType::kBF16) {
      one_row(op, r, op.dlogits.as<bf16>() + r * V);
    } else {
      one_row(op, r, op.dlogits ? op.dlogits.as<float>() + r * V : nullptr);
    }
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(rows);

void cross_entropy(Context& context, const CrossEntropy& op) {
  const int64_t V = op.logits.shape.last(), R = op.logits.count() / V;
  INK_CHECK(op.targets.count() == R && op.losses.count() == R, "cross entropy: sizes");
  INK_CHECK(!op.dlogits || op.dlogits.count() == R * V, "cross entropy: gradient");
  INK_CHECK(!op.weights || op.weights.count() == R, "cross entropy: weights");
  for (int64_t r = 0; r < R; ++r)
    INK_CHECK(op.targets.as<int32_t>()[r] < V, "cross entropy: target beyond V");
  context.pool.parallel_for(R, 1, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(rows)(op, begin, end);
  });
}

}  // namespace inkstone::cpu
#endif
