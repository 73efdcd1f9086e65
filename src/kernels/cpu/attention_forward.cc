// Causal self-attention, forward: out = softmax(scale * Q K^T + mask) V per (batch, head).
//
// A task is one tile of 64 queries of one (batch, head): it meets the tiles of 64 keys up to the
// diagonal with a running maximum and sum (Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et
// al. 2022, arXiv:2205.14135), in powers of two: log2(e) is multiplied into the queries. 2 T^2 HS
// flops per head in register-blocked products (half of the square), T^2 / 2 powers; a task's
// scratch is six tiles (96 KB at HS = 64), so nothing but qkv and out moves through memory. Limit:
// arithmetic.
//
// Threads split the tasks, of all heads; the tiles of a head are taken in the order first, last,
// second, last but one,
// ..., so that ranges of equal length are about equal work. A task is computed by one thread in a
// fixed order: the same bits for every number of threads.
#include <hwy/base.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"
#include "kernels/dropout_hash.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_forward.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// What a tile of queries carries from one tile of keys to the next, per query, and its products'
// operands.
struct ForwardTiles {
  Tile query, result;    // [HS,kTile]; the result not yet divided by the sum
  Tile keys, values;     // [kTile,HS]
  Tile scores;           // [kTile keys,kTile queries]
  float *maximum, *sum;  // [kTile]

  static int64_t floats(const HeadShape& s) {
    return 4 * kTile * s.padded_HS + kTile * (kTile + 2);
  }
  ForwardTiles(const HeadShape& s, Scratch& scratch) {
    TileAllocator memory(scratch.take(floats(s)), floats(s));
    query = memory.take(s.padded_HS, kTile);
    result = memory.take(s.padded_HS, kTile);
    keys = memory.take(kTile, s.padded_HS);
    values = memory.take(kTile, s.padded_HS);
    scores = memory.take(kTile, kTile);
    maximum = memory.take(1, kTile).data;
    sum = memory.take(1, kTile).data;
  }
};

// One tile of keys.
struct KeyTile {
  int64_t begin, count;  // within the sequence
  bool diagonal;
};

// The largest of scores[0..count), four at a time.
HWY_INLINE VF column_maximum(const float* scores, int64_t count, VF start) {
  const VF lowest = hn::Set(F32(), kLowest);
  VF m[4] = {start, lowest, lowest, lowest};
  int64_t j = 0;
  for (; j + 4 <= count; j += 4) {
    for (int64_t u = 0; u < 4; ++u) m[u] = hn::Max(m[u], load(scores + (j + u) * kTile));
  }
  for (; j < count; ++j) m[0] = hn::Max(m[0], load(scores + j * kTile));
  return hn::Max(hn::Max(m[0], m[1]), hn::Max(m[2], m[3]));
}

// For the vector of queries at `column`: scores become 2^(score - maximum) with the new running
// maximum (dropped, if there is a dropout), and the running sum and the result follow.
void softmax_column(const ForwardTiles& t, const KeyTile& k, int64_t column, int64_t HS,
                    const TileDropout& dropout) {
  const F32 d;
  float* const scores = t.scores.data + column;
  const int64_t count = k.diagonal ? visible_keys(k.count, column) : k.count;
  if (k.diagonal) {
    for (int64_t j = column + 1; j < count; ++j) {
      store(hn::IfThenElse(before(column, j), hn::Set(d, kLowest), load(scores + j * kTile)),
            scores + j * kTile);
    }
  }
  const VF old = load(t.maximum + column), maximum = column_maximum(scores, count, old);
  const VF shrink = exp2_f32(hn::Sub(old, maximum));
  VF sum[2] = {hn::Mul(load(t.sum + column), shrink), hn::Zero(d)};
  for (int64_t j = 0; j < count; ++j) {
    const VF p = exp2_f32(hn::Sub(load(scores + j * kTile), maximum));
    sum[j % 2] = hn::Add(sum[j % 2], p);
    store(dropout.active() ? dropout.apply(p, column, k.begin + j) : p, scores + j * kTile);
  }
  store(maximum, t.maximum + column);
  store(hn::Add(sum[0], sum[1]), t.sum + column);
  if (k.begin == 0 || hn::AllTrue(d, hn::Eq(old, maximum))) return;
  for (int64_t e = 0; e < HS; ++e) {
    float* const r = t.result.data + e * kTile + column;
    store(hn::Mul(load(r), shrink), r);
  }
}

