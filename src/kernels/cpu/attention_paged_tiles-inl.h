// Attention over pages for many rows: up to 64 rows of one head against tiles of 64 positions, in
// register-blocked products as attention_forward has them, the rows across the lanes. The order of
// each row's sums is that of attention_paged_rows-inl.h.
//
// A tile of positions that every row sees whole is one product for the scores of each page and one
// for all values. In the others (on the diagonal, at the ends of a window or of a prefix) each page
// meets only the rows that see something of it, and what a row does not see gets the probability 0.
// That is as good as leaving it out unless its value is infinite or NaN: then the span is computed
// row by row.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_PAGED_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_TILES_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_TILES_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_PAGED_TILES_INL_H_
#endif

#include <algorithm>

#include "kernels/cpu/attention_paged_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// A group of rows of one head and its working memory.
struct TileRows {
  const PagedCall& c;
  const RowGroup& group;
  int64_t head, lanes_count;          // rows rounded up to whole vectors
  Tile query;                         // [HS,kTile], scaled
  Tile keys, values;                  // [kTilePages,HS,16] and [kTile,HS] of one tile of positions
  Tile scores;                        // [kTile keys,kTile rows]
  int32_t first[kTile], last[kTile];  // what each row sees; nothing where there is no row
  int64_t whole_begin, whole_end;     // the positions that all rows see

  static int64_t floats(const PagedCall& c) { return 3 * kTile * c.padded_HS + kTile * kTile; }
  TileRows(const PagedCall& call, const RowGroup& rows, int64_t the_head, float* memory)
      : c(call),
        group(rows),
        head(the_head),
        lanes_count((rows.count + kLanes - 1) / kLanes * kLanes),
        query{memory, kTile},
        keys{query.data + kTile * c.padded_HS, kPagePositions},
        values{keys.data + kTile * c.padded_HS, c.HS},
        scores{values.data + kTile * c.padded_HS, kTile},
        whole_begin(0),
        whole_end(rows.last_key + 1) {
    std::fill(first, first + kTile, 1);
    std::fill(last, last + kTile, 0);
    for (int64_t i = 0; i < group.count; ++i) {
      first[i] = c.first_keys[group.row + i];
      last[i] = c.last_keys[group.row + i];
      whole_begin = std::max<int64_t>(whole_begin, first[i]);
      whole_end = std::min<int64_t>(whole_end, last[i] + 1);
    }
    load_queries();
  }
  bool whole(int64_t tile) const {
    return tile >= whole_begin && tile + kTilePositions <= whole_end;
  }

 private:
  void load_queries() {
    const Tile rows{keys.data, c.padded_HS};
    for (int64_t i = 0; i < group.count; ++i)
      scale_query(c, group.row + i, head, at(rows, i, 0).data);
    transpose_in(rows, group.count, c.HS, 1.0f, query);
  }
};

// One page of a tile: the columns of rows, whole vectors, that see something of it; none if begin
// is not below end.
struct PageColumns {
  int64_t begin = kTile, end = 0;
  bool any() const { return begin < end; }
  bool has(int64_t column) const { return begin <= column && column < end; }
};

HWY_INLINE PageColumns page_columns(const TileRows& t, int64_t position) {
  PageColumns columns;
  for (int64_t i = 0; i < t.group.count; ++i) {
    if (t.first[i] >= position + kPagePositions || t.last[i] < position) continue;
    columns.begin = std::min(columns.begin, i / kLanes * kLanes);
    columns.end = i / kLanes * kLanes + kLanes;
  }
  return columns;
}

// The scores of a page's keys and the rows of `columns`.
template <typename T>
void page_score_product(const TileRows& t, int64_t tile, int64_t page, const PageColumns& columns) {
  const int64_t key = page * kPagePositions;
  const auto* from = static_cast<const T*>(t.c.op.keys.data) +
                     t.c.page_offset(t.group.row, tile + key, t.head);
  const float* keys = keys_as_floats(from, t.c.HS, at(t.keys, t.c.HS * page, 0).data);
  product<true>({{const_cast<float*>(keys), kPagePositions},
                 at(t.query, 0, columns.begin),
                 at(t.scores, key, columns.begin),
                 kPagePositions,
                 columns.end - columns.begin,
                 t.c.HS,
                 false});
}

