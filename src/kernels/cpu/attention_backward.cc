// Causal self-attention, backward. Per (batch, head), with P = softmax(scale Q K^T + mask), M the
// dropout's mask (1 if none) and D[i] = sum_e dout[i,e] out[i,e]:
//   dP = (dout V^T) * M,  dS = P * (dP - D),
//   dV = (P * M)^T dout,  dQ = scale dS K,  dK = scale dS^T Q.
// P is computed again from the scores and the log-sum-exp that the forward pass left (Dao et al.
// 2022, arXiv:2205.14135, algorithm 4): 5 T^2 HS flops in register-blocked products (half of the
// square), T^2 / 2 powers. Scratch: twelve tiles and float32 sums of dK and dV of one head (2 T
// HS); limit: arithmetic.
//
// Threads split the (batch, head) pairs; a pair is computed by one thread, query tiles ascending
// and key tiles ascending within: the same bits for every number of threads.
#include <hwy/base.h>

#include <algorithm>

#include "kernels/cpu/operations.h"
#include "kernels/dropout_hash.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_backward.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// The scratch of one (batch, head) pair.
struct BackwardTiles {
  Tile dkeys, dvalues;  // [T,HS]; dkeys not yet scaled
  Tile keys, values;    // [kTile,HS]
  Tile query, dout;     // [kTile,HS]
  // [HS,kTile]; query_t scaled by scale * log2(e), dquery_t not yet scaled.
  Tile query_t, dout_t, dquery_t;
  Tile p, ds;      // [kTile keys,kTile queries]
  float *lse, *D;  // [kTile]; lse in powers of two

  static int64_t floats(const HeadShape& s) {
    return (2 * s.T + 7 * kTile) * s.padded_HS + kTile * (2 * kTile + 2);
  }
  BackwardTiles(const HeadShape& s, float* scratch) {
    TileAllocator memory(scratch, floats(s));
    dkeys = memory.take(s.T, s.padded_HS);
    dvalues = memory.take(s.T, s.padded_HS);
    keys = memory.take(kTile, s.padded_HS);
    values = memory.take(kTile, s.padded_HS);
    query = memory.take(kTile, s.padded_HS);
    dout = memory.take(kTile, s.padded_HS);
    query_t = memory.take(s.padded_HS, kTile);
    dout_t = memory.take(s.padded_HS, kTile);
    dquery_t = memory.take(s.padded_HS, kTile);
    p = memory.take(kTile, kTile);
    ds = memory.take(kTile, kTile);
    lse = memory.take(1, kTile).data;
    D = memory.take(1, kTile).data;
  }
};

// Which products a step concerns.
struct TilePair {
  int64_t i0, j0, rows, keys;  // of queries and of keys
  bool diagonal;
};

float dot(const float* x, const float* y, int64_t count) {
  VF sum = hn::Zero(F32());
  for_vectors(
      count, [&](size_t i) { sum = hn::MulAdd(load(x + i), load(y + i), sum); },
      [&](size_t i, size_t n) { sum = hn::MulAdd(load_part(x + i, n), load_part(y + i, n), sum); });
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

// Queries, gradients, log-sum-exp and D of rows [i0, i0 + rows).
template <typename T>
void load_queries(const AttentionBackward& op, const HeadShape& s, int64_t pair, int64_t i0,
                  int64_t rows, const BackwardTiles& t) {
  const int64_t b = pair / s.NH, h = pair % s.NH, at_out = (b * s.T + i0) * s.C + h * s.HS;
  pack_rows(op.qkv.as<T>() + (b * s.T + i0) * 3 * s.C + h * s.HS, 3 * s.C, rows, s, t.query);
  pack_rows(op.dout.as<T>() + at_out, s.C, rows, s, t.dout);
  pack_rows(op.out.as<T>() + at_out, s.C, rows, s, t.keys);
  transpose_in(t.query, rows, s.HS, op.scale * kLog2E, t.query_t);
  transpose_in(t.dout, rows, s.HS, 1.0f, t.dout_t);
  const float* const lse = op.lse.as<float>() + pair * s.T + i0;
  for (int64_t i = 0; i < kTile; ++i) {
    t.lse[i] = i < rows ? lse[i] * kLog2E : 0.0f;
    t.D[i] = i < rows ? dot(t.dout.data + i * s.padded_HS, t.keys.data + i * s.padded_HS, s.HS)
                      : 0.0f;
  }
}

// For the vector of queries at `column`: on entry p holds scores and ds holds dout V^T; on return p
// holds P * M and ds holds dS.
void softmax_backward_column(const BackwardTiles& t, const TilePair& k, int64_t column,
                             const TileDropout& dropout) {
  const VF lse = load(t.lse + column), D = load(t.D + column);
  const int64_t count = k.diagonal ? visible_keys(k.keys, column) : k.keys;
  for (int64_t j = 0; j < count; ++j) {
    float *const at_p = t.p.data + j * kTile + column, *const at_ds = t.ds.data + j * kTile +
                                                                      column;
    VF p = exp2_f32(hn::Sub(load(at_p), lse)), dp = load(at_ds), kept = p;
    if (dropout.active()) {
      dp = dropout.apply(dp, column, k.j0 + j);
      kept = dropout.apply(p, column, k.j0 + j);
    }
    VF ds = hn::Mul(p, hn::Sub(dp, D));
    if (k.diagonal && j > column) {
      const auto hidden = before(column, j);
      kept = hn::IfThenZeroElse(hidden, kept);
      ds = hn::IfThenZeroElse(hidden, ds);
    }
    store(kept, at_p);
    store(ds, at_ds);
  }
}

// to[keys,HS] (+)= s[keys,queries] * from[queries,HS]. The diagonal tile is the first that a tile
// of keys meets: it overwrites.
void gradient_product(const Tile& s, const Tile& from, const Tile& to, const TilePair& k,
                      int64_t HS) {
  if (!k.diagonal) return product<false>({s, from, at(to, k.j0, 0), k.keys, HS, k.rows, true});
  for (int64_t j = 0; j < k.keys; j += kStrip) {
    product<false>({at(s, j, j), at(from, j, 0), at(to, k.j0 + j, 0), std::min(kStrip, k.keys - j),
                    HS, k.rows - j, false});
  }
}

void backward_step(const BackwardTiles& t, const TilePair& k, int64_t HS,
                   const TileDropout& dropout) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32())),
                queries = (k.rows + lanes - 1) / lanes * lanes;
  score_product(t.keys, t.query_t, t.p, k.keys, queries, HS, k.diagonal);
  score_product(t.values, t.dout_t, t.ds, k.keys, queries, HS, k.diagonal);
  for (int64_t c = 0; c < queries; c += lanes) softmax_backward_column(t, k, c, dropout);
  gradient_product(t.p, t.dout, t.dvalues, k, HS);
  gradient_product(t.ds, t.query, t.dkeys, k, HS);
  value_product(t.keys, t.ds, t.dquery_t, k.keys, queries, HS, k.diagonal, k.j0 > 0);
}

