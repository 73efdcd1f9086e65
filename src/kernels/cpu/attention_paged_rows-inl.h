// Attention over pages for few rows: one row of one head at a time, the 16 keys of a page across
// the lanes for the scores, channels across the lanes for the values. Every key and value that the
// row sees is read once, and no other.
//
// The order of a row's sums, which attention_paged_tiles-inl.h keeps too. A score is a chain of
// multiply-adds over the channels. In a tile of 64 positions, probability l of each page is added
// up over the pages, and the 16 sums are added in halves (8, 4, 2, 1); the values are a chain of
// multiply-adds over the keys that goes on from tile to tile. What a row does not see is left out
// here and is an exact zero there.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_PAGED_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_ROWS_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_ROWS_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_PAGED_ROWS_INL_H_
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/attention_paged_pages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// Pages whose scores are computed side by side: some chains of multiply-adds, all in registers.
constexpr int kPagesAtOnce = kPageVectors <= 2 ? 4 : kPageVectors == 4 ? 2 : 1;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Of one tile of positions and one row: the keys begin..end - 1, counted within the tile, and the
// pages that hold them, of one head after another.
template <typename T>
struct VisibleKeys {
  int64_t begin, end;
  const T *keys[kTilePages], *values[kTilePages];

  VisibleKeys(const PagedCall& c, int64_t row, int64_t head, int64_t tile)
      : begin(std::max<int64_t>(c.first_keys[row] - tile, 0)),
        end(std::min<int64_t>(c.last_keys[row] + 1 - tile, kTilePositions)) {
    for (int64_t page = first_page(); page < end_page(); ++page) {
      const int64_t at = c.page_offset(row, tile + page * kPagePositions, head);
      keys[page] = static_cast<const T*>(c.op.keys.data) + at;
      values[page] = static_cast<const T*>(c.op.values.data) + at;
    }
  }
  int64_t first_page() const { return begin / kPagePositions; }
  int64_t end_page() const { return (end + kPagePositions - 1) / kPagePositions; }
  // The beginnings of the values, or of the keys `ahead` elements on: the processor's own
  // prefetching goes no further than 4 KB, and has to find out about each block anew.
  HWY_INLINE void fetch(const T* const* blocks, int64_t ahead) const {
    constexpr int64_t kLineBytes = 64, kLines = 8;
    for (int64_t page = first_page(); page < end_page(); ++page) {
      for (int64_t line = 0; line < kLines; ++line)
        hwy::Prefetch(blocks[page] + ahead + line * kLineBytes / static_cast<int64_t>(sizeof(T)));
    }
  }
  void to_next_head(const PagedCall& c) {
    for (int64_t page = first_page(); page < end_page(); ++page) {
      keys[page] += c.elements;
      values[page] += c.elements;
    }
  }
};

// scores[N * 16] = the query's products with the keys of N pages.
template <int N, typename T>
HWY_INLINE void page_scores(const float* query, const T* const* keys, int64_t HS, float* scores) {
  constexpr int kAcross = N * kPageVectors;
  VF sum[kAcross];
  for (VF& s : sum) s = hn::Zero(F32());
  const int64_t channels = KeyVectors<T>::channels(HS);
  for (int64_t begin = 0; begin < HS; begin += channels) {
    KeyVectors<T> key[kAcross];
    for (int i = 0; i < kAcross; ++i)
      key[i].start(keys[i / kPageVectors], HS, begin, i % kPageVectors);
    for (int64_t e = begin; e < begin + channels; ++e) {
      const VF q = hn::Set(F32(), query[e]);
      for (int i = 0; i < kAcross; ++i) sum[i] = hn::MulAdd(key[i].at(e), q, sum[i]);
    }
  }
  for (int i = 0; i < kAcross; ++i) store(sum[i], scores + i * kLanes);
}

template <typename T>
void row_scores(const float* query, const VisibleKeys<T>& k, int64_t HS, float* scores) {
  int64_t page = k.first_page();
  const auto take = [&]<int N>() {
    for (; page + N <= k.end_page(); page += N)
      page_scores<N>(query, k.keys + page, HS, scores + page * kPagePositions);
  };
  if constexpr (kPagesAtOnce >= 4) take.template operator()<4>();
  if constexpr (kPagesAtOnce >= 2) take.template operator()<2>();
  take.template operator()<1>();
}

