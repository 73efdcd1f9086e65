// How many rows of prompts a pass may take, so that what is being written does not wait for them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace inkstone {

// Bits never depend on it: a text is the same however its prompt was cut.
class Pace {
 public:
  // `most` rows where nothing waits; beside other rows as many as `ms` allow.
  Pace(int64_t most, double ms) : most_(most), ms_(ms) {}

  // Beside `decoding` rows; at least a few, so that prompts go on.
  int64_t prompt_rows(int64_t decoding) const {
    if (decoding == 0) return most_;
    const double all = rows_per_ms_ * ms_;
    return std::clamp(static_cast<int64_t>(std::min(all, 1e9)) - decoding, std::min(kFewest, most_),
                      most_);
  }

  // What a pass took. Those of few rows tell nothing: they are limited by reading the weights.
  void measured(int64_t rows, double ms) {
    if (rows < kFewest || ms <= 0) return;
    const double now = static_cast<double>(rows) / ms;
    rows_per_ms_ = rows_per_ms_ == 0 ? now : 0.75 * rows_per_ms_ + 0.25 * now;
  }

 private:
  static constexpr int64_t kFewest = 16;
  int64_t most_;
  double ms_;
  double rows_per_ms_ = 0;  // 0: nothing measured yet
};

}  // namespace inkstone