// Divides by the sums and writes out [rows,HS] and lse [rows].
template <typename T>
void finish(const ForwardTiles& t, int64_t rows, const HeadShape& s, T* out, float* lse) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  for (int64_t c = 0; c < rows; c += lanes) {
    const VF inverse = hn::Div(hn::Set(F32(), 1.0f), load(t.sum + c));
    for (int64_t e = 0; e < s.HS; ++e) {
      float* const r = t.result.data + e * kTile + c;
      store(hn::Mul(load(r), inverse), r);
    }
  }
  transpose_out(t.result, rows, s.HS, t.keys);
  unpack_rows(t.keys, rows, s.HS, 1.0f, out, s.C);
  for (int64_t i = 0; i < rows; ++i) lse[i] = (t.maximum[i] + std::log2(t.sum[i])) * kLn2;
}

// Queries [i0, i0 + kTile) of one (batch, head) pair.
template <typename T>
void forward_tile(const AttentionForward& op, int64_t pair, int64_t i0, Scratch& scratch) {
  const HeadShape s = head_shape(op.qkv.shape, op.heads);
  const int64_t b = pair / s.NH, h = pair % s.NH, rows = std::min(kTile, s.T - i0);
  const T* const q = op.qkv.as<T>() + b * s.T * 3 * s.C + h * s.HS;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32())),
                queries = (rows + lanes - 1) / lanes * lanes;
  const ForwardTiles t(s, scratch);
  const TileDropout dropout(op.dropout, pair * s.T + i0, rows);
  pack_rows(q + i0 * 3 * s.C, 3 * s.C, rows, s, t.keys);
  transpose_in(t.keys, rows, s.HS, op.scale * kLog2E, t.query);
  std::fill(t.maximum, t.maximum + kTile, kLowest);
  std::fill(t.sum, t.sum + kTile, 0.0f);
  for (int64_t j0 = 0; j0 <= i0; j0 += kTile) {
    const KeyTile k{j0, std::min(kTile, s.T - j0), j0 == i0};
    pack_rows(q + j0 * 3 * s.C + s.C, 3 * s.C, k.count, s, t.keys);
    pack_rows(q + j0 * 3 * s.C + 2 * s.C, 3 * s.C, k.count, s, t.values);
    score_product(t.keys, t.query, t.scores, k.count, queries, s.HS, k.diagonal);
    for (int64_t c = 0; c < queries; c += lanes) softmax_column(t, k, c, s.HS, dropout);
    value_product(t.values, t.scores, t.result, k.count, queries, s.HS, k.diagonal, j0 > 0);
  }
  finish(t, rows, s, op.out.as<T>() + (b * s.T + i0) * s.C + h * s.HS,
         op.lse.as<float>() + pair * s.T + i0);
}
void forward_tile_f32(const AttentionForward& op, int64_t pair, int64_t i0, Scratch& scratch) {
  forward_tile<float>(op, pair, i0, scratch);
}
void forward_tile_bf16(const AttentionForward& op, int64_t pair, int64_t i0, Scratch& scratch) {
  forward_tile<bf16>(op, pair, i0, scratch);
}
int64_t forward_tile_rows() { return kTile; }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(forward_tile_f32);
HWY_EXPORT(forward_tile_bf16);
HWY_EXPORT(forward_tile_rows);

void attention_forward(Context& context, const AttentionForward& op) {
  const int64_t B = op.qkv.shape[0], T = op.qkv.shape[1], C = op.qkv.shape[2] / 3;
  INK_CHECK(op.heads > 0 && C % op.heads == 0, "attention: heads");
  INK_CHECK(op.out.count() == B * T * C && op.lse.count() == B * op.heads * T, "attention: sizes");
  INK_CHECK(op.out.dtype == op.qkv.dtype, "attention: types");
  const int64_t rows = HWY_DYNAMIC_DISPATCH(forward_tile_rows)(), tiles = (T + rows - 1) / rows;
  context.pool.parallel_for(B * op.heads * tiles, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch& scratch = context.of_thread[thread];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pair = task / tiles, turn = task % tiles;
      const int64_t tile = turn % 2 == 0 ? turn / 2 : tiles - 1 - turn / 2;
      if (op.qkv.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(forward_tile_bf16)(op, pair, tile * rows, scratch);
      } else {
        HWY_DYNAMIC_DISPATCH(forward_tile_f32)(op, pair, tile * rows, scratch);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