// The sum of 16 numbers in the order of the head comment.
HWY_INLINE float sum_in_halves(const VF* vectors) {
  HWY_ALIGN float x[kPagePositions];
  for (int v = 0; v < kPageVectors; ++v) store(vectors[v], x + v * kLanes);
  for (int64_t half = kPagePositions / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}

// The scores of the visible keys become 2^(score - maximum) with the new running maximum, those of
// other keys of their pages 0; the running sum follows. Returns what the result is to be multiplied
// with.
template <typename T>
VF row_softmax(const RowState& row, const VisibleKeys<T>& k, float* scores) {
  const F32 d;
  const int64_t begin = k.first_page() * kPagePositions, end = k.end_page() * kPagePositions;
  const VF first = hn::Set(d, static_cast<float>(k.begin)),
           last = hn::Set(d, static_cast<float>(k.end - 1));
  const VF old = hn::Set(d, *row.maximum);
  VF maximum = old;
  for (int64_t i = begin; i < end; i += kLanes) {
    const VF position = hn::Iota(d, static_cast<float>(i));
    const auto seen = hn::And(hn::Ge(position, first), hn::Le(position, last));
    const VF score = hn::IfThenElse(seen, load(scores + i), hn::Set(d, kMinusInfinity));
    store(score, scores + i);
    maximum = hn::Max(maximum, score);
  }
  maximum = hn::Set(d, hn::GetLane(hn::MaxOfLanes(d, maximum)));
  VF sums[kPageVectors];
  for (VF& s : sums) s = hn::Zero(d);
  for (int64_t i = begin; i < end; i += kPagePositions) {
    for (int v = 0; v < kPageVectors; ++v) {
      const VF p = exp2_f32(hn::Sub(load(scores + i + v * kLanes), maximum));
      store(p, scores + i + v * kLanes);
      sums[v] = hn::Add(sums[v], p);
    }
  }
  const VF shrink = exp2_f32(hn::Sub(old, maximum));
  const VF sum = hn::MulAdd(hn::Set(d, *row.sum), shrink, hn::Set(d, sum_in_halves(sums)));
  *row.maximum = hn::GetLane(maximum);
  *row.sum = hn::GetLane(sum);
  return shrink;
}

// result = result * shrink + sum over the visible keys of p * value, for V vectors of channels.
template <int V, bool kNarrow, typename T>
HWY_INLINE void add_values(const float* p, const VisibleKeys<T>& k, const Channels& channels,
                           int64_t vector, VF shrink, float* result) {
  VF sum[V];
  for (int v = 0; v < V; ++v) sum[v] = hn::Mul(load(result + (vector + v) * kLanes), shrink);
  for (int64_t page = k.first_page(); page < k.end_page(); ++page) {
    const ValueVectors<V, T> values(k.values[page], channels, vector);
    const int64_t begin = page * kPagePositions, end = std::min(k.end, begin + kPagePositions);
    for (int64_t j = std::max(k.begin, begin); j < end; ++j) {
      const VF weight = hn::Set(F32(), p[j]);
      for (int v = 0; v < V; ++v) {
        VF x;
        if constexpr (kNarrow) {
          x = values.narrow(j - begin);
        } else {
          x = values.at(j - begin, v);
        }
        sum[v] = hn::MulAdd(x, weight, sum[v]);
      }
    }
  }
  for (int v = 0; v < V; ++v) store(sum[v], result + (vector + v) * kLanes);
}

template <typename T>
void row_values(const float* p, const VisibleKeys<T>& k, const Channels& channels, VF shrink,
                float* result) {
  if constexpr (!kIsCodes<T>) {
    if (channels.narrow()) return add_values<1, true>(p, k, channels, 0, shrink, result);
  }
  int64_t vector = 0;
  const auto take = [&]<int V>() {
    for (; vector + V <= channels.vectors(); vector += V)
      add_values<V, false>(p, k, channels, vector, shrink, result);
  };
  take.template operator()<8>();
  take.template operator()<4>();
  take.template operator()<2>();
  take.template operator()<1>();
}

// The part of a span that a row sees, for some heads, each into a state of its own. The heads of a
// tile follow each other, as they do in memory. queries: padded_HS floats for each head, scaled;
// states: row_floats for each.
template <typename T>
void row_span(const PagedCall& c, int64_t row, const Heads& heads, int64_t span,
              const float* queries, float* states) {
  HWY_ALIGN float scores[kTilePositions];
  const Channels channels(c.HS);
  const auto state = [&](int64_t h) { return RowState(c, states + h * row_floats(c)); };
  for (int64_t h = 0; h < heads.count; ++h) state(h).clear(c);
  const int64_t begin = std::max<int64_t>(c.first_keys[row], span * kSpanPositions),
                end = std::min<int64_t>(c.last_keys[row] + 1, (span + 1) * kSpanPositions);
  for (int64_t tile = begin / kTilePositions * kTilePositions; tile < end; tile += kTilePositions) {
    VisibleKeys<T> k(c, row, heads.first, tile);
    for (int64_t h = 0; h < heads.count; ++h, k.to_next_head(c)) {
      k.fetch(k.values, 0);
      row_scores(queries + h * c.padded_HS, k, c.HS, scores);
      if (h + 1 < heads.count) k.fetch(k.keys, c.elements);
      const VF shrink = row_softmax(state(h), k, scores);
      row_values(scores, k, channels, shrink, state(h).result);
    }
  }
}
HWY_INLINE void row_span(const PagedCall& c, int64_t row, const Heads& heads, int64_t span,
                         const float* queries, float* states) {
  switch (c.op.keys.dtype) {
    case DType::kBF16: return row_span<bf16>(c, row, heads, span, queries, states);
    case DType::kF16: return row_span<f16>(c, row, heads, span, queries, states);
    case DType::kI8: return row_span<int8_t>(c, row, heads, span, queries, states);
    default: return row_span<float>(c, row, heads, span, queries, states);
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
