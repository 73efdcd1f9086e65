// What the windows of a run are made of besides their text: what each position sees, what is masked
// and what is predicted. Pure functions of (options, window).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"
#include "inkstone/trainer.h"
#include "train/token_batch.h"
#include "train/word_bounds.h"

namespace inkstone {

// What objectives know of the vocabulary.
struct ObjectiveTokens {
  int64_t vocab_size = 0;  // a random token is below it
  std::optional<TokenId> end_of_text = std::nullopt, mask = std::nullopt;
  WordBounds words = {};
};

class Objective {
 public:
  // The plain one: everything is predicted from what comes before it.
  Objective() = default;
  // options: validated. The tokens that the options need must be there (INK_CHECK).
  Objective(const TrainOptions& options, ObjectiveTokens tokens);

  // Training window number `window` of the run, number `of_set` of its data set, which is window b
  // of the batch, with its inputs and targets in place.
  void apply(int64_t window, int64_t of_set, int64_t b, int64_t T, TokenBatch& batch) const;

  // Validation window `window`, of which the first `length` positions are text. Nothing is masked,
  // and what is seen does not depend on the run's seed, so that losses of runs can be compared.
  void apply_to_validation(int64_t window, int64_t b, int64_t T, int64_t length,
                           TokenBatch& batch) const;

  // Whether training window number `window` of a data set is read in both directions. Of any n windows in a row
  // n * masked_fraction are, to within one.
  bool reads_both_ways(int64_t window) const;

 private:
  struct Draw;  // of one window

  std::vector<Extent> texts(std::span<const TokenId> inputs) const;
  void draw_prompts(uint64_t seed, int64_t window, std::span<Extent> extents) const;
  bool sees_otherwise() const { return separate_ || prefix_ || masked_share_ > 0; }
  double draw_rate(int64_t window, bool both_ways) const;
  void mask(int64_t window, bool both_ways, std::span<const Extent> extents, int64_t first,
            TokenBatch& batch) const;

  ObjectiveTokens tokens_;
  uint64_t seed_ = 0;
  double rate_low_ = 0, rate_high_ = 0;
  uint64_t masked_share_ = 0;  // in units of 2^-32
  bool separate_ = false, prefix_ = false, with_mask_token_ = false;
};

}  // namespace inkstone
