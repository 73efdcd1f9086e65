// Layer normalisation. Forward: reads x (and delta), writes the sum and y; two passes over a row in
// cache for mean and variance (one-pass variance has no correct digit where mean/deviation is
// large). Limited by memory. Backward: dx by rows; dweight and dbias in blocks of a fixed number of
// rows whose sums are added in order. Threads split rows or row blocks; sums do not depend on the
// number of threads.
#include <hwy/base.h>
#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

HWY_INLINE float sum_of(VF x) { return hn::GetLane(hn::SumOfLanes(F32(), x)); }

// s = x + delta into `sum` (or just x), and its mean.
template <typename T>
float add_and_mean(const float* x, const T* delta, float* sum, size_t C) {
  VF total = hn::Zero(F32());
  for_vectors(
      C,
      [&](size_t i) {
        const VF s = delta != nullptr ? hn::Add(load(x + i), load(delta + i)) : load(x + i);
        if (delta != nullptr) store(s, sum + i);
        total = hn::Add(total, s);
      },
      [&](size_t i, size_t n) {
        const VF s = delta != nullptr ? hn::Add(load_part(x + i, n), load_part(delta + i, n))
                                      : load_part(x + i, n);
        if (delta != nullptr) store_part(s, sum + i, n);
        total = hn::Add(total, s);
      });
  return sum_of(total) / static_cast<float>(C);
}

float variance(const float* s, float mean, size_t C) {
  const VF m = hn::Set(F32(), mean);
  VF total = hn::Zero(F32());
  const auto add_square = [&](VF x) {
    const VF e = hn::Sub(x, m);
    total = hn::MulAdd(e, e, total);
  };
  for_vectors(
      C, [&](size_t i) { add_square(load(s + i)); },
      [&](size_t i, size_t n) { add_square(load_part(s + i, n, mean)); });
  return sum_of(total) / static_cast<float>(C);
}

template <typename T>
void forward_rows(const LayerNormForward& op, int64_t begin, int64_t end) {
  const size_t C = op.x.shape.last();
  const float *weight = op.weight.as<float>(), *bias = op.bias ? op.bias.as<float>() : nullptr;
  for (int64_t n = begin; n < end; ++n) {
    const float* x = op.x.as<float>() + n * C;
    const T* delta = op.delta ? op.delta.as<T>() + n * C : nullptr;
    float* sum = op.delta ? op.sum.as<float>() + n * C : nullptr;
    const float mean = add_and_mean(x, delta, sum, C);
    const float* s = op.delta ? sum : x;
    const float rstd = 1.0f / std::sqrt(variance(s, mean, C) + op.epsilon);
    op.mean.as<float>()[n] = mean;
    op.rstd.as<float>()[n] = rstd;
    const VF m = hn::Set(F32(), mean), r = hn::Set(F32(), rstd);
    T* y = op.y.as<T>() + n * C;
    for_vectors(
        C,
        [&](size_t i) {
          const VF z = hn::Mul(hn::Sub(load(s + i), m), r), w = load(weight + i);
          store(bias != nullptr ? hn::MulAdd(z, w, load(bias + i)) : hn::Mul(z, w), y + i);
        },
        [&](size_t i, size_t k) {
          const VF z = hn::Mul(hn::Sub(load_part(s + i, k), m), r), w = load_part(weight + i, k);
          store_part(bias != nullptr ? hn::MulAdd(z, w, load_part(bias + i, k)) : hn::Mul(z, w),
                     y + i, k);
        });
  }
}
void forward_f32(const LayerNormForward& op, int64_t begin, int64_t end) {
  forward_rows<float>(op, begin, end);
}
void forward_bf16(const LayerNormForward& op, int64_t begin, int64_t end) {
  forward_rows<bf16>(op, begin, end);
}

