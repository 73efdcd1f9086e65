// What attention over pages carries from tile to tile of positions, for one row and for a tile of
// rows: how it begins, how spans are merged, and how it becomes out. The same operations on the
// same numbers in both.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_PAGED_STATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_STATE_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_STATE_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_PAGED_STATE_INL_H_
#endif

#include <algorithm>

#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/attention_paged.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

static_assert(kTile == kTilePositions, "a group's rows fit in a tile");

constexpr int64_t kLanes = hn::MaxLanes(F32());
static_assert(kPagePositions % kLanes == 0, "a page is a number of vectors");

// Where the channels of a head lie in vectors: whole ones and, where channels are left, the last
// kLanes of them once more; with fewer than kLanes channels one that is part zero.
struct Channels {
  explicit Channels(int64_t head_size) : HS(head_size) {}
  int64_t vectors() const { return (HS + kLanes - 1) / kLanes; }
  bool narrow() const { return HS < kLanes; }
  int64_t begin(int64_t vector) const {
    return narrow() ? 0 : std::min(vector * kLanes, HS - kLanes);
  }
  int64_t HS;
};

// What a row carries from tile to tile: the result in the vectors of Channels, not yet divided by
// the sum.
struct RowState {
  float* result;  // [padded_HS]
  float *maximum, *sum;

  RowState(const PagedCall& c, float* memory)
      : result(memory), maximum(memory + c.padded_HS), sum(maximum + 1) {}
  void clear(const PagedCall& c) const {
    std::fill(result, result + c.padded_HS, 0.0f);
    *maximum = kLowest;
    *sum = 0;
  }
};

// What a tile of rows carries from tile to tile of positions: as RowState, the rows across the
// lanes.
struct TileState {
  Tile result;           // [HS,kTile], not yet divided by the sum
  float *maximum, *sum;  // [kTile]

  TileState(const PagedCall& c, float* memory)
      : result{memory, kTile}, maximum(memory + c.HS * kTile), sum(maximum + kTile) {}
  void clear() const {
    std::fill(result.data, maximum, 0.0f);
    std::fill(maximum, sum, kLowest);
    std::fill(sum, sum + kTile, 0.0f);
  }
  static int64_t floats(const PagedCall& c) { return (c.HS + 2) * kTile; }
};

// What two parts are multiplied with when they are added: powers of two of the distances from the
// larger maximum.
struct Merging {
  Merging(VF maximum_a, VF maximum_b)
      : maximum(hn::Max(maximum_a, maximum_b)),
        a(exp2_f32(hn::Sub(maximum_a, maximum))),
        b(exp2_f32(hn::Sub(maximum_b, maximum))) {}
  HWY_INLINE VF sum(VF x, VF y) const { return hn::MulAdd(x, a, hn::Mul(y, b)); }
  VF maximum, a, b;
};

// Adds the next span of a row to those before it.
inline void merge_row(const PagedCall& c, const RowState& next, const RowState& total) {
  const F32 d;
  const Merging m(hn::Set(d, *total.maximum), hn::Set(d, *next.maximum));
  for (int64_t i = 0; i < c.padded_HS; i += kLanes)
    store(m.sum(load(total.result + i), load(next.result + i)), total.result + i);
  *total.sum = hn::GetLane(m.sum(hn::Set(d, *total.sum), hn::Set(d, *next.sum)));
  *total.maximum = hn::GetLane(m.maximum);
}

// Adds the next span of all rows to those before it.
inline void merge_tile(const PagedCall& c, const TileState& next, const TileState& total) {
  for (int64_t column = 0; column < kTile; column += kLanes) {
    const auto of = [column](float* p) { return load(p + column); };
    const Merging m(of(total.maximum), of(next.maximum));
    store(m.sum(of(total.sum), of(next.sum)), total.sum + column);
    store(m.maximum, total.maximum + column);
    for (int64_t e = 0; e < c.HS; ++e) {
      float* const to = total.result.data + e * kTile + column;
      store(m.sum(load(to), load(next.result.data + e * kTile + column)), to);
    }
  }
}

// to[HS] = a row's query times log2(e) scale: scores are in powers of two.
template <typename T>
void scale_query(const T* q, int64_t HS, float scale, float* to) {
  const VF s = hn::Set(F32(), scale);
  for_vectors(
      HS, [&](size_t i) { store(hn::Mul(load(q + i), s), to + i); },
      [&](size_t i, size_t n) { store_part(hn::Mul(load_part(q + i, n), s), to + i, n); });
}
HWY_INLINE void scale_query(const PagedCall& c, int64_t row, int64_t head, float* to) {
  const int64_t at = row * 3 * c.C + head * c.HS;
  const float scale = c.op.scale * kLog2E;
  if (c.op.qkv.dtype == DType::kBF16) {
    scale_query(c.op.qkv.as<bf16>() + at, c.HS, scale, to);
  } else {
    scale_query(c.op.qkv.as<float>() + at, c.HS, scale, to);
  }
}

// result / sum; adding zero makes every zero a positive one.
HWY_INLINE VF quotient(VF result, VF inverse) {
  return hn::MulAdd(result, inverse, hn::Zero(F32()));
}

// out[HS] of one row.
template <typename T>
void write_row(const PagedCall& c, const RowState& state, T* out) {
  const F32 d;
  const Channels channels(c.HS);
  const VF inverse = hn::Div(hn::Set(d, 1.0f), hn::Set(d, *state.sum));
  for (int64_t v = 0; v < channels.vectors(); ++v) {
    const VF x = quotient(load(state.result + v * kLanes), inverse);
    channels.narrow() ? store_part(x, out, c.HS) : store(x, out + channels.begin(v));
  }
}
HWY_INLINE void write_row(const PagedCall& c, int64_t row, int64_t head, const RowState& state) {
  const int64_t at = row * c.C + head * c.HS;
  if (c.op.out.dtype == DType::kBF16) {
    write_row(c, state, c.op.out.as<bf16>() + at);
  } else {
    write_row(c, state, c.op.out.as<float>() + at);
  }
}

// out of all rows of a group; rows [kTile,padded_HS] is working memory.
template <typename T>
void write_tile(const PagedCall& c, const RowGroup& g, const TileState& state, const Tile& rows,
                T* out) {
  const F32 d;
  for (int64_t column = 0; column < g.count; column += kLanes) {
    const VF inverse = hn::Div(hn::Set(d, 1.0f), load(state.sum + column));
    for (int64_t e = 0; e < c.HS; ++e) {
      float* const r = state.result.data + e * kTile + column;
      store(quotient(load(r), inverse), r);
    }
  }
  transpose_out(state.result, g.count, c.HS, rows);
  unpack_rows(rows, g.count, c.HS, 1.0f, out, c.C);
}
HWY_INLINE void write_tile(const PagedCall& c, const RowGroup& g, int64_t head,
                           const TileState& state, float* memory) {
  const int64_t at = g.row * c.C + head * c.HS;
  const Tile rows{memory, c.padded_HS};
  if (c.op.out.dtype == DType::kBF16) {
    write_tile(c, g, state, rows, c.op.out.as<bf16>() + at);
  } else {
    write_tile(c, g, state, rows, c.op.out.as<float>() + at);
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
