// The inner part of products with weights in blocks: a panel's codes become lines of bytes, lines
// and activations become integer dot products, and those become floats. Compiled once per
// instruction set; a vector holds 1, 4, 8 or 16 of a panel's 16 columns.
#if defined(INKSTONE_KERNELS_CPU_BLOCK_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_BLOCK_PRODUCT_INL_H_
#undef INKSTONE_KERNELS_CPU_BLOCK_PRODUCT_INL_H_
#else
#define INKSTONE_KERNELS_CPU_BLOCK_PRODUCT_INL_H_
#endif

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/cpu/panel.h"
#include "kernels/cpu/quantized_rows.h"
#include "kernels/cpu/simd-inl.h"
#include "tensor/block_layout.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

using U32 = hn::RebindToUnsigned<F32>;
using I32 = hn::RebindToSigned<F32>;
using VU = hn::Vec<U32>;  // a line or a part of it: a column's 4 codes in each lane
using VI = hn::Vec<I32>;

constexpr int kLanes = HWY_LANES(float);
static_assert(kPanelColumns % kLanes == 0);

// f(0), f(1), ..., f(count - 1), as constants.
template <int kCount, int kBegin = 0, typename F>
HWY_INLINE void unrolled(F&& f) {
  if constexpr (kBegin < kCount) {
    f(std::integral_constant<int, kBegin>());
    unrolled<kCount, kBegin + 1>(f);
  }
}

// ---- Codes to bytes -----------------------------------------------------------------------------

HWY_INLINE VU load_line(const uint8_t* p) {
  return hn::LoadU(U32(), reinterpret_cast<const uint32_t*>(p));
}
HWY_INLINE VU bytes_of(uint32_t byte) { return hn::Set(U32(), byte * 0x01010101u); }

// Bits of each byte move up (or down, if negative); what leaves a byte is for a mask to remove.
template <int kBits>
HWY_INLINE VU move(VU x) {
  if constexpr (kBits >= 0) {
    return hn::ShiftLeft<kBits>(x);
  } else {
    return hn::ShiftRight<-kBits>(x);
  }
}

// iq4_nl's value + 128 for each byte of x, 0 to 15.
HWY_INLINE VU look_up(VU x) {
  alignas(16) static constexpr auto kTable = [] {
    std::array<uint8_t, 16> table{};
    for (int i = 0; i < 16; ++i) table[i] = static_cast<uint8_t>(kIq4NlValues[i] + 128);
    return table;
  }();
#if HWY_TARGET == HWY_SCALAR
  const uint32_t codes = hn::GetLane(x);
  uint32_t values = 0;
  for (int i = 0; i < 32; i += 8) values |= uint32_t{kTable[codes >> i & 15]} << i;
  return hn::Set(U32(), values);
#else
  const hn::Repartition<uint8_t, U32> d8;
  return hn::BitCast(U32(),
                     hn::TableLookupBytes(hn::LoadDup128(d8, kTable.data()), hn::BitCast(d8, x)));
#endif
}

// Line kLine of the group whose codes begin at `codes`, this vector's columns.
template <BlockForm kForm, int kLine>
HWY_INLINE VU line_of(const uint8_t* codes) {
  if constexpr (kForm.bytes) return load_line(codes + kLine * kLineBytes);
  VU line;
  if constexpr (kForm.nibbles) {
    const VU both = load_line(codes + kLine % 4 * kLineBytes);
    line = hn::And(move<kLine / 4 * -4>(both), bytes_of(15));
    if constexpr (kForm.table) line = look_up(line);
    codes += 4 * kLineBytes;
  }
  constexpr int kFirst = kForm.nibbles ? 4 : 0;  // of the bits that are still missing
  if constexpr (kForm.twos) {
    const VU bits = move<kFirst - kLine % 4 * 2>(load_line(codes + kLine / 4 * kLineBytes)),
             mask = bytes_of(3u << kFirst);
    line = kForm.nibbles ? hn::OrAnd(line, bits, mask) : hn::And(bits, mask);
    codes += 2 * kLineBytes;
  }
  if constexpr (kForm.ones) {
    constexpr int kBit = kFirst + (kForm.twos ? 2 : 0);
    line = hn::OrAnd(line, move<kBit - kLine>(load_line(codes)), bytes_of(1u << kBit));
  }
  return line;
}

