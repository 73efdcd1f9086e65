// Self-attention, backward. Per (batch, head), with P = softmax(scale Q K^T + mask), M the
// dropout's mask (1 if none) and D[i] = sum_e dout[i,e] out[i,e]:
//   dP = (dout V^T) * M,  dS = P * (dP - D),
//   dV = (P * M)^T dout,  dQ = scale dS K,  dK = scale dS^T Q.
// P is computed again from the scores and the log-sum-exp that the forward pass left (Dao et al.
// 2022, arXiv:2205.14135, algorithm 4): 5 T^2 HS flops in register-blocked products if causal (half
// of the square), T^2 / 2 powers. Scratch: twelve tiles and float32 sums of dK and dV of one head
// (2 T HS); limit: arithmetic.
//
// Threads split the (batch, key head) pairs; a pair is computed by one thread, the query heads that
// share its keys ascending, query tiles ascending within and key tiles within these: the same bits
// for every number of threads.
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

// Sums of dK, not yet scaled, and dV of one (batch, key head) pair, [T,HS]. The first `begun` rows
// have a value.
struct KeySums {
  Tile dkeys, dvalues;
  int64_t begun = 0;

  // Rows before `end` that have no value yet become 0.
  void begin_with_zeros(int64_t end) {
    for (const Tile& sum : {dkeys, dvalues}) {
      if (begun < end) std::fill(at(sum, begun, 0).data, at(sum, end, 0).data, 0.0f);
    }
    begun = std::max(begun, end);
  }
  // Whether products add to the rows of a tile of keys, or give them their first value.
  bool accumulate(const KeyTile& k) {
    if (k.begin < begun) return true;
    begin_with_zeros(k.begin);
    if (!k.all_in_strips()) begin_with_zeros(k.begin + k.count);
    const bool has_values = begun > k.begin;
    begun = k.begin + k.count;
    return has_values;
  }
};

// The scratch of one (batch, key head) pair.
struct BackwardTiles {
  KeySums sums;
  Tile keys, values;  // [kTile,HS]
  Tile query, dout;   // [kTile,HS]
  // [HS,kTile]; query_t scaled by scale * log2(e), dquery_t not yet scaled.
  Tile query_t, dout_t, dquery_t;
  Tile p, ds;      // [kTile keys,kTile queries]
  float *lse, *D;  // [kTile]; lse in powers of two

  static int64_t floats(int64_t T, int64_t HS) {
    return (2 * T + 7 * kTile) * padded(HS) + kTile * (2 * kTile + 2);
  }
  BackwardTiles(int64_t T, int64_t HS, float* scratch) {
    TileAllocator memory(scratch, floats(T, HS));
    sums.dkeys = memory.take(T, padded(HS));
    sums.dvalues = memory.take(T, padded(HS));
    keys = memory.take(kTile, padded(HS));
    values = memory.take(kTile, padded(HS));
    query = memory.take(kTile, padded(HS));
    dout = memory.take(kTile, padded(HS));
    query_t = memory.take(padded(HS), kTile);
    dout_t = memory.take(padded(HS), kTile);
    dquery_t = memory.take(padded(HS), kTile);
    p = memory.take(kTile, kTile);
    ds = memory.take(kTile, kTile);
    lse = memory.take(1, kTile).data;
    D = memory.take(1, kTile).data;
  }
};

float dot(const float* x, const float* y, int64_t count) {
  VF sum = hn::Zero(F32());
  for_vectors(
      count, [&](size_t i) { sum = hn::MulAdd(load(x + i), load(y + i), sum); },
      [&](size_t i, size_t n) { sum = hn::MulAdd(load_part(x + i, n), load_part(y + i, n), sum); });
  return hn::GetLane(hn::SumOfLanes(F32(), sum));
}

// One tile of queries: [i0, i0 + rows) of head h of sequence b.
struct QueryTile {
  int64_t b, h, i0, rows;
};