template <typename T>
void backward_pair(const AttentionBackward& op, int64_t pair, float* scratch) {
  const HeadShape s = head_shape(op.qkv.shape, op.heads);
  const int64_t head = pair / s.NH * s.T * 3 * s.C + pair % s.NH * s.HS, stride = 3 * s.C;
  const T* const keys = op.qkv.as<T>() + head + s.C;
  T* const dqkv = op.dqkv.as<T>() + head;
  const BackwardTiles t(s, scratch);
  for (int64_t i0 = 0; i0 < s.T; i0 += kTile) {
    const int64_t rows = std::min(kTile, s.T - i0);
    load_queries<T>(op, s, pair, i0, rows, t);
    const TileDropout dropout(op.dropout, pair * s.T + i0, rows);
    for (int64_t j0 = 0; j0 <= i0; j0 += kTile) {
      const TilePair k{i0, j0, rows, std::min(kTile, s.T - j0), j0 == i0};
      pack_rows(keys + j0 * stride, stride, k.keys, s, t.keys);
      pack_rows(keys + j0 * stride + s.C, stride, k.keys, s, t.values);
      backward_step(t, k, s.HS, dropout);
    }
    transpose_out(t.dquery_t, rows, s.HS, t.query);
    unpack_rows(t.query, rows, s.HS, op.scale, dqkv + i0 * stride, stride);
  }
  unpack_rows(t.dkeys, s.T, s.HS, op.scale, dqkv + s.C, stride);
  unpack_rows(t.dvalues, s.T, s.HS, 1.0f, dqkv + 2 * s.C, stride);
}
void backward_pair_f32(const AttentionBackward& op, int64_t pair, float* scratch) {
  backward_pair<float>(op, pair, scratch);
}
void backward_pair_bf16(const AttentionBackward& op, int64_t pair, float* scratch) {
  backward_pair<bf16>(op, pair, scratch);
}
int64_t backward_pair_floats(const Shape& qkv, int64_t heads) {
  return BackwardTiles::floats(head_shape(qkv, heads));
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(backward_pair_f32);
HWY_EXPORT(backward_pair_bf16);
HWY_EXPORT(backward_pair_floats);

int64_t attention_backward_scratch_floats(const Context& context, const Shape& qkv, int64_t heads) {
  return checked_product(context.pool.threads(),
                         HWY_DYNAMIC_DISPATCH(backward_pair_floats)(qkv, heads));
}

void attention_backward(Context& context, const AttentionBackward& op) {
  const int64_t B = op.qkv.shape[0], T = op.qkv.shape[1], C = op.qkv.shape[2] / 3;
  INK_CHECK(op.heads > 0 && C % op.heads == 0, "attention: heads");
  INK_CHECK(op.dqkv.count() == op.qkv.count() && op.dout.count() == B * T * C &&
                op.out.count() == B * T * C && op.lse.count() == B * op.heads * T,
            "attention: sizes");
  INK_CHECK(op.dqkv.dtype == op.qkv.dtype && op.dout.dtype == op.qkv.dtype &&
                op.out.dtype == op.qkv.dtype,
            "attention: types");
  const int64_t floats = HWY_DYNAMIC_DISPATCH(backward_pair_floats)(op.qkv.shape, op.heads);
  INK_CHECK(op.scratch.count() >= context.pool.threads() * floats, "attention: scratch");
  context.pool.parallel_for(B * op.heads, 1, [&](int64_t begin, int64_t end, int thread) {
    float* const scratch = op.scratch.as<float>() + thread * floats;
    for (int64_t pair = begin; pair < end; ++pair) {
      if (op.qkv.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(backward_pair_bf16)(op, pair, scratch);
      } else {
        HWY_DYNAMIC_DISPATCH(backward_pair_f32)(op, pair, scratch);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
