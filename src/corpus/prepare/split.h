// Which documents validate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace inkstone {

enum class Split { kTrain, kValidation };

// The rule for one document, by the hash64 of its content alone: hash / 2^64 < val_fraction
// validates. Adding documents moves none, and equal documents stay together.
bool hash_validates(uint64_t hash, double val_fraction);

// Whether a document is too long to validate, or to train, as a whole: it has more than twice the
// fraction of all characters, so that no choice of whole documents comes near the fraction. Its
// beginning trains and its end validates (training_characters), unless that end would be shorter
// than kLeastValidation_characters.
inline constexpr int64_t kLeastValidation_characters = 1000;
bool is_cut(int64_t characters, int64_t all_characters, double val_fraction);

// Applies the rule to a corpus, document by document, and sees to it that neither part is empty.
class SplitPlanner {
 public:
  explicit SplitPlanner(double val_fraction) : val_fraction_(val_fraction) {}

  void add(uint64_t hash);

  // One entry per document, true: it validates. fills_both: with two documents or more and
  // val_fraction > 0, the one with the smallest hash validates when the rule chooses none; the one
  // with the largest trains when it chooses all (of several with that hash, the first).
  std::vector<bool> finish(bool fills_both = true);

 private:
  double val_fraction_;
  std::vector<bool> validates_;
  size_t validating_ = 0;
  uint64_t smallest_ = 0, largest_ = 0;
  size_t smallest_at_ = 0, largest_at_ = 0;
};

// How many of `characters` (at least 1) of a corpus that is one document train: the floor of
// (1 - val_fraction) * characters, as Python's int(0.9 * n) gives for 0.1, but at least 1. The
// product is formed so that a fraction that is exact in decimal is exact here: 0.9 of 10 characters
// leaves 1.
int64_t training_characters(int64_t characters, double val_fraction);

}  // namespace inkstone