// Its queries, gradients, log-sum-exp and D.
template <typename T>
void load_queries(const AttentionBackward& op, const AttentionSizes& s, const QueryTile& q,
                  const BackwardTiles& t) {
  const int64_t row = q.b * s.T + q.i0, at_out = row * s.C() + q.h * s.HS;
  pack_rows(op.q.at<T>(row, q.h), op.q.row_stride, q.rows, s.HS, t.query);
  pack_rows(op.dout.as<T>() + at_out, s.C(), q.rows, s.HS, t.dout);
  pack_rows(op.out.as<T>() + at_out, s.C(), q.rows, s.HS, t.keys);
  transpose_in(t.query, q.rows, s.HS, op.scale * kLog2E, t.query_t);
  transpose_in(t.dout, q.rows, s.HS, 1.0f, t.dout_t);
  const float* const lse = op.lse.as<float>() + (q.b * s.NH + q.h) * s.T + q.i0;
  for (int64_t i = 0; i < kTile; ++i) {
    t.lse[i] = i < q.rows ? lse[i] * kLog2E : 0.0f;
    t.D[i] = i < q.rows
                 ? dot(t.dout.data + i * t.dout.stride, t.keys.data + i * t.keys.stride, s.HS)
                 : 0.0f;
  }
}

// For the vector of queries at `column`: on entry p holds scores and ds holds dout V^T; on return p
// holds P * M and ds holds dS.
void softmax_backward_column(const BackwardTiles& t, const KeyTile& k, const SeenKeys& seen,
                             int64_t column, const TileDropout& dropout) {
  const VF lse = load(t.lse + column), D = load(t.D + column);
  const KeyRange keys = keys_of_vector(k, column);
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    const int64_t key = k.begin + j, at = j * kTile + column;
    VF p = exp2_f32(hn::Sub(load(t.p.data + at), lse)), dp = load(t.ds.data + at), kept = p;
    if (dropout.active()) {
      dp = dropout.apply(dp, column, key);
      kept = dropout.apply(p, column, key);
    }
    VF ds = hn::Mul(p, hn::Sub(dp, D));
    if (!k.all_seen && !seen.vector_sees(column, key)) {
      const auto hidden = seen.hidden(column, key);
      kept = hn::IfThenZeroElse(hidden, kept);
      ds = hn::IfThenZeroElse(hidden, ds);
    }
    store(kept, t.p.data + at);
    store(ds, t.ds.data + at);
  }
}

// to[keys,HS] (+)= s[keys,queries] * from[queries,HS], without the lanes behind the last query.
void gradient_product(const Tile& s, const Tile& from, const Tile& to, const KeyTile& k,
                      int64_t rows, int64_t HS, bool accumulate) {
  for (int64_t i = 0; i < k.strips; ++i) {
    const Strip& p = k.strip[i];
    product<false>({at(s, p.key, p.query), at(from, p.query, 0), at(to, k.begin + p.key, 0), p.keys,
                    HS, std::min(p.queries, rows - p.query), accumulate});
  }
}

void backward_step(BackwardTiles& t, const KeyTile& k, const SeenKeys& seen, int64_t rows,
                   int64_t HS, const TileDropout& dropout) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  score_product(t.keys, t.query_t, t.p, k, HS);
  score_product(t.values, t.dout_t, t.ds, k, HS);
  for (int64_t c = 0; c < rows; c += lanes) softmax_backward_column(t, k, seen, c, dropout);
  const bool accumulate = t.sums.accumulate(k);
  gradient_product(t.p, t.dout, t.sums.dvalues, k, rows, HS, accumulate);
  gradient_product(t.ds, t.query, t.sums.dkeys, k, rows, HS, accumulate);
  value_product(t.keys, t.ds, t.dquery_t, k, HS, k.begin > seen.begin());
}

