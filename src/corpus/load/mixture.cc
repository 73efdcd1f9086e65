#include "corpus/load/mixture.h"

#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/rng.h"

namespace inkstone {
namespace {

constexpr int kFractionBits = 32;

// How many of the windows 0 to i - 1 the part takes: floor(i share + phase).
int64_t taken(uint64_t share, uint64_t phase, int64_t i) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<int64_t>((static_cast<Wide>(i) * share + phase) >> kFractionBits);
}

}  // namespace

Mixture::Mixture(std::span<const double> weights, uint64_t seed) {
  INK_CHECK(!weights.empty(), "a mixture of nothing");
  const Random random(seed, RandomStream::kDataMixture);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double left = sum;
  for (size_t k = 0; k + 1 < weights.size(); ++k) {
    INK_CHECK(weights[k] >= kLeastShare * sum, "a weight that is too small");
    const double share = std::ldexp(weights[k] / left, kFractionBits);
    parts_.push_back({.share = static_cast<uint64_t>(std::llround(share)),
                      .phase = random.below(uint64_t{1} << kFractionBits, k)});
    left -= weights[k];
  }
  INK_CHECK(weights.back() >= kLeastShare * sum, "a weight that is too small");
}

Mixture::Draw Mixture::draw(int64_t i) const {
  INK_CHECK(i >= 0 && i < int64_t{1} << 60, "no such window");
  for (size_t k = 0; k < parts_.size(); ++k) {
    const int64_t before = taken(parts_[k].share, parts_[k].phase, i);
    if (taken(parts_[k].share, parts_[k].phase, i + 1) > before) return {k, before};
    i -= before;
  }
  return {parts_.size(), i};
}

}  // namespace inkstone
