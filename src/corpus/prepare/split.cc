#include "corpus/prepare/split.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace inkstone {

bool hash_validates(uint64_t hash, double val_fraction) {
  return static_cast<double>(hash >> 11) * 0x1.0p-53 < val_fraction;
}

bool is_cut(int64_t characters, int64_t all_characters, double val_fraction) {
  const double own = static_cast<double>(characters);
  return own > 2 * val_fraction * static_cast<double>(all_characters) &&
         own * val_fraction >= static_cast<double>(kLeastValidation_characters);
}

void SplitPlanner::add(uint64_t hash) {
  const size_t index = validates_.size();
  if (index == 0 || hash < smallest_) smallest_ = hash, smallest_at_ = index;
  if (index == 0 || hash > largest_) largest_ = hash, largest_at_ = index;
  validates_.push_back(hash_validates(hash, val_fraction_));
  validating_ += validates_.back() ? 1 : 0;
}

std::vector<bool> SplitPlanner::finish(bool fills_both) {
  if (fills_both && validates_.size() >= 2 && val_fraction_ > 0) {
    if (validating_ == 0) validates_[smallest_at_] = true;
    if (validating_ == validates_.size()) validates_[largest_at_] = false;
  }
  return std::move(validates_);
}

int64_t training_characters(int64_t characters, double val_fraction) {
  // The rounding errors of val_fraction, of the difference and of the product are together below
  // characters * (2^-54 + 2^-54 + 2^-53) = characters * 2^-52.
  const double n = static_cast<double>(characters);
  const double exact = n * (1 - val_fraction) + n * 0x1.0p-52;
  return std::clamp<int64_t>(static_cast<int64_t>(std::floor(exact)), 1, characters);
}

}  // namespace inkstone
