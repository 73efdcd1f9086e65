// Self-attention, forward: out = softmax(scale * Q K^T + mask) V per (batch, head).
//
// A task is one tile of 64 queries of one (batch, head): it meets the tiles of 64 keys that its
// queries see with a running maximum and sum (Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et
// al. 2022, arXiv:2205.14135), in powers of two: log2(e) is multiplied into the queries. 2 T^2 HS
// flops per head in register-blocked products if causal (half of the square), T^2 / 2 powers; a
// task's
// scratch is six tiles (96 KB at HS = 64), so nothing but q, k, v and out moves through memory.
// Limit: arithmetic.
//
// Threads split the tasks, of all heads; the tiles of a head are taken in the order first, last,
// second, last but one,
// ..., so that ranges of equal length are about equal work. A task is computed by one thread in a
// fixed order: the same bits for every number of threads.
#include <hwy/base.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

  static int64_t floats(int64_t HS) { return 4 * kTile * padded(HS) + kTile * (kTile + 2); }
  ForwardTiles(int64_t HS, Scratch& scratch) {
    TileAllocator memory(scratch.take(floats(HS)), floats(HS));
    query = memory.take(padded(HS), kTile);
    result = memory.take(padded(HS), kTile);
    keys = memory.take(kTile, padded(HS));
    values = memory.take(kTile, padded(HS));
    scores = memory.take(kTile, kTile);
    maximum = memory.take(1, kTile).data;
    sum = memory.take(1, kTile).data;
  }
};

// The largest of the keys' scores and `start`, four at a time.
HWY_INLINE VF column_maximum(const float* scores, const KeyRange& keys, VF start) {
  const VF lowest = hn::Set(F32(), kLowest);
  VF m[4] = {start, lowest, lowest, lowest};
  int64_t j = keys.begin;
  for (; j + 4 <= keys.end; j += 4) {
    for (int64_t u = 0; u < 4; ++u) m[u] = hn::Max(m[u], load(scores + (j + u) * kTile));
  }
  for (; j < keys.end; ++j) m[0] = hn::Max(m[0], load(scores + j * kTile));
  return hn::Max(hn::Max(m[0], m[1]), hn::Max(m[2], m[3]));
}

// The scores of keys that a query does not see become minus infinity.
void hide(float* scores, const KeyTile& k, const KeyRange& keys, const SeenKeys& seen,
          int64_t column) {
  const VF nothing = hn::Set(F32(), -std::numeric_limits<float>::infinity());
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    if (seen.vector_sees(column, k.begin + j)) continue;
    float* const at = scores + j * kTile;
    store(hn::IfThenElse(seen.hidden(column, k.begin + j), nothing, load(at)), at);
  }
}

// For the vector of queries at `column`: scores become 2^(score - maximum) with the new running
// maximum (dropped, if there is a dropout), and the running sum and the result follow. A query that
// has seen no key yet keeps the lowest number as its maximum, 0 as its sum and its result.
void softmax_column(const ForwardTiles& t, const KeyTile& k, const SeenKeys& seen, int64_t column,
                    int64_t HS, const TileDropout& dropout) {
  const F32 d;
  float* const scores = t.scores.data + column;
  const KeyRange keys = keys_of_vector(k, column);
  if (!k.all_seen) hide(scores, k, keys, seen, column);
  const VF old = load(t.maximum + column);
  const VF maximum = column_maximum(scores, keys, old);
  const VF shrink = exp2_f32(hn::Sub(old, maximum));
  VF sum[2] = {hn::Mul(load(t.sum + column), shrink), hn::Zero(d)};
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    const VF p = exp2_f32(hn::Sub(load(scores + j * kTile), maximum));
    sum[j % 2] = hn::Add(sum[j % 2], p);
    store(dropout.active() ? dropout.apply(p, column, k.begin + j) : p, scores + j * kTile);
  }
  store(maximum, t.maximum + column);
  store(hn::Add(sum[0], sum[1]), t.sum + column);
  if (k.begin == seen.begin() || hn::AllTrue(d, hn::Eq(old, maximum))) return;
  for (int64_t e = 0; e < HS; ++e) {
    float* const r = t.result.data + e * kTile + column;
    store(hn::Mul(load(r), shrink), r);
  }
}

