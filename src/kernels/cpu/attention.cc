// Causal self-attention, forward and backward, for training and for prompts.
//
// A (batch, head) pair is one task: its keys and values are packed as float32 once, then 32 queries at a time
// meet all keys up to the diagonal: 2 T^2 HS flops forward and 5 T^2 HS backward per pair in register-blocked
// products over scratch that stays in the second-level cache (8 T HS to 16 T HS bytes). No more than 32 x T scores
// exist per thread. Threads split the pairs; each pair is computed in a fixed order, so the result is the same
// bits for every number of threads.
#include <hwy/base.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.h"
#include "kernels/cpu/operations.h"
#include "kernels/dropout_hash.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/tile_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr int64_t kTileRows = 32;

// Sizes of one call and of one (batch, head) pair.
struct HeadShape {
  int64_t T, HS, C, NH;
  int64_t padded_T, padded_HS;
};

HeadShape make_shape(const Shape& qkv, int64_t heads) {
  const int64_t C = qkv[2] / 3, T = qkv[1], HS = C / heads;
  return {T, HS, C, heads, padded(T), padded(HS)};
}

// Hands out zeroed pieces of a thread's scratch memory, which is kept between calls.
class Scratch {
 public:
  explicit Scratch(int64_t count) {
    static thread_local std::vector<float> memory;
    if (memory.size() < static_cast<size_t>(count)) memory.resize(count);
    std::fill(memory.begin(), memory.begin() + count, 0.0f);
    next_ = memory.data();
  }
  Tile take(int64_t rows, int64_t stride) {
    float* data = next_;
    next_ += rows * stride;
    return {data, stride};
  }

 private:
  float* next_;
};

// to[t,:] = from[t * row_stride ...], `count` rows of HS elements, times `scale`.
template <typename T>
void pack_rows(const T* from, int64_t row_stride, int64_t count, int64_t HS, float scale, const Tile& to) {
  const VF s = hn::Set(F32(), scale);
  for (int64_t t = 0; t < count; ++t) {
    const T* p = from + t * row_stride;
    float* q = to.data + t * to.stride;
    for_vectors(
        HS, [&](size_t i) { store(hn::Mul(load(p + i), s), q + i); },
        [&](size_t i, size_t n) { store_part(hn::Mul(load_part(p + i, n), s), q + i, n); });
  }
}

// to[e,t] = from[t,e].
void transpose(const Tile& from, int64_t rows, int64_t columns, const Tile& to) {
  constexpr int64_t kBlock = 16;
  for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t end = std::min(rows, r0 + kBlock);
      for (int64_t r = r0; r < end; ++r) to.data[c * to.stride + r] = from.data[r * from.stride + c];
    }
  }
}

// to[t * row_stride ...] = from[t,:] * (row_scale ? row_scale[t] : scale).
template <typename T>
void unpack_rows(const Tile& from, int64_t count, int64_t HS, float scale, const float* row_scale, T* to,
                 int64_t row_stride) {
  for (int64_t t = 0; t < count; ++t) {
    const VF s = hn::Set(F32(), row_scale != nullptr ? row_scale[t] : scale);
    const float* p = from.data + t * from.stride;
    T* q = to + t * row_stride;
    for_vectors(
        HS, [&](size_t i) { store(hn::Mul(load(p + i), s), q + i); },
        [&](size_t i, size_t n) { store_part(hn::Mul(load_part(p + i, n), s), q + i, n); });
  }
}

// scores[0..count) becomes e^(score - maximum), the rest up to `width` 0. Returns log-sum-exp; `inverse` is 1 / sum.
float softmax_row(float* scores, int64_t count, int64_t width, float& inverse) {
  constexpr float kLowest = -3.4028234e38f;
  VF maximum = hn::Set(F32(), kLowest), sum = hn::Zero(F32());
  for_vectors(
      count, [&](size_t i) { maximum = hn::Max(maximum, load(scores + i)); },
      [&](size_t i, size_t n) { maximum = hn::Max(maximum, load_part(scores + i, n, kLowest)); });
  const float largest = hn::GetLane(hn::MaxOfLanes(F32(), maximum));
  const VF m = hn::Set(F32(), largest);
  for_vectors(
      count,
      [&](size_t i) {
        const VF e = exp_f32(hn::Sub(load(scores + i), m));
        store(e, scores + i);
        sum = hn::Add(sum, e);
      },
      [&](size_t i, size_t n) {
        const VF e = hn::IfThenElseZero(hn::FirstN(F32(), n), exp_f32(hn::Sub(load_part(scores + i, n), m)));
        store_part(e, scores + i, n);
        sum = hn::Add(sum, e);
      });
  std::fill(scores + count, scores + width, 0.0f);
  const float total = hn::GetLane(hn::SumOfLanes(F32(), sum));
  inverse = 1.0f / total;
  return largest + std::log(total);
}