// Copies a page's values into the tile; says whether all are finite.
template <typename T>
bool load_values(const TileRows& t, int64_t tile, int64_t page) {
  const int64_t key = page * kPagePositions;
  const auto* from = static_cast<const T*>(t.c.op.values.data) +
                     t.c.page_offset(t.group.row, tile + key, t.head);
  float* const to = at(t.values, key, 0).data;
  const VF zero = hn::Zero(F32());
  VF check = zero;
  for_values(from, t.c.HS, [&](int64_t i, VF x) {
    store(x, to + i);
    check = hn::MulAdd(x, zero, check);
  });
  return hn::AllTrue(F32(), hn::Eq(check, zero));
}

// The pages of a tile that a vector of rows sees something of.
struct SeenPages {
  int64_t count = 0, key[kTilePages];
};

// The sum of 16 vectors in halves, each the sum over the pages: of probability (index mod 16).
template <int kStep>
HWY_INLINE VF tree_sum(const float* p, const SeenPages& pages, int64_t index) {
  if constexpr (kStep == kPagePositions) {
    VF sum = load(p + (pages.key[0] + index) * kTile);
    for (int64_t i = 1; i < pages.count; ++i)
      sum = hn::Add(sum, load(p + (pages.key[i] + index) * kTile));
    return sum;
  } else {
    const VF a = tree_sum<2 * kStep>(p, pages, index);
    return hn::Add(a, tree_sum<2 * kStep>(p, pages, index + kStep));
  }
}

HWY_INLINE VF page_maximum(const float* scores, VF maximum) {
  VF other = load(scores);
  for (int64_t j = 1; j < kPagePositions; j += 2)
    maximum = hn::Max(maximum, load(scores + j * kTile));
  for (int64_t j = 2; j < kPagePositions; j += 2) other = hn::Max(other, load(scores + j * kTile));
  return hn::Max(maximum, other);
}

// What the rows at `column` do not see of a page gets the score minus infinity.
HWY_INLINE void mask_page(const TileRows& t, int64_t tile, int64_t key, int64_t column) {
  const hn::RebindToSigned<F32> di;
  const auto first = hn::LoadU(di, t.first + column), last = hn::LoadU(di, t.last + column);
  for (int64_t j = 0; j < kPagePositions; ++j) {
    float* const score = t.scores.data + (key + j) * kTile + column;
    const auto position = hn::Set(di, static_cast<int32_t>(tile + key + j));
    const auto hidden = hn::Or(hn::Gt(first, position), hn::Gt(position, last));
    store(
        hn::IfThenElse(hn::RebindMask(F32(), hidden), hn::Set(F32(), kMinusInfinity), load(score)),
        score);
  }
}

// Scores of a vector of rows become probabilities; maximum, sum and result follow.
HWY_INLINE void tile_softmax(const TileRows& t, const TileState& state, const SeenPages& pages,
                             int64_t column) {
  float* const scores = t.scores.data + column;
  const VF old = load(state.maximum + column);
  VF maximum = old;
  for (int64_t i = 0; i < pages.count; ++i)
    maximum = page_maximum(scores + pages.key[i] * kTile, maximum);
  for (int64_t i = 0; i < pages.count; ++i) {
    float* const page = scores + pages.key[i] * kTile;
    for (int64_t j = 0; j < kPagePositions; ++j)
      store(exp2_f32(hn::Sub(load(page + j * kTile), maximum)), page + j * kTile);
  }
  const VF shrink = exp2_f32(hn::Sub(old, maximum));
  const VF sum = tree_sum<1>(scores, pages, 0);
  store(hn::MulAdd(load(state.sum + column), shrink, sum), state.sum + column);
  store(maximum, state.maximum + column);
  if (hn::AllTrue(F32(), hn::Eq(old, maximum))) return;
  for (int64_t e = 0; e < t.c.HS; ++e) {
    float* const r = state.result.data + e * kTile + column;
    store(hn::Mul(load(r), shrink), r);
  }
}

