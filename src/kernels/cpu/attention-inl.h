// What attention's forward and backward pass share: tiles of one head, their packing, 2^x, and
// dropout.
//
// All products are arranged so that the queries of a tile lie across the lanes of a vector: scores
// are held as S[key, query], queries and results as [channel, query]. Maxima, sums and rescalings
// then work lane by lane, without a reduction across a vector, and keys and values are read as they
// are, one number at a time, by broadcasts.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_INL_H_
#endif

#include <algorithm>

#include "kernels/backend.h"
#include "kernels/cpu/attention_mask-inl.h"
#include "kernels/cpu/attention_sizes.h"
#include "kernels/cpu/context.h"
#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/tile_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.693147180559945309f;
constexpr float kLowest = -3.4028234e38f;

// A head's width in scratch memory: whole vectors, of up to kStrip numbers.
HWY_INLINE int64_t padded(int64_t HS) { return (HS + kStrip - 1) / kStrip * kStrip; }

// Hands out pieces of one thread's working memory.
class TileAllocator {
 public:
  TileAllocator(float* memory, int64_t floats) : next_(memory), end_(memory + floats) {}
  Tile take(int64_t rows, int64_t stride) {
    float* const data = next_;
    next_ += rows * stride;
    INK_CHECK(next_ <= end_, "attention: scratch is full");
    return {data, stride};
  }

 private:
  float *next_, *end_;
};

// to[t,:] = from[t * row_stride ...] as float32 for t < count; zeros from HS to the padded width.
template <typename T>
void pack_rows(const T* from, int64_t row_stride, int64_t count, int64_t HS, const Tile& to) {
  for (int64_t t = 0; t < count; ++t) {
    const T* p = from + t * row_stride;
    float* q = to.data + t * to.stride;
    std::fill(q + HS / kStrip * kStrip, q + padded(HS), 0.0f);
    for_vectors(
        HS, [&](size_t i) { store(load(p + i), q + i); },
        [&](size_t i, size_t n) { store_part(load_part(p + i, n), q + i, n); });
  }
}

// to[e,t] = from[t,e] * scale for t < count, 0 for the other t < kTile: queries across the lanes.
inline void transpose_in(const Tile& from, int64_t count, int64_t HS, float scale, const Tile& to) {
  for (int64_t e = 0; e < HS; ++e) {
    float* row = to.data + e * to.stride;
    for (int64_t t = 0; t < count; ++t) row[t] = from.data[t * from.stride + e] * scale;
    std::fill(row + count, row + kTile, 0.0f);
  }
}

// to[t,e] = from[e,t] for t < count.
inline void transpose_out(const Tile& from, int64_t count, int64_t HS, const Tile& to) {
  for (int64_t t = 0; t < count; ++t) {
    float* row = to.data + t * to.stride;
    for (int64_t e = 0; e < HS; ++e) row[e] = from.data[e * from.stride + t];
  }
}

// to[t * row_stride ...] = from[t,:] * scale, in the activations' type.
template <typename T>
void unpack_rows(const Tile& from, int64_t count, int64_t HS, float scale, T* to,
                 int64_t row_stride) {
  const VF s = hn::Set(F32(), scale);
  for (int64_t t = 0; t < count; ++t) {
    const float* p = from.data + t * from.stride;
    T* q = to + t * row_stride;
    for_vectors(
        HS, [&](size_t i) { store(hn::Mul(load(p + i), s), q + i); },
        [&](size_t i, size_t n) { store_part(hn::Mul(load_part(p + i, n), s), q + i, n); });
  }
}

// 2^x for x <= 127, within 1 ulp (plus the rounding of x): n = round(x) from adding 1.5 * 2^23 +
// 127, whose low bits then are the exponent of 2^n, times a polynomial of degree 6 for 2^(x-n)
// (minimax on [-1/2, 1/2], relative error 2.0e-9, 1 at 0). Exactly 0 below -126 and for -inf; a NaN
// stays a NaN.
HWY_INLINE VF exp2_f32(VF x) {
  const F32 d;
  const hn::RebindToUnsigned<F32> du;
  const VF magic = hn::Set(d, 12582912.0f + 127.0f);
  const VF shifted = hn::Add(x, magic);
  const VF r = hn::Sub(x, hn::Sub(shifted, magic));
  VF p = hn::Set(d, 0.000153533619595691562f);
  p = hn::MulAdd(p, r, hn::Set(d, 0.0013398875016719103f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.00961843691766262054f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.055503323674201965f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.240226477384567261f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.693147182464599609f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const VF power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0f)), hn::Mul(p, power));
}

// S[keys, queries] = A[keys, HS] * B[HS, queries].
HWY_INLINE void score_product(const Tile& a, const Tile& b, const Tile& c, const KeyTile& k,
                              int64_t HS) {
  for (int64_t i = 0; i < k.strips; ++i) {
    const Strip& s = k.strip[i];
    product<false>(
        {at(a, s.key, 0), at(b, 0, s.query), at(c, s.key, s.query), s.keys, s.queries, HS, false});
  }
}

// C[HS, queries] (+)= A[keys, HS]^T * S[keys, queries]; not accumulated by the first tile of keys.
HWY_INLINE void value_product(const Tile& a, const Tile& s, const Tile& c, const KeyTile& k,
                              int64_t HS, bool accumulate) {
  for (int64_t i = 0; i < k.strips; ++i) {
    const Strip& p = k.strip[i];
    product<true>({at(a, p.key, 0), at(s, p.key, p.query), at(c, 0, p.query), HS, p.queries, p.keys,
                   accumulate || i > 0});
  }
}

// One end of the intervals of a sequence, whose first query is the given row; null if absent.
inline const int32_t* keys_of(ConstView keys, int64_t row) {
  return keys ? keys.as<int32_t>() + row : nullptr;
}

// The dropout of a tile's probabilities: the rows of the mask are the queries, across the lanes.
class TileDropout {
 public:
  // first_row: row number of the tile's first query, (b * NH + h) * T + i0.
  TileDropout(const DropoutMask& mask, uint64_t first_row, int64_t queries)
      : active_(mask.rate > 0) {
    if (!active_) return;
    threshold_ = dropout_threshold(mask.rate);
    scale_ = 1.0f / (1.0f - mask.rate);
    for (int64_t i = 0; i < kTile; ++i) {
      const DropoutRow row = i < queries ? dropout_row(mask, first_row + i) : DropoutRow{};
      first_[i] = row.first;
      second_[i] = row.second;
    }
  }
  bool active() const { return active_; }

  // x * [kept] / (1 - rate) for key `key` of the sequence and the tile's queries from `column` on.
  HWY_INLINE VF apply(VF x, int64_t column, int64_t key) const {
    const U32 d;
    return drop_keyed(x, hn::Set(d, static_cast<uint32_t>(key)), hn::LoadU(d, first_ + column),
                      hn::LoadU(d, second_ + column), threshold_, scale_);
  }

 private:
  bool active_;
  uint32_t threshold_ = 0;
  float scale_ = 1;
  uint32_t first_[kTile], second_[kTile];
};

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