// ---- Integer dot products -----------------------------------------------------------------------
// Each engine adds to kRows sums of int32, for the lines [kFirst, kFirst + kCount) of a group, the
// products of the lines' codes with the codes of rows[0], rows[1], ...

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
// vpdpbusd: the sum of 4 products of an unsigned and a signed byte, added to an int32. In assembly,
// for it belongs to extensions of their own (AVX-512 VNNI, AVX-VNNI), which these functions'
// compiler options do not name: who calls makes sure that the machine has them.
struct VnniDots {
  HWY_INLINE static void add(VI& sum, VU line, const uint32_t& codes) {
#if HWY_TARGET <= HWY_AVX3
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(line.raw), "m"(codes));
#else
    asm("%{vex%} vpdpbusd %2, %1, %0"
        : "+x"(sum.raw)
        : "x"(line.raw), "x"(hn::Set(U32(), codes).raw));
#endif
  }

  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_lines(const uint8_t* codes, const QuantizedGroup* rows, VI* sums) {
    unrolled<kCount>([&](auto i) HWY_ATTR {
      const VU line = line_of<kForm, kFirst + i>(codes);
      unrolled<kRows>([&](auto r) HWY_ATTR { add(sums[r], line, rows[r].codes[kFirst + i]); });
    });
  }
};
#endif

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
// pmaddubsw adds pairs of such products in 16 bits, pmaddwd pairs of those in 32.
struct PlainDots {
#if HWY_TARGET <= HWY_AVX3
  HWY_INLINE static VU pairs(VU codes, VU a) { return VU{_mm512_maddubs_epi16(codes.raw, a.raw)}; }
  HWY_INLINE static VU add_shorts(VU x, VU y) { return VU{_mm512_add_epi16(x.raw, y.raw)}; }
  HWY_INLINE static VI add_pairs(VU x) {
    return VI{_mm512_madd_epi16(x.raw, _mm512_set1_epi16(1))};
  }
  HWY_INLINE static VU absolute(VU x) { return VU{_mm512_abs_epi8(x.raw)}; }
  HWY_INLINE static VU with_sign_of(VU a, VU x) {
    const __m512i zero = _mm512_setzero_si512();
    return VU{_mm512_mask_sub_epi8(a.raw, _mm512_movepi8_mask(x.raw), zero, a.raw)};
  }
#elif HWY_TARGET <= HWY_AVX2
  HWY_INLINE static VU pairs(VU codes, VU a) { return VU{_mm256_maddubs_epi16(codes.raw, a.raw)}; }
  HWY_INLINE static VU add_shorts(VU x, VU y) { return VU{_mm256_add_epi16(x.raw, y.raw)}; }
  HWY_INLINE static VI add_pairs(VU x) {
    return VI{_mm256_madd_epi16(x.raw, _mm256_set1_epi16(1))};
  }
  HWY_INLINE static VU absolute(VU x) { return VU{_mm256_abs_epi8(x.raw)}; }
  HWY_INLINE static VU with_sign_of(VU a, VU x) { return VU{_mm256_sign_epi8(a.raw, x.raw)}; }
#else
  HWY_INLINE static VU pairs(VU codes, VU a) { return VU{_mm_maddubs_epi16(codes.raw, a.raw)}; }
  HWY_INLINE static VU add_shorts(VU x, VU y) { return VU{_mm_add_epi16(x.raw, y.raw)}; }
  HWY_INLINE static VI add_pairs(VU x) { return VI{_mm_madd_epi16(x.raw, _mm_set1_epi16(1))}; }
  HWY_INLINE static VU absolute(VU x) { return VU{_mm_abs_epi8(x.raw)}; }
  HWY_INLINE static VU with_sign_of(VU a, VU x) { return VU{_mm_sign_epi8(a.raw, x.raw)}; }
#endif

  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_lines(const uint8_t* codes, const QuantizedGroup* rows, VI* sums) {
    if constexpr (kForm.code_bits() == 8) {
      add_signed_lines<kForm, kFirst, kCount, kRows>(codes, rows, sums);
    } else {
      add_small_lines<kForm, kFirst, kCount, kRows>(codes, rows, sums);
    }
  }

 private:
  // Codes below 2^bits: a pair of products is at most 2 * 127 * (2^bits - 1), and as many lines as
  // keep below 2^15 are added up in 16 bits.
  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_small_lines(const uint8_t* codes, const QuantizedGroup* rows,
                                         VI* sums) {
    constexpr int kFit = 32767 / (2 * 127 * ((1 << kForm.code_bits()) - 1));
    constexpr int kLines = std::min(kCount, kFit >= 8 ? 8 : kFit >= 4 ? 4 : 2);
    VU shorts[kRows];
    unrolled<kCount>([&](auto i) HWY_ATTR {
      const VU line = line_of<kForm, kFirst + i>(codes);
      unrolled<kRows>([&](auto r) HWY_ATTR {
        const VU two = pairs(line, hn::Set(U32(), rows[r].codes[kFirst + i]));
        shorts[r] = i % kLines == 0 ? two : add_shorts(shorts[r], two);
        if constexpr (i % kLines == kLines - 1) sums[r] = hn::Add(sums[r], add_pairs(shorts[r]));
      });
    });
  }