// x[0..count) through the dropout of attention row `row`.
void drop_row(float* x, int64_t count, const DropoutMask& mask, uint64_t row) {
  const DropoutRow keys = dropout_row(mask, row);
  const uint32_t threshold = dropout_threshold(mask.rate);
  const float scale = 1.0f / (1.0f - mask.rate);
  for_vectors(
      count,
      [&](size_t i) { store(drop(load(x + i), keys, static_cast<uint32_t>(i), threshold, scale), x + i); },
      [&](size_t i, size_t n) {
        store_part(drop(load_part(x + i, n), keys, static_cast<uint32_t>(i), threshold, scale), x + i, n);
      });
}

template <typename T>
void forward_pair(const AttentionForward& op, int64_t pair) {
  const HeadShape s = make_shape(op.qkv.shape, op.heads);
  const int64_t b = pair / s.NH, h = pair % s.NH;
  const T* q = op.qkv.as<T>() + b * s.T * 3 * s.C + h * s.HS;
  T* out = op.out.as<T>() + b * s.T * s.C + h * s.HS;
  float* lse = op.lse.as<float>() + pair * s.T;
  Scratch scratch(s.padded_HS * s.padded_T + 2 * s.padded_T * s.padded_HS + kTileRows * (2 * s.padded_HS + s.padded_T));
  const Tile keys = scratch.take(s.padded_T, s.padded_HS), values = scratch.take(s.padded_T, s.padded_HS);
  const Tile keys_t = scratch.take(s.padded_HS, s.padded_T), query = scratch.take(kTileRows, s.padded_HS);
  const Tile result = scratch.take(kTileRows, s.padded_HS), scores = scratch.take(kTileRows, s.padded_T);
  pack_rows(q + s.C, 3 * s.C, s.T, s.HS, 1.0f, keys);
  pack_rows(q + 2 * s.C, 3 * s.C, s.T, s.HS, 1.0f, values);
  transpose(keys, s.T, s.HS, keys_t);
  for (int64_t i0 = 0; i0 < s.T; i0 += kTileRows) {
    const int64_t rows = std::min(kTileRows, s.T - i0), columns = i0 + rows;
    float inverse[kTileRows];
    pack_rows(q + i0 * 3 * s.C, 3 * s.C, rows, s.HS, op.scale, query);
    product<false>(query, keys_t, scores, rows, columns, s.HS, false);
    for (int64_t r = 0; r < rows; ++r) {
      float* row = scores.data + r * scores.stride;
      lse[i0 + r] = softmax_row(row, i0 + r + 1, columns, inverse[r]);
      if (op.dropout.rate > 0) drop_row(row, i0 + r + 1, op.dropout, pair * s.T + i0 + r);
    }
    product<false>(scores, values, result, rows, s.HS, columns, false);
    unpack_rows(result, rows, s.HS, 1.0f, inverse, out + i0 * s.C, s.C);
  }
}
void forward_pair_f32(const AttentionForward& op, int64_t pair) { forward_pair<float>(op, pair); }
void forward_pair_bf16(const AttentionForward& op, int64_t pair) { forward_pair<bf16>(op, pair); }

// One row of the backward pass. On entry s = scores, dp = d(out) V^T; on return s = dropped probabilities (for dV) and
// dp = d(scores) = p * (dp * mask - D).
void backward_row(float* s, float* dp, int64_t count, int64_t width, float lse, float D, const DropoutMask& mask,
                  uint64_t row) {
  const VF shift = hn::Set(F32(), lse), vd = hn::Set(F32(), D);
  if (mask.rate > 0) drop_row(dp, count, mask, row);
  for_vectors(
      count,
      [&](size_t i) {
        const VF p = exp_f32(hn::Sub(load(s + i), shift));
        store(p, s + i);
        store(hn::Mul(p, hn::Sub(load(dp + i), vd)), dp + i);
      },
      [&](size_t i, size_t n) {
        const VF p = exp_f32(hn::Sub(load_part(s + i, n), shift));
        store_part(p, s + i, n);
        store_part(hn::Mul(p, hn::Sub(load_part(dp + i, n), vd)), dp + i, n);
      });
  if (mask.rate > 0) drop_row(s, count, mask, row);
  std::fill(s + count, s + width, 0.0f);
  std::fill(dp + count, dp + width, 0.0f);
}

