// Which keys the queries of a tile see, and which parts of a tile of keys have to be computed for
// them. Every query sees one interval of keys. A tile of keys that all queries see whole is worked
// on as one; of another tile only strips of keys with the vectors of queries that see some of them,
// and there the keys that a query does not see are hidden lane by lane; a tile that none sees is
// left out.
#if defined(INKSTONE_KERNELS_CPU_ATTENTION_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_ATTENTION_MASK_INL_H_
#undef INKSTONE_KERNELS_CPU_ATTENTION_MASK_INL_H_
#else
#define INKSTONE_KERNELS_CPU_ATTENTION_MASK_INL_H_
#endif

#include <algorithm>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

using I32 = hn::RebindToSigned<F32>;

constexpr int64_t kTile = 64;   // queries and keys of a tile; no vector is longer
constexpr int64_t kStrip = 16;  // keys of a strip

// Keys [key, key + keys) of a tile of keys, queries [query, query + queries) of a tile of queries:
// whole vectors of them.
struct Strip {
  int64_t key, keys, query, queries;
};

// A tile of keys as a tile of queries sees it: nothing outside the strips is seen.
struct KeyTile {
  int64_t begin, count;  // of the sequence's keys
  bool all_seen;         // each by every query
  int64_t strips;
  Strip strip[kTile / kStrip];

  // Whether each key belongs to a strip.
  bool all_in_strips() const {
    int64_t keys = 0;
    for (int64_t i = 0; i < strips; ++i) keys += strip[i].keys;
    return keys == count;
  }
};

// From the first to the last strip that the vector of queries at `column` belongs to: keys counted
// in the tile. Keys between that are in no strip of it are hidden from all its lanes.
struct KeyRange {
  int64_t begin = 0, end = 0;
};
HWY_INLINE KeyRange keys_of_vector(const KeyTile& k, int64_t column) {
  KeyRange range;
  for (int64_t i = 0; i < k.strips; ++i) {
    const Strip& s = k.strip[i];
    if (column < s.query || column >= s.query + s.queries) continue;
    if (range.end == 0) range.begin = s.key;
    range.end = s.key + s.keys;
  }
  return range;
}

// The keys that the queries of one tile see.
class SeenKeys {
 public:
  // Of queries [i0, i0 + rows) of a sequence with intervals first[i]..last[i] [T]; without them,
  // 0..i. The lanes behind the last query see what it sees.
  SeenKeys(const int32_t* first, const int32_t* last, int64_t i0, int64_t rows) : rows_(rows) {
    for (int64_t i = 0; i < rows; ++i) {
      first_[i] = first == nullptr ? 0 : first[i0 + i];
      last_[i] = last == nullptr ? static_cast<int32_t>(i0 + i) : last[i0 + i];
    }
    std::fill(first_ + rows, first_ + kTile, first_[rows - 1]);
    std::fill(last_ + rows, last_ + kTile, last_[rows - 1]);
    const I32 d;
    auto least = hn::LoadU(d, first_), most = hn::LoadU(d, last_);
    for (int64_t c = 0; c < kTile; c += lanes()) {
      const auto begins = hn::LoadU(d, first_ + c), ends = hn::LoadU(d, last_ + c);
      most_first_[c] = hn::GetLane(hn::MaxOfLanes(d, begins));
      least_last_[c] = hn::GetLane(hn::MinOfLanes(d, ends));
      least = hn::Min(least, begins);
      most = hn::Max(most, ends);
    }
    begin_ = hn::GetLane(hn::MinOfLanes(d, least)) / kTile * kTile;
    end_ = int64_t{hn::GetLane(hn::MaxOfLanes(d, most))} + 1;
  }

  // Tiles of keys from `begin` on, as long as they begin before `end`: the first one is seen.
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  // The tile that begins with key j0, of T keys; without strips if no query sees any of it. The
  // first strip of the first tile has all queries: sums over keys begin with it.
  KeyTile tile(int64_t j0, int64_t T) const {
    KeyTile k{j0, std::min(kTile, T - j0), all_see(j0, std::min(j0 + kTile, T) - 1), 0, {}};
    if (k.all_seen) {
      k.strip[k.strips++] = {0, k.count, 0, rounded_up(rows_)};
      return k;
    }
    for (int64_t key = 0; key < k.count; key += kStrip) {
      add_strip(k, key, std::min(kStrip, k.count - key));
    }
    return k;
  }
  // Of the vector of queries at `column`: whether all see a key, and the lanes that do not.
  bool vector_sees(int64_t column, int64_t key) const {
    return most_first_[column] <= key && key <= least_last_[column];
  }
  HWY_INLINE hn::Mask<F32> hidden(int64_t column, int64_t key) const {
    const I32 d;
    const auto j = hn::Set(d, static_cast<int32_t>(key));
    return hn::RebindMask(F32(), hn::Or(hn::Lt(j, hn::LoadU(d, first_ + column)),
                                        hn::Gt(j, hn::LoadU(d, last_ + column))));
  }

 private:
  static int64_t lanes() { return static_cast<int64_t>(hn::Lanes(F32())); }
  static int64_t rounded_up(int64_t queries) { return (queries + lanes() - 1) / lanes() * lanes(); }

  // Whether every query sees every key of from..to; whether one sees any of them.
  bool all_see(int64_t from, int64_t to) const {
    for (int64_t c = 0; c < rows_; c += lanes()) {
      if (!vector_sees(c, from) || !vector_sees(c, to)) return false;
    }
    return true;
  }
  bool sees(int64_t query, int64_t from, int64_t to) const {
    return first_[query] <= to && last_[query] >= from;
  }

  // With the queries from the first to the last that see some of its keys; joined with the strip
  // before if these are the same.
  void add_strip(KeyTile& k, int64_t key, int64_t keys) const {
    const int64_t from = k.begin + key, to = from + keys - 1;
    int64_t begin = 0, end = rows_;
    while (begin < end && !sees(begin, from, to)) ++begin;
    while (begin < end && !sees(end - 1, from, to)) --end;
    if (begin == end) return;
    const bool first = k.begin == begin_ && k.strips == 0;
    begin = first ? 0 : begin / lanes() * lanes();
    end = rounded_up(first ? rows_ : end);
    Strip* const before = k.strips > 0 ? &k.strip[k.strips - 1] : nullptr;
    if (before != nullptr && before->key + before->keys == key && before->query == begin &&
        before->queries == end - begin) {
      before->keys += keys;
    } else {
      k.strip[k.strips++] = {key, keys, begin, end - begin};
    }
  }

  int64_t rows_, begin_, end_;
  int32_t first_[kTile], last_[kTile];
  int32_t most_first_[kTile], least_last_[kTile];  // of the vector that begins at the index
};

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