// A tile that all rows see whole.
template <typename T>
void whole_tile(const TileRows& t, int64_t tile, const TileState& state) {
  const PageColumns all{0, t.lanes_count};
  SeenPages pages;
  for (int64_t page = 0; page < kTilePages; ++page) {
    page_score_product<T>(t, tile, page, all);
    load_values<T>(t, tile, page);
    pages.key[pages.count++] = page * kPagePositions;
  }
  for (int64_t column = 0; column < t.lanes_count; column += kLanes)
    tile_softmax(t, state, pages, column);
  product<true>({t.values, t.scores, state.result, t.c.HS, t.lanes_count, kTile, true});
}

// Any other; false: a value is not finite, and the state is of no use any more.
template <typename T>
bool cut_tile(const TileRows& t, int64_t tile, const TileState& state) {
  PageColumns columns[kTilePages];
  for (int64_t page = 0; page < kTilePages; ++page) {
    columns[page] = page_columns(t, tile + page * kPagePositions);
    if (!columns[page].any()) continue;
    if (!load_values<T>(t, tile, page)) return false;
    page_score_product<T>(t, tile, page, columns[page]);
  }
  for (int64_t column = 0; column < t.lanes_count; column += kLanes) {
    SeenPages pages;
    for (int64_t page = 0; page < kTilePages; ++page) {
      if (!columns[page].has(column)) continue;
      pages.key[pages.count++] = page * kPagePositions;
      mask_page(t, tile, page * kPagePositions, column);
    }
    if (pages.count > 0) tile_softmax(t, state, pages, column);
  }
  for (int64_t page = 0; page < kTilePages; ++page) {
    const int64_t key = page * kPagePositions, begin = columns[page].begin;
    if (!columns[page].any()) continue;
    product<true>({at(t.values, key, 0), at(t.scores, key, begin), at(state.result, 0, begin),
                   t.c.HS, columns[page].end - begin, kPagePositions, true});
  }
  return true;
}

// The span row by row, into the columns of the state.
inline void span_by_rows(const TileRows& t, int64_t span, const TileState& state) {
  const Channels channels(t.c.HS);
  float* const query = t.keys.data;
  float* const memory = query + t.c.padded_HS;
  const RowState row(t.c, memory);
  for (int64_t i = 0; i < t.group.count; ++i) {
    scale_query(t.c, t.group.row + i, t.head, query);
    row_span(t.c, t.group.row + i, {t.head, 1}, span, query, memory);
    state.maximum[i] = *row.maximum;
    state.sum[i] = *row.sum;
    for (int64_t e = 0; e < t.c.HS; ++e) {
      const int64_t vector = e / kLanes;
      state.result.data[e * kTile + i] = row.result[vector * kLanes + e - channels.begin(vector)];
    }
  }
}

// The part of a span that the rows see, into a state of its own.
template <typename T>
void tile_span(const TileRows& t, int64_t span, const TileState& state) {
  state.clear();
  const int64_t begin = std::max<int64_t>(t.group.first_key, span * kSpanPositions),
                end = std::min<int64_t>(t.group.last_key + 1, (span + 1) * kSpanPositions);
  for (int64_t tile = begin / kTile * kTile; tile < end; tile += kTile) {
    if (t.whole(tile)) {
      whole_tile<T>(t, tile, state);
    } else if (!cut_tile<T>(t, tile, state)) {
      return span_by_rows(t, span, state);
    }
  }
}
HWY_INLINE void tile_span(const TileRows& t, int64_t span, const TileState& state) {
  switch (t.c.op.keys.dtype) {
    case DType::kBF16: return tile_span<bf16>(t, span, state);
    case DType::kF16: return tile_span<f16>(t, span, state);
    case DType::kI8: return tile_span<int8_t>(t, span, state);
    default: return tile_span<float>(t, span, state);
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
