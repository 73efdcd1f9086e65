// The checked shapes of a call of attention over pages, and storing its rows' keys and values,
// rounded to the pages' type. Threads split the rows; those of one page are stored together.
#include <hwy/base.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/attention_paged.h"
#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_paged_store.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

template <typename From, typename To>
HWY_INLINE void convert_row(const From* from, int64_t count, To* to) {
  for_vectors(
      count, [&](size_t i) { store(load(from + i), to + i); },
      [&](size_t i, size_t n) { store_part(load_part(from + i, n), to + i, n); });
}

// max |x| / 127 as a half; that of an infinity or a NaN is none that is finite.
HWY_INLINE f16 scale_of(const float* x) {
  int32_t largest = 0;  // bits: those of infinity and NaN are the largest of all
  for (int64_t i = 0; i < kScaleChannels; ++i) {
    int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return to_f16(std::bit_cast<float>(largest) / static_cast<float>(kLargestCode));
}

HWY_INLINE void round_codes(const float* x, float scale, int8_t* codes) {
  // Added to a float below 2^22, it leaves the float's nearest integer in the lowest bits.
  constexpr float kRound = 0x1.8p23f, kMost = kLargestCode;
  for (int64_t i = 0; i < kScaleChannels; ++i) {
    const float code = x[i] / scale;
    const float shifted = (code > kMost ? kMost : code < -kMost ? -kMost : code) + kRound;
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    codes[i] = static_cast<int8_t>(bits);
  }
}

// One position's codes side by side, and its scales in their places, the first at `scales`.
template <typename From>
void quantize_row(const From* from, int64_t HS, int8_t* codes, int8_t* scales) {
  for (int64_t e = 0; e < HS; e += kScaleChannels) {
    float x[kScaleChannels];
    convert_row(from + e, kScaleChannels, x);
    const f16 half = scale_of(x);
    std::memcpy(scales + e / kScaleChannels * kPagePositions * sizeof half, &half, sizeof half);
    const float scale = half_to_float(half.bits);
    if (scale > 0 && std::isfinite(scale)) {
      round_codes(x, scale, codes + e);
    } else {
      std::fill_n(codes + e, kScaleChannels, int8_t{0});
    }
  }
}

// A position's keys or values, side by side at `to`; `position` counts in the page.
template <typename From, typename To>
HWY_INLINE void store_row(const From* from, int64_t HS, To* to, To* page, int64_t position) {
  if constexpr (std::is_same_v<To, int8_t>) {
    quantize_row(from, HS, to, page + page_numbers(HS) + position * sizeof(f16));
  } else {
    convert_row(from, HS, to);
  }
}

// Stores keys and values of `count` rows whose positions follow each other in one page. memory: 16
// HS floats.
template <typename From, typename To>
void store_run(const PagedCall& c, int64_t row, int64_t count, float* memory) {
  auto* const rows = reinterpret_cast<To*>(memory);
  const int64_t position = c.positions[row], first = position % kPagePositions;
  for (int64_t head = 0; head < c.NH; ++head) {
    const int64_t page = c.page_offset(row, position, head);
    const From* const from = c.op.qkv.as<From>() + row * 3 * c.C + c.C + head * c.HS;
    To* const keys = static_cast<To*>(c.op.keys.data) + page;
    To* const values = static_cast<To*>(c.op.values.data) + page;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = first + i;
      store_row(from + i * 3 * c.C, c.HS, rows + i * c.HS, keys, at);
      store_row(from + i * 3 * c.C + c.C, c.HS, values + at * c.HS, values, at);
    }
    for (int64_t e = 0; e < c.HS; ++e) {
      for (int64_t i = 0; i < count; ++i) keys[e * kPagePositions + first + i] = rows[i * c.HS + e];
    }
  }
}
template <typename From>
void store_run(const PagedCall& c, int64_t row, int64_t count, float* memory) {
  switch (c.op.keys.dtype) {
    case DType::kBF16: return store_run<From, bf16>(c, row, count, memory);
    case DType::kF16: return store_run<From, f16>(c, row, count, memory);
    case DType::kI8: return store_run<From, int8_t>(c, row, count, memory);
    default: return store_run<From, float>(c, row, count, memory);
  }
}
void store_page(const PagedCall& c, int64_t row, int64_t count, float* memory) {
  if (c.op.qkv.dtype == DType::kBF16) return store_run<bf16>(c, row, count, memory);
  store_run<float>(c, row, count, memory);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(store_page);

PagedCall::PagedCall(const AttentionPaged& attention)
    : op(attention),
      R(op.qkv.shape[0]),
      C(op.qkv.shape[1] / 3),
      NH(op.keys.shape[1]),
      HS(C / NH),
      P(op.keys.shape[0]),
      S(op.pages.shape[0]),
      M(op.pages.shape[1]),
      elements(page_elements(op.keys.dtype, HS)),
      padded_HS((HS + kPagePositions - 1) / kPagePositions * kPagePositions),
      sequences(op.sequences.as<int32_t>()),
      positions(op.positions.as<int32_t>()),
      first_keys(op.first_keys.as<int32_t>()),
      last_keys(op.last_keys.as<int32_t>()),
      pages(op.pages.as<int32_t>()) {
  const DType type = op.qkv.dtype, cache = op.keys.dtype;
  INK_CHECK(type == DType::kF32 || type == DType::kBF16, "attention: the rows' type");
  INK_CHECK(
      cache == DType::kF32 || cache == DType::kBF16 || cache == DType::kF16 || cache == DType::kI8,
      "attention: the pages' type");
  INK_CHECK(op.out.dtype == type && op.values.dtype == cache, "attention: types");
  INK_CHECK(head_size_fits(cache, HS), "attention: q8_0 pages of a head size not a multiple of 32");
  INK_CHECK(op.qkv.shape[1] == 3 * NH * HS && op.out.count() == R * C &&
                op.keys.shape == keys_shape(cache, P, NH, HS) &&
                op.values.shape == values_shape(cache, P, NH, HS),
            "attention: sizes");
  INK_CHECK(op.sequences.count() == R && op.positions.count() == R && op.first_keys.count() == R &&
                op.last_keys.count() == R,
            "attention: rows");
  for (int64_t r = 0; r < R; ++r) {
    INK_CHECK(sequences[r] >= 0 && sequences[r] < S, "attention: a sequence that does not exist");
    INK_CHECK(positions[r] >= 0 && first_keys[r] >= 0, "attention: a negative position");
    INK_CHECK(first_keys[r] <= last_keys[r], "attention: a row that sees no key");
    INK_CHECK(positions[r] < M * kPagePositions && last_keys[r] < M * kPagePositions,
              "attention: a position beyond its sequence's pages");
  }
}

int64_t run_of_rows(const PagedCall& c, int64_t row, int64_t end, int64_t unit) {
  int64_t count = 1;
  while (row + count < end && c.sequences[row + count] == c.sequences[row] &&
         c.positions[row + count] == c.positions[row] + count &&
         (c.positions[row] + count) % unit != 0) {
    ++count;
  }
  return count;
}

void store_in_pages(Context& context, const PagedCall& c) {
  context.pool.parallel_for(c.R, kPagePositions, [&](int64_t begin, int64_t end, int thread) {
    float* const memory = context.of_thread[thread].take(kPagePositions * c.HS);
    for (int64_t row = begin; row < end;) {
      const int64_t count = run_of_rows(c, row, end, kPagePositions);
      HWY_DYNAMIC_DISPATCH(store_page)(c, row, count, memory);
      row += count;
    }
  });
}

}  // namespace inkstone::cpu
#endif