// Divides by the sums and writes out [rows,HS], whose rows lie `stride` apart, and lse [rows].
template <typename T>
void finish(const ForwardTiles& t, int64_t rows, int64_t HS, T* out, int64_t stride, float* lse) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  for (int64_t c = 0; c < rows; c += lanes) {
    const VF inverse = hn::Div(hn::Set(F32(), 1.0f), load(t.sum + c));
    for (int64_t e = 0; e < HS; ++e) {
      float* const r = t.result.data + e * kTile + c;
      store(hn::Mul(load(r), inverse), r);
    }
  }
  transpose_out(t.result, rows, HS, t.keys);
  unpack_rows(t.keys, rows, HS, 1.0f, out, stride);
  for (int64_t i = 0; i < rows; ++i) lse[i] = (t.maximum[i] + std::log2(t.sum[i])) * kLn2;
}

// Queries [i0, i0 + rows) of head h of sequence b, scaled; nothing seen so far.
template <typename T>
void begin_queries(const AttentionForward& op, const AttentionSizes& s, const ForwardTiles& t,
                   int64_t b, int64_t h, int64_t i0, int64_t rows) {
  pack_rows(op.q.at<T>(b * s.T + i0, h), op.q.row_stride, rows, s.HS, t.keys);
  transpose_in(t.keys, rows, s.HS, op.scale * kLog2E, t.query);
  std::fill(t.maximum, t.maximum + kTile, kLowest);
  std::fill(t.sum, t.sum + kTile, 0.0f);
}

// Queries [i0, i0 + kTile) of one (batch, head) pair.
template <typename T>
void forward_tile(const AttentionForward& op, const AttentionSizes& s, int64_t pair, int64_t i0,
                  Scratch& scratch) {
  const int64_t b = pair / s.NH, h = pair % s.NH, rows = std::min(kTile, s.T - i0);
  const ForwardTiles t(s.HS, scratch);
  const TileDropout dropout(op.dropout, pair * s.T + i0, rows);
  const SeenKeys seen(keys_of(op.first_keys, b * s.T), keys_of(op.last_keys, b * s.T), i0, rows);
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  begin_queries<T>(op, s, t, b, h, i0, rows);
  for (int64_t j0 = seen.begin(); j0 < seen.end(); j0 += kTile) {
    const KeyTile k = seen.tile(j0, s.T);
    if (k.strips == 0) continue;
    const int64_t row = b * s.T + j0, key_head = s.key_head(h);
    pack_rows(op.k.at<T>(row, key_head), op.k.row_stride, k.count, s.HS, t.keys);
    pack_rows(op.v.at<T>(row, key_head), op.v.row_stride, k.count, s.HS, t.values);
    score_product(t.keys, t.query, t.scores, k, s.HS);
    for (int64_t c = 0; c < rows; c += lanes) softmax_column(t, k, seen, c, s.HS, dropout);
    value_product(t.values, t.scores, t.result, k, s.HS, j0 > seen.begin());
  }
  finish(t, rows, s.HS, op.out.as<T>() + (b * s.T + i0) * s.C() + h * s.HS, s.C(),
         op.lse.as<float>() + pair * s.T + i0);
}
void forward_tile_f32(const AttentionForward& op, const AttentionSizes& s, int64_t pair, int64_t i0,
                      Scratch& scratch) {
  forward_tile<float>(op, s, pair, i0, scratch);
}
void forward_tile_bf16(const AttentionForward& op, const AttentionSizes& s, int64_t pair,
                       int64_t i0, Scratch& scratch) {
  forward_tile<bf16>(op, s, pair, i0, scratch);
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
  const AttentionSizes s = attention_sizes(op);
  const int64_t rows = HWY_DYNAMIC_DISPATCH(forward_tile_rows)(), tiles = (s.T + rows - 1) / rows;
  context.pool.parallel_for(s.B * s.NH * tiles, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch& scratch = context.of_thread[thread];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pair = task / tiles, turn = task % tiles;
      const int64_t tile = turn % 2 == 0 ? turn / 2 : tiles - 1 - turn / 2;
      if (op.out.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(forward_tile_bf16)(op, s, pair, tile * rows, scratch);
      } else {
        HWY_DYNAMIC_DISPATCH(forward_tile_f32)(op, s, pair, tile * rows, scratch);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
