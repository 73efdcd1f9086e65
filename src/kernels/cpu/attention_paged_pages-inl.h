// The numbers of a head's page (kernels/page_layout.h) as vectors of float32, whatever the pages'
// type: T is float, bf16 or f16, or int8_t for codes with scales.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_PAGED_PAGES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_PAGES_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_PAGED_PAGES_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_PAGED_PAGES_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/attention_paged_state-inl.h"
#include "kernels/cpu/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr int kPageVectors = kPagePositions / kLanes;

template <typename T>
constexpr bool kIsCodes = std::is_same_v<T, int8_t>;

HWY_INLINE VF load_codes(const int8_t* codes) {
  const hn::Rebind<int8_t, F32> d8;
  const hn::RebindToSigned<F32> d32;
  return hn::ConvertTo(F32(), hn::PromoteTo(d32, hn::LoadU(d8, codes)));
}
// The scales [16] of the group that a channel belongs to; they may lie at any byte.
HWY_INLINE const f16* scales_of(const int8_t* page, int64_t HS, int64_t channel) {
  const auto* const scales = reinterpret_cast<const f16*>(page + page_numbers(HS));
  return scales + channel / kScaleChannels * kPagePositions;
}

// Keys of a page across the lanes, positions v * kLanes on, of one channel at a time: channels
// `begin` to `begin + channels(HS)`.
template <typename T>
class KeyVectors {
 public:
  static int64_t channels(int64_t HS) { return HS; }
  HWY_INLINE void start(const T* page, int64_t, int64_t, int v) { keys_ = page + v * kLanes; }
  HWY_INLINE VF at(int64_t channel) const { return load(keys_ + channel * kPagePositions); }

 private:
  const T* keys_;
};
template <>
class KeyVectors<int8_t> {
 public:
  static int64_t channels(int64_t) { return kScaleChannels; }
  HWY_INLINE void start(const int8_t* page, int64_t HS, int64_t begin, int v) {
    codes_ = page + v * kLanes;
    scale_ = load(scales_of(page, HS, begin) + v * kLanes);
  }
  HWY_INLINE VF at(int64_t channel) const {
    return hn::Mul(load_codes(codes_ + channel * kPagePositions), scale_);
  }

 private:
  const int8_t* codes_;
  VF scale_;
};

// Values of a page, channels across the lanes: V vectors, those of `channels` from `vector` on, of
// one position at a time.
template <int V, typename T>
class ValueVectors {
 public:
  HWY_INLINE ValueVectors(const T* page, const Channels& channels, int64_t vector)
      : page_(page), HS_(channels.HS) {
    for (int v = 0; v < V; ++v) at_[v] = channels.begin(vector + v);
  }
  HWY_INLINE VF at(int64_t position, int v) const { return load(page_ + position * HS_ + at_[v]); }
  // Of heads with less than a vector of channels.
  HWY_INLINE VF narrow(int64_t position) const { return load_part(page_ + position * HS_, HS_); }

 private:
  const T* page_;
  int64_t HS_, at_[V];
};
// The V vectors are some whole groups of channels or lie within one.
template <int V>
class ValueVectors<V, int8_t> {
 public:
  HWY_INLINE ValueVectors(const int8_t* page, const Channels& channels, int64_t vector)
      : codes_(page + vector * kLanes), HS_(channels.HS) {
    for (int g = 0; g < kGroups; ++g) {
      const f16* const scales = scales_of(page, HS_, vector * kLanes + g * kScaleChannels);
      for (int i = 0; i < kPagePositions; i += kLanes) store(load(scales + i), scales_[g] + i);
    }
  }
  HWY_INLINE VF at(int64_t position, int v) const {
    const VF scale = hn::Set(F32(), scales_[v * kLanes / kScaleChannels][position]);
    return hn::Mul(load_codes(codes_ + position * HS_ + v * kLanes), scale);
  }

 private:
  static constexpr int kGroups = std::max<int>(1, V* kLanes / kScaleChannels);
  static_assert(V * kLanes % kScaleChannels == 0 || kScaleChannels % (V * kLanes) == 0);
  const int8_t* codes_;
  int64_t HS_;
  HWY_ALIGN float scales_[kGroups][kPagePositions];
};

// The keys of a page as float32 [HS,16]: where they are, or converted to `to`.
HWY_INLINE const float* keys_as_floats(const float* page, int64_t, float*) { return page; }
template <typename T>
const float* keys_as_floats(const T* page, int64_t HS, float* to) {
  const int64_t channels = KeyVectors<T>::channels(HS);
  for (int64_t begin = 0; begin < HS; begin += channels) {
    for (int v = 0; v < kPageVectors; ++v) {
      KeyVectors<T> keys;
      keys.start(page, HS, begin, v);
      for (int64_t e = begin; e < begin + channels; ++e)
        store(keys.at(e), to + e * kPagePositions + v * kLanes);
    }
  }
  return to;
}

// Calls f(i, x) for the values of a page, a vector at a time: x is that from element i of [16,HS]
// on.
template <typename T, typename F>
HWY_INLINE void for_values(const T* page, int64_t HS, F&& f) {
  for (int64_t i = 0; i < page_numbers(HS); i += kLanes) f(i, load(page + i));
}
template <typename F>
HWY_INLINE void for_values(const int8_t* page, int64_t HS, F&& f) {
  constexpr int kAcross = static_cast<int>(kScaleChannels / kLanes);
  for (int64_t e = 0; e < HS; e += kScaleChannels) {
    const ValueVectors<kAcross, int8_t> values(page, Channels(HS), e / kLanes);
    for (int64_t j = 0; j < kPagePositions; ++j) {
      for (int v = 0; v < kAcross; ++v) f(j * HS + e + v * kLanes, values.at(j, v));
    }
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