  // Codes of 8 bits, of which 128 stands for 0: as signed ones, whose products' pairs are at most
  // 2 * 127 * 128 < 2^15. pmaddubsw wants one side unsigned: |code| * (a with the code's sign).
  // What the zero adds is taken back from the sums.
  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_signed_lines(const uint8_t* codes, const QuantizedGroup* rows,
                                          VI* sums) {
    static_assert(kForm.zero == 128 && kCount == kGroupLines);
    unrolled<kRows>([&](auto r) HWY_ATTR { sums[r] = hn::Zero(I32()); });
    unrolled<kCount>([&](auto i) HWY_ATTR {
      const VU line = hn::Xor(line_of<kForm, kFirst + i>(codes), bytes_of(0x80));
      const VU magnitude = absolute(line);
      unrolled<kRows>([&](auto r) HWY_ATTR {
        const VU a = with_sign_of(hn::Set(U32(), rows[r].codes[kFirst + i]), line);
        sums[r] = hn::Add(sums[r], add_pairs(pairs(magnitude, a)));
      });
    });
  }
};
#elif HWY_TARGET == HWY_SCALAR
struct PlainDots {
  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_lines(const uint8_t* codes, const QuantizedGroup* rows, VI* sums) {
    unrolled<kCount>([&](auto i) HWY_ATTR {
      const uint32_t line = hn::GetLane(line_of<kForm, kFirst + i>(codes));
      for (int r = 0; r < kRows; ++r) {
        const uint32_t a = rows[r].codes[kFirst + i];
        int32_t sum = 0;
        for (int k = 0; k < 32; k += 8)
          sum += static_cast<int32_t>(line >> k & 255) * static_cast<int8_t>(a >> k);
        sums[r] = hn::Add(sums[r], hn::Set(I32(), sum));
      }
    });
  }
};
#else
// A product of a code and an activation fits 16 bits: 255 * 127 < 2^15.
struct PlainDots {
  template <BlockForm kForm, int kFirst, int kCount, int kRows>
  HWY_INLINE static void add_lines(const uint8_t* codes, const QuantizedGroup* rows, VI* sums) {
    const hn::Repartition<int16_t, F32> d16;
    unrolled<kCount>([&](auto i) HWY_ATTR {
      const VU line = line_of<kForm, kFirst + i>(codes);
      const auto even = hn::BitCast(d16, hn::And(line, hn::Set(U32(), 0x00FF00FFu)));
      const auto odd = hn::BitCast(d16,
                                   hn::And(hn::ShiftRight<8>(line), hn::Set(U32(), 0x00FF00FFu)));
      for (int r = 0; r < kRows; ++r) {
        const auto a = hn::BitCast(d16, hn::Set(U32(), rows[r].codes[kFirst + i]));
        const auto p = hn::Mul(even, hn::ShiftRight<8>(hn::ShiftLeft<8>(a)));
        const auto q = hn::Mul(odd, hn::ShiftRight<8>(a));
        if constexpr (kForm.code_bits() < 8) {
          sums[r] = hn::Add(sums[r], halves(hn::Add(p, q)));
        } else {
          sums[r] = hn::Add(sums[r], hn::Add(halves(p), halves(q)));
        }
      }
    });
  }

 private:
  template <typename V>
  HWY_INLINE static VI halves(V x) {
    const VI both = hn::BitCast(I32(), x);
    return hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(both)), hn::ShiftRight<16>(both));
  }
};
#endif

// ---- Scales -------------------------------------------------------------------------------------

HWY_INLINE VF load_halves(const uint8_t* p) {
  const hn::Rebind<hwy::float16_t, F32> d16;
  return hn::PromoteTo(F32(), hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(p)));
}
HWY_INLINE VI load_bytes(const uint8_t* p) {
  return hn::PromoteTo(I32(), hn::LoadU(hn::Rebind<uint8_t, I32>(), p));
}
HWY_INLINE VI load_signed_bytes(const uint8_t* p) {
  return hn::PromoteTo(I32(),
                       hn::LoadU(hn::Rebind<int8_t, I32>(), reinterpret_cast<const int8_t*>(p)));
}

