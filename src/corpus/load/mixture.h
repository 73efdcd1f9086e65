// Which data set each window of a run comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace inkstone {

// Mixes K data sets by weight. Window i of the run is window draw(i).index of data set
// draw(i).source: a pure function of (weights, seed, i), in O(K), so that resuming needs no replay.
// A data set's indices are 0, 1, 2, ... without a gap, and any n windows in a row hold n * share of
// it, to within K windows: chance would be off by about sqrt(n), and every step would have another
// mixture.
//
// How: of every stretch, the first data set takes its share, evenly spread: it takes i when floor(i
// w + u) steps up, a Beatty sequence with a phase u in [0, 1) of the seed. What it leaves is shared
// in the same way by the others.
class Mixture {
 public:
  struct Draw {
    size_t source;
    int64_t index;
  };

  // Weights: at least one, each finite and > 0, each at least kLeastShare of their sum; only the
  // ratios count.
  Mixture(std::span<const double> weights, uint64_t seed);
  // 0 <= i < 2^60.
  Draw draw(int64_t i) const;

  static constexpr double kLeastShare = 1e-6;

 private:
  // The first source's part of what the sources before it left, and its phase, in units of 2^-32.
  struct Part {
    uint64_t share, phase;
  };
  std::vector<Part> parts_;  // of all sources but the last, which takes what is left
};

}  // namespace inkstone