// One row: dx += rstd (g - mean(g) - z mean(g z)) with g = dy * weight and z the normalised value;
// adds dy * z to the block's dweight and dy to its dbias, where there are such.
template <typename T>
void backward_row(const LayerNormBackward& op, int64_t n, float* dweight, float* dbias) {
  const size_t C = op.dx.shape.last();
  const float *s = op.sum.as<float>() + n * C, *weight = op.weight.as<float>();
  const T* dy = op.dy.as<T>() + n * C;
  float* dx = op.dx.as<float>() + n * C;
  const VF m = hn::Set(F32(), op.mean.as<float>()[n]), r = hn::Set(F32(), op.rstd.as<float>()[n]);
  VF sum_g = hn::Zero(F32()), sum_gz = sum_g;
  const auto first = [&](VF x, VF d, VF w) {  // returns z
    const VF z = hn::Mul(hn::Sub(x, m), r), g = hn::Mul(d, w);
    sum_g = hn::Add(sum_g, g);
    sum_gz = hn::MulAdd(g, z, sum_gz);
    return z;
  };
  for_vectors(
      C,
      [&](size_t i) {
        const VF d = load(dy + i), z = first(load(s + i), d, load(weight + i));
        if (dweight != nullptr) store(hn::MulAdd(d, z, load(dweight + i)), dweight + i);
        if (dbias != nullptr) store(hn::Add(load(dbias + i), d), dbias + i);
      },
      [&](size_t i, size_t k) {
        const VF d = load_part(dy + i, k),
                 z = first(load_part(s + i, k), d, load_part(weight + i, k));
        if (dweight != nullptr)
          store_part(hn::MulAdd(d, z, load_part(dweight + i, k)), dweight + i, k);
        if (dbias != nullptr) store_part(hn::Add(load_part(dbias + i, k), d), dbias + i, k);
      });
  const VF a = hn::Set(F32(), sum_of(sum_g) / static_cast<float>(C));
  const VF b = hn::Set(F32(), sum_of(sum_gz) / static_cast<float>(C));
  const auto second = [&](VF x, VF d, VF w, VF old) {
    const VF z = hn::Mul(hn::Sub(x, m), r);
    return hn::MulAdd(r, hn::NegMulAdd(z, b, hn::Sub(hn::Mul(d, w), a)), old);
  };
  for_vectors(
      C,
      [&](size_t i) {
        store(second(load(s + i), load(dy + i), load(weight + i), load(dx + i)), dx + i);
      },
      [&](size_t i, size_t k) {
        store_part(second(load_part(s + i, k), load_part(dy + i, k), load_part(weight + i, k),
                          load_part(dx + i, k)),
                   dx + i, k);
      });
}
void backward_rows_f32(const LayerNormBackward& op, int64_t begin, int64_t end, float* dw,
                       float* db) {
  for (int64_t n = begin; n < end; ++n) backward_row<float>(op, n, dw, db);
}
void backward_rows_bf16(const LayerNormBackward& op, int64_t begin, int64_t end, float* dw,
                        float* db) {
  for (int64_t n = begin; n < end; ++n) backward_row<bf16>(op, n, dw, db);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_rows_f32);
HWY_EXPORT(backward_rows_bf16);

void layer_norm_forward(Context& context, const LayerNormForward& op) {
  const int64_t C = op.x.shape.last(), N = op.x.count() / C;
  INK_CHECK(op.weight.count() == C && (!op.bias || op.bias.count() == C) && op.y.count() == N * C,
            "layer norm: sizes");
  INK_CHECK(op.mean.count() == N && op.rstd.count() == N, "layer norm: statistics");
  INK_CHECK(!op.delta || (op.delta.dtype == op.y.dtype && op.sum.count() == N * C),
            "layer norm: delta");
  context.pool.parallel_for(N, 1, [&](int64_t begin, int64_t end, int) {
    if (op.y.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(forward_bf16)(op, begin, end);
    } else {
      HWY_DYNAMIC_DISPATCH(forward_f32)(op, begin, end);
    }
  });
}

void layer_norm_backward(Context& context, const LayerNormBackward& op) {
  constexpr int64_t kBlockRows = 32;
  const int64_t C = op.dx.shape.last(), N = op.dx.count() / C,
                blocks = (N + kBlockRows - 1) / kBlockRows;
  INK_CHECK(op.dy.count() == N * C && op.sum.count() == N * C &&
                (!op.dweight || op.dweight.count() == C) && (!op.dbias || op.dbias.count() == C),
            "layer norm: sizes");
  const int64_t sums = (op.dweight ? 1 : 0) + (op.dbias ? 1 : 0);
  float* const partial = context.partial.take(blocks * sums * C);  // [blocks, sums, C]
  std::fill(partial, partial + blocks * sums * C, 0.0f);
  context.pool.parallel_for(blocks, 1, [&](int64_t first, int64_t last, int) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t begin = block * kBlockRows, end = std::min(N, begin + kBlockRows);
      float* const of_block = partial + block * sums * C;
      float *dw = op.dweight ? of_block : nullptr,
            *db = op.dbias ? of_block + (sums - 1) * C : nullptr;
      if (op.dy.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(backward_rows_bf16)(op, begin, end, dw, db);
      } else {
        HWY_DYNAMIC_DISPATCH(backward_rows_f32)(op, begin, end, dw, db);
      }
    }
  });
  const auto add_blocks = [&](const float* of_block, float* to) {
    for (int64_t c = 0; c < C; ++c) {
      float sum = op.accumulate ? to[c] : 0.0f;
      for (int64_t block = 0; block < blocks; ++block) sum += of_block[block * sums * C + c];
      to[c] = sum;
    }
  };
  if (op.dweight) add_blocks(partial, op.dweight.as<float>());
  if (op.dbias) add_blocks(partial + (sums - 1) * C, op.dbias.as<float>());
}

}  // namespace inkstone::cpu
#endif
