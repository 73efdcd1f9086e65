// Attention of single rows over a cache: reads n keys and n values of HS channels per head, 4 n HS
// flops: limited by memory. Threads split (row, head) pairs; each pair is computed by one thread in
// a fixed order, so a row's result depends on that row and its slot alone.
#include <hwy/base.h>
#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_cached.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename T>
HWY_INLINE float dot(const float* a, const T* b, size_t count) {
  VF sum = hn::Zero(F32());
  for_vectors(
      count, [&](size_t i) { sum = hn::MulAdd(load(a + i), load(b + i), sum); },
      [&](size_t i, size_t n) { sum = hn::MulAdd(load_part(a + i, n), load_part(b + i, n), sum); });
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

// scores[n] becomes e^(scores - maximum); returns their sum.
float exponentials(float* scores, size_t count) {
  constexpr float kLowest = -3.4028234e38f;
  VF maximum = hn::Set(F32(), kLowest);
  for_vectors(
      count, [&](size_t i) { maximum = hn::Max(maximum, load(scores + i)); },
      [&](size_t i, size_t n) { maximum = hn::Max(maximum, load_part(scores + i, n, kLowest)); });
  const VF m = hn::Set(F32(), hn::GetLane(hn::MaxOfLanes(F32(), maximum)));
  VF sum = hn::Zero(F32());
  for_vectors(
      count,
      [&](size_t i) {
        const VF e = exp_f32(hn::Sub(load(scores + i), m));
        store(e, scores + i);
        sum = hn::Add(sum, e);
      },
      [&](size_t i, size_t n) {
        const VF e = hn::IfThenElseZero(hn::FirstN(F32(), n),
                                        exp_f32(hn::Sub(load_part(scores + i, n), m)));
        store_part(e, scores + i, n);
        sum = hn::Add(sum, e);
      });
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

// q [HS] of one head over `count` cached positions; scratch holds 2 HS + count floats.
template <typename T>
void one_head(const T* q, const T* keys, const T* values, size_t count, size_t HS, float scale,
              T* out, float* scratch) {
  float *query = scratch, *sum = scratch + HS, *scores = scratch + 2 * HS;
  for_vectors(
      HS, [&](size_t i) { store(hn::Mul(load(q + i), hn::Set(F32(), scale)), query + i); },
      [&](size_t i, size_t n) {
        store_part(hn::Mul(load_part(q + i, n), hn::Set(F32(), scale)), query + i, n);
      });
  for (size_t t = 0; t < count; ++t) scores[t] = dot(query, keys + t * HS, HS);
  const float inverse = 1.0f / exponentials(scores, count);
  std::fill(sum, sum + HS, 0.0f);
  for (size_t t = 0; t < count; ++t) {
    const VF p = hn::Set(F32(), scores[t]);
    const T* v = values + t * HS;
    for_vectors(
        HS, [&](size_t i) { store(hn::MulAdd(p, load(v + i), load(sum + i)), sum + i); },
        [&](size_t i, size_t n) {
          store_part(hn::MulAdd(p, load_part(v + i, n), load_part(sum + i, n)), sum + i, n);
        });
  }
  for_vectors(
      HS, [&](size_t i) { store(hn::Mul(load(sum + i), hn::Set(F32(), inverse)), out + i); },
      [&](size_t i, size_t n) {
        store_part(hn::Mul(load_part(sum + i, n), hn::Set(F32(), inverse)), out + i, n);
      });
}
void head_f32(const float* q, const float* k, const float* v, size_t count, size_t HS, float scale,
              float* out, float* scratch) {
  one_head(q, k, v, count, HS, scale, out, scratch);
}
void head_bf16(const bf16* q, const bf16* k, const bf16* v, size_t count, size_t HS, float scale,
               bf16* out, float* scratch) {
  one_head(q, k, v, count, HS, scale, out, scratch);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(head_f32);
HWY_EXPORT(head_bf16);

void cache_store(const CacheStore& op) {
  const int64_t R = op.qkv.shape[0], C = op.qkv.shape[1] / 3;
  const int64_t S = op.keys.shape[0], NH = op.keys.shape[1], T = op.keys.shape[2],
                HS = op.keys.shape[3];
  const int64_t element = size_bytes(op.qkv.dtype), head_bytes = HS * element;
  INK_CHECK(op.keys.dtype == op.qkv.dtype && op.values.dtype == op.qkv.dtype && NH * HS == C,
            "cache: types or sizes");
  const int32_t *slots = op.slots.as<int32_t>(), *positions = op.positions.as<int32_t>();
  for (int64_t r = 0; r < R; ++r) {
    INK_CHECK(slots[r] >= 0 && slots[r] < S && positions[r] >= 0 && positions[r] < T,
              "cache: index");
    const auto* row = static_cast<const std::byte*>(op.qkv.data) + r * 3 * C * element;
    for (int64_t h = 0; h < NH; ++h) {
      const int64_t at = ((slots[r] * NH + h) * T + positions[r]) * head_bytes;
      std::memcpy(static_cast<std::byte*>(op.keys.data) + at, row + C * element + h * head_bytes,
                  head_bytes);
      std::memcpy(static_cast<std::byte*>(op.values.data) + at,
                  row + 2 * C * element + h * head_bytes, head_bytes);
    }
  }
}

void attention_cached(Context& context, const AttentionCached& op) {
  cache_store({op.qkv, op.slots, op.positions, op.keys, op.values});
  const int64_t R = op.qkv.shape[0], C = op.qkv.shape[1] / 3;
  const int64_t NH = op.keys.shape[1], T = op.keys.shape[2], HS = op.keys.shape[3];
  const int32_t *slots = op.slots.as<int32_t>(), *positions = op.positions.as<int32_t>();
  context.pool.parallel_for(R * NH, 1, [&](int64_t begin, int64_t end, int thread) {
    float* const scratch = context.of_thread[thread].take(2 * HS + T);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / NH, h = i % NH, cache = (slots[r] * NH + h) * T * HS,
                    count = positions[r] + 1;
      const int64_t query = r * 3 * C + h * HS, out = r * C + h * HS;
      if (op.qkv.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(head_bf16)
        (op.qkv.as<bf16>() + query, op.keys.as<bf16>() + cache, op.values.as<bf16>() + cache, count,
         HS, op.scale, op.out.as<bf16>() + out, scratch);
      } else {
        HWY_DYNAMIC_DISPATCH(head_f32)
        (op.qkv.as<float>() + query, op.keys.as<float>() + cache, op.values.as<float>() + cache,
         count, HS, op.scale, op.out.as<float>() + out, scratch);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