// What a tile of queries adds to the sums, and its dq.
template <typename T>
void backward_queries(const AttentionBackward& op, const AttentionSizes& s, const QueryTile& q,
                      BackwardTiles& t) {
  load_queries<T>(op, s, q, t);
  const TileDropout dropout(op.dropout, (q.b * s.NH + q.h) * s.T + q.i0, q.rows);
  const SeenKeys seen(keys_of(op.first_keys, q.b * s.T), keys_of(op.last_keys, q.b * s.T), q.i0,
                      q.rows);
  for (int64_t j0 = seen.begin(); j0 < seen.end(); j0 += kTile) {
    const KeyTile k = seen.tile(j0, s.T);
    if (k.strips == 0) continue;
    const int64_t row = q.b * s.T + j0, key_head = s.key_head(q.h);
    pack_rows(op.k.at<T>(row, key_head), op.k.row_stride, k.count, s.HS, t.keys);
    pack_rows(op.v.at<T>(row, key_head), op.v.row_stride, k.count, s.HS, t.values);
    backward_step(t, k, seen, q.rows, s.HS, dropout);
  }
  transpose_out(t.dquery_t, q.rows, s.HS, t.query);
  unpack_rows(t.query, q.rows, s.HS, op.scale, op.dq.at<T>(q.b * s.T + q.i0, q.h),
              op.dq.row_stride);
}

template <typename T>
void backward_pair(const AttentionBackward& op, const AttentionSizes& s, int64_t pair,
                   float* scratch) {
  const int64_t b = pair / s.KVH, key_head = pair % s.KVH, group = s.NH / s.KVH;
  BackwardTiles t(s.T, s.HS, scratch);
  for (int64_t h = key_head * group; h < (key_head + 1) * group; ++h) {
    for (int64_t i0 = 0; i0 < s.T; i0 += kTile) {
      backward_queries<T>(op, s, {b, h, i0, std::min(kTile, s.T - i0)}, t);
    }
  }
  t.sums.begin_with_zeros(s.T);
  unpack_rows(t.sums.dkeys, s.T, s.HS, op.scale, op.dk.at<T>(b * s.T, key_head), op.dk.row_stride);
  unpack_rows(t.sums.dvalues, s.T, s.HS, 1.0f, op.dv.at<T>(b * s.T, key_head), op.dv.row_stride);
}
void backward_pair_f32(const AttentionBackward& op, const AttentionSizes& s, int64_t pair,
                       float* scratch) {
  backward_pair<float>(op, s, pair, scratch);
}
void backward_pair_bf16(const AttentionBackward& op, const AttentionSizes& s, int64_t pair,
                        float* scratch) {
  backward_pair<bf16>(op, s, pair, scratch);
}
int64_t backward_pair_floats(int64_t T, int64_t HS) { return BackwardTiles::floats(T, HS); }

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(backward_pair_f32);
HWY_EXPORT(backward_pair_bf16);
HWY_EXPORT(backward_pair_floats);

int64_t attention_backward_scratch_floats(const Context& context, int64_t T, int64_t HS) {
  return checked_product(context.pool.threads(), HWY_DYNAMIC_DISPATCH(backward_pair_floats)(T, HS));
}

void attention_backward(Context& context, const AttentionBackward& op) {
  const AttentionSizes s = attention_sizes(op);
  const int64_t floats = HWY_DYNAMIC_DISPATCH(backward_pair_floats)(s.T, s.HS);
  INK_CHECK(op.scratch.count() >= context.pool.threads() * floats, "attention: scratch");
  context.pool.parallel_for(s.B * s.KVH, 1, [&](int64_t begin, int64_t end, int thread) {
    float* const scratch = op.scratch.as<float>() + thread * floats;
    for (int64_t pair = begin; pair < end; ++pair) {
      if (op.out.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(backward_pair_bf16)(op, s, pair, scratch);
      } else {
        HWY_DYNAMIC_DISPATCH(backward_pair_f32)(op, s, pair, scratch);
      }
    }
  });
}

}  // namespace inkstone::cpu
#endif