float dot_row(const Tile& a, const Tile& b, int64_t r, int64_t HS) {
  VF sum = hn::Zero(F32());
  const float *x = a.data + r * a.stride, *y = b.data + r * b.stride;
  for_vectors(
      HS, [&](size_t i) { sum = hn::MulAdd(load(x + i), load(y + i), sum); },
      [&](size_t i, size_t n) { sum = hn::MulAdd(load_part(x + i, n), load_part(y + i, n), sum); });
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

// The scratch of one pair's backward pass.
struct BackwardTiles {
  Tile keys, keys_t, values_t, dkeys, dvalues;  // [T,HS], [HS,T], [HS,T], [T,HS], [T,HS]
  Tile query, dquery, dout, out;                // [kTileRows,HS]
  Tile scores, dscores;                         // [kTileRows,T]

  explicit BackwardTiles(const HeadShape& s) {
    Scratch scratch(5 * s.padded_T * s.padded_HS + kTileRows * (4 * s.padded_HS + 2 * s.padded_T));
    keys = scratch.take(s.padded_T, s.padded_HS);
    keys_t = scratch.take(s.padded_HS, s.padded_T);
    values_t = scratch.take(s.padded_HS, s.padded_T);
    dkeys = scratch.take(s.padded_T, s.padded_HS);
    dvalues = scratch.take(s.padded_T, s.padded_HS);
    query = scratch.take(kTileRows, s.padded_HS);
    dquery = scratch.take(kTileRows, s.padded_HS);
    dout = scratch.take(kTileRows, s.padded_HS);
    out = scratch.take(kTileRows, s.padded_HS);
    scores = scratch.take(kTileRows, s.padded_T);
    dscores = scratch.take(kTileRows, s.padded_T);
  }
};

template <typename T>
void backward_pair(const AttentionBackward& op, int64_t pair) {
  const HeadShape s = make_shape(op.qkv.shape, op.heads);
  const int64_t b = pair / s.NH, h = pair % s.NH;
  const T* q = op.qkv.as<T>() + b * s.T * 3 * s.C + h * s.HS;
  T* dq = op.dqkv.as<T>() + b * s.T * 3 * s.C + h * s.HS;
  const int64_t at = b * s.T * s.C + h * s.HS;
  const float* lse = op.lse.as<float>() + pair * s.T;
  const BackwardTiles t(s);
  pack_rows(q + 2 * s.C, 3 * s.C, s.T, s.HS, 1.0f, t.keys);  // the values, transposed, then overwritten
  transpose(t.keys, s.T, s.HS, t.values_t);
  pack_rows(q + s.C, 3 * s.C, s.T, s.HS, 1.0f, t.keys);
  transpose(t.keys, s.T, s.HS, t.keys_t);
  for (int64_t i0 = 0; i0 < s.T; i0 += kTileRows) {
    const int64_t rows = std::min(kTileRows, s.T - i0), columns = i0 + rows;
    pack_rows(q + i0 * 3 * s.C, 3 * s.C, rows, s.HS, op.scale, t.query);
    pack_rows(op.dout.as<T>() + at + i0 * s.C, s.C, rows, s.HS, 1.0f, t.dout);
    pack_rows(op.out.as<T>() + at + i0 * s.C, s.C, rows, s.HS, 1.0f, t.out);
    product<false>(t.query, t.keys_t, t.scores, rows, columns, s.HS, false);
    product<false>(t.dout, t.values_t, t.dscores, rows, columns, s.HS, false);
    for (int64_t r = 0; r < rows; ++r) {
      backward_row(t.scores.data + r * t.scores.stride, t.dscores.data + r * t.dscores.stride, i0 + r + 1, columns,
                   lse[i0 + r], dot_row(t.dout, t.out, r, s.HS), op.dropout, pair * s.T + i0 + r);
    }
    product<true>(t.scores, t.dout, t.dvalues, columns, s.HS, rows, true);
    product<true>(t.dscores, t.query, t.dkeys, columns, s.HS, rows, true);
    product<false>(t.dscores, t.keys, t.dquery, rows, s.HS, columns, false);
    unpack_rows(t.dquery, rows, s.HS, op.scale, nullptr, dq + i0 * 3 * s.C, 3 * s.C);
  }
  unpack_rows(t.dkeys, s.T, s.HS, 1.0f, nullptr, dq + s.C, 3 * s.C);
  unpack_rows(t.dvalues, s.T, s.HS, 1.0f, nullptr, dq + 2 * s.C, 3 * s.C);
}
void backward_pair_f32(const AttentionBackward& op, int64_t pair) { backward_pair<float>(op, pair); }
void backward_pair_bf16(const AttentionBackward& op, int64_t pair) { backward_pair<bf16>(op, pair); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(forward_pair_f32);
HWY_EXPORT(forward_pair_bf16);
HWY_EXPORT(backward_pair_f32);
HWY_EXPORT(backward_pair_bf16);

void attention_forward(const AttentionForward& op) {
  const int64_t B = op.qkv.shape[0], T = op.qkv.shape[1], C = op.qkv.shape[2] / 3;
  INK_CHECK(C % op.heads == 0 && op.out.count() == B * T * C && op.lse.count() == B * op.heads * T, "attention: sizes");
  INK_CHECK(op.out.dtype == op.qkv.dtype, "attention: types");
  parallel_for(B * op.heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t pair = begin; pair < end; ++pair) {
      if (op.qkv.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(forward_pair_bf16)(op, pair);
      } else {
        HWY_DYNAMIC_DISPATCH(forward_pair_f32)(op, pair);
      }
    }
  });
}

void attention_backward(const AttentionBackward& op) {
  const int64_t B = op.qkv.shape[0], T = op.qkv.shape[1], C = op.qkv.shape[2] / 3;
  INK_CHECK(op.dqkv.count() == op.qkv.count() && op.dout.count() == B * T * C && op.out.count() == B * T * C &&
                op.lse.count() == B * op.heads * T,
            "attention: sizes");
  parallel_for(B * op.heads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t pair = begin; pair < end; ++pair) {
      if (op.qkv.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(backward_pair_bf16)(op, pair);
      } else {
        HWY_DYNAMIC_DISPATCH(backward_pair_f32)(op, pair);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
