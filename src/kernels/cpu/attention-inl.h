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
#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/context.h"
#include "kernels/cpu/tile_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr int64_t kTile = 64;  // queries and keys of a tile
// A tile on the diagonal is worked on in strips of so many keys: a strip needs only the queries
// from its first key on. No vector is longer.
constexpr int64_t kStrip = 16;
constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.693147180559945309f;
constexpr float kLowest = -3.4028234e38f;

// Sizes of one call; padded_HS: HS rounded up to whole vectors.
struct HeadShape {
  int64_t T, HS, C, NH, padded_HS;
};

HWY_INLINE HeadShape head_shape(const Shape& qkv, int64_t heads) {
  const int64_t C = qkv[2] / 3, HS = C / heads;
  return {qkv[1], HS, C, heads, (HS + kStrip - 1) / kStrip * kStrip};
}

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
void pack_rows(const T* from, int64_t row_stride, int64_t count, const HeadShape& s,
               const Tile& to) {
  for (int64_t t = 0; t < count; ++t) {
    const T* p = from + t * row_stride;
    float* q = to.data + t * to.stride;
    std::fill(q + s.HS / kStrip * kStrip, q + s.padded_HS, 0.0f);
    for_vectors(
        s.HS, [&](size_t i) { store(load(p + i), q + i); },
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

// Of a diagonal tile: the keys that the vector of queries at `column` can see, rounded up to whole
// strips.
HWY_INLINE int64_t visible_keys(int64_t keys, int64_t column) {
  return std::min(keys, (column / kStrip + 1) * kStrip);
}

// True for the lanes whose query (column + lane) comes before key `row`, both counted from the
// tile's corner.
HWY_INLINE hn::Mask<F32> before(int64_t column, int64_t row) {
  const F32 d;
  return hn::Lt(hn::Iota(d, static_cast<float>(column)), hn::Set(d, static_cast<float>(row)));
}

// S[keys, queries] = A[keys, HS] * B[HS, queries]; on the diagonal the strips' invisible queries
// are left out.
HWY_INLINE void score_product(const Tile& a, const Tile& b, const Tile& c, int64_t keys,
                              int64_t queries, int64_t HS, bool diagonal) {
  if (!diagonal) return product<false>({a, b, c, keys, queries, HS, false});
  for (int64_t j = 0; j < keys; j += kStrip) {
    product<false>({at(a, j, 0), at(b, 0, j), at(c, j, j), std::min(kStrip, keys - j), queries - j,
                    HS, false});
  }
}

// C[HS, queries] (+)= A[keys, HS]^T * S[keys, queries]; on the diagonal as score_product.
HWY_INLINE void value_product(const Tile& a, const Tile& s, const Tile& c, int64_t keys,
                              int64_t queries, int64_t HS, bool diagonal, bool accumulate) {
  if (!diagonal) return product<true>({a, s, c, HS, queries, keys, accumulate});
  for (int64_t j = 0; j < keys; j += kStrip) {
    const int64_t count = std::min(kStrip, keys - j);
    product<true>(
        {at(a, j, 0), at(s, j, j), at(c, 0, j), HS, queries - j, count, accumulate || j > 0});
  }
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