// Of a group: a weight of half h (or of both, h = 0) is scale * sub[h] * (code - zero) +
// minimum[h]. Every product of a half and a sub-scale is exact: 11 and at most 8 bits.
struct GroupScales {
  VF scale, sub[2], minimum[2];
};

// `first` is the first column of the vector.
template <BlockForm kForm>
HWY_INLINE GroupScales group_scales(const uint8_t* p, int first, VF d, VF m) {
  const VF none = hn::Zero(F32());
  if constexpr (kForm.scales == Scales::kD) {
    return {d, {none, none}, {none, none}};
  } else if constexpr (kForm.scales == Scales::kDM) {
    return {d, {none, none}, {m, none}};
  } else if constexpr (kForm.scales == Scales::kSub32) {
    const VF s = hn::ConvertTo(F32(), load_bytes(p + first)),
             b = hn::ConvertTo(F32(), load_bytes(p + kPanelColumns + first));
    return {hn::Mul(d, s), {none, none}, {hn::Mul(m, b), none}};
  } else if constexpr (kForm.scales == Scales::kSub16) {
    const VI s = load_signed_bytes(p + first), t = load_signed_bytes(p + kPanelColumns + first);
    return {d, {hn::ConvertTo(F32(), s), hn::ConvertTo(F32(), t)}, {none, none}};
  } else {
    const VI s = load_bytes(p + first), t = load_bytes(p + kPanelColumns + first),
             low = hn::Set(I32(), 15);
    return {d,
            {hn::ConvertTo(F32(), hn::And(s, low)), hn::ConvertTo(F32(), hn::And(t, low))},
            {hn::Mul(m, hn::ConvertTo(F32(), hn::ShiftRight<4>(s))),
             hn::Mul(m, hn::ConvertTo(F32(), hn::ShiftRight<4>(t)))}};
  }
}

// ---- A group ------------------------------------------------------------------------------------

// Sums of the lines [kFirst, kFirst + kCount), half kHalf, with the part of the zero.
template <BlockForm kForm, typename Dots, int kHalf, int kFirst, int kCount, int kRows>
HWY_INLINE void dot_products(const uint8_t* codes, const QuantizedGroup* rows, VI* sums) {
  unrolled<kRows>([&](auto r) HWY_ATTR {
    sums[r] = kForm.zero != 0 ? hn::Set(I32(), rows[r].offset[kHalf]) : hn::Zero(I32());
  });
  Dots::template add_lines<kForm, kFirst, kCount, kRows>(codes, rows, sums);
}

template <BlockForm kForm>
HWY_INLINE VF with_minimum(const GroupScales& s, const QuantizedGroup& row, int half, VF acc) {
  return hn::MulAdd(s.minimum[half], hn::Set(F32(), std::bit_cast<float>(row.offset[half])), acc);
}

// acc[r] += the group's part of the results. Every path does the same operations on floats in the
// same order; dot products are exact, and so is their sum weighted by sub-scales: below 2^24.
template <BlockForm kForm, typename Dots, int kRows>
HWY_INLINE void add_group(const uint8_t* codes, const GroupScales& s, const QuantizedGroup* rows,
                          VF* acc) {
  constexpr bool kHalves = kForm.sub_blocks_of_16();
  constexpr bool kMinimum = kForm.zero == 0;
  VI sums[kRows];
  VF weighted[kRows];
  dot_products<kForm, Dots, 0, 0, kHalves ? 4 : 8, kRows>(codes, rows, sums);
  unrolled<kRows>([&](auto r) HWY_ATTR {
    weighted[r] = hn::ConvertTo(F32(), sums[r]);
    if constexpr (kHalves) weighted[r] = hn::Mul(weighted[r], s.sub[0]);
  });
  if constexpr (kHalves) {
    dot_products<kForm, Dots, 1, 4, 4, kRows>(codes, rows, sums);
    unrolled<kRows>([&](auto r) HWY_ATTR {
      weighted[r] = hn::MulAdd(hn::ConvertTo(F32(), sums[r]), s.sub[1], weighted[r]);
    });
  }
  unrolled<kRows>([&](auto r) HWY_ATTR {
    const VF scale = hn::Mul(s.scale, hn::Set(F32(), rows[r].scale));
    acc[r] = hn::MulAdd(weighted[r], scale, acc[r]);
    if constexpr (kMinimum) acc[r] = with_minimum<kForm>(s, rows[r], 0, acc[r]);
    if constexpr (kMinimum && kHalves) acc[r] = with_minimum<kForm>(s, rows[r], 1, acc[r]);
  });
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
