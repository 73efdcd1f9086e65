// The keep decision of dropout_hash.h for a vector of columns.
#if defined(INKSTONE_KERNELS_CPU_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_DROPOUT_INL_H_
#undef INKSTONE_KERNELS_CPU_DROPOUT_INL_H_
#else
#define INKSTONE_KERNELS_CPU_DROPOUT_INL_H_
#endif

#include "kernels/cpu/simd-inl.h"
#include "kernels/dropout_hash.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

using U32 = hn::RebindToUnsigned<F32>;
using VU = hn::Vec<U32>;

HWY_INLINE VU mix32_vector(VU x) {
  const U32 d;
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(d, 0x7FEB352Du));
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<15>(x)), hn::Set(d, 0x846CA68Bu));
  return hn::Xor(x, hn::ShiftRight<16>(x));
}

// x * [element is kept] * scale; columns and the two keys of their rows lane by lane.
HWY_INLINE VF drop_keyed(VF x, VU column, VU first, VU second, uint32_t threshold, float scale) {
  const U32 d;
  const VU hash = mix32_vector(hn::Xor(mix32_vector(hn::Xor(column, first)), second));
  // Unsigned hash < threshold: compared as signed numbers with the top bit flipped, which every
  // target has.
  const hn::RebindToSigned<F32> di;
  const auto flip = [&](VU v) { return hn::BitCast(di, hn::Xor(v, hn::Set(d, 0x80000000u))); };
  const auto dropped = hn::Lt(flip(hash), flip(hn::Set(d, threshold)));
  return hn::IfThenZeroElse(hn::RebindMask(F32(), dropped), hn::Mul(x, hn::Set(F32(), scale)));
}

// x * [column + lane is kept] * scale for the lanes' columns column, column + 1, ... of one row.
HWY_INLINE VF drop(VF x, const DropoutRow& row, uint32_t column, uint32_t threshold, float scale) {
  const U32 d;
  return drop_keyed(x, hn::Iota(d, column), hn::Set(d, row.first), hn::Set(d, row.second),
                    threshold, scale);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
