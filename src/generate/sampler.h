// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "inkstone/generator.h"

namespace inkstone {

// What a draw produced.
struct Choice {
  TokenId token = 0;
  float log_prob = 0;  // log softmax(logits)[token]: before any filter, at temperature 1
};

// Sets the logits of what must not be drawn to -infinity, but not of all.
using BarLogits = std::function<void(std::span<float> logits)>;

// Keeps its work space between calls; one per sequence or shared, not by two threads at once.
class Sampler {
 public:
  // `logits` [V] (only the first `usable` ids may be drawn); `history`: the tokens so far, oldest
  // first, for the repetition penalty; `uniform` in [0, 1) decides the draw: the smallest id, in
  // the order of falling probability, whose cumulative probability exceeds it. Filters act in the
  // order of SamplingOptions, `bar` behind the repetition penalty. Each filter keeps at least the
  // most probable token. Throws kInvalidData if a logit is NaN or all are -infinity.
  Choice choose(std::span<const float> logits, int64_t usable, std::span<const TokenId> history,
                const SamplingOptions& options, double uniform, const BarLogits& bar = {});

  // The candidates that the last choose() drew from, most probable first, with their probabilities;
  // empty when greedy.
  struct Candidate {
    float logit;
    TokenId token;
    double probability;
  };
  std::span<const Candidate> candidates() const { return candidates_; }

 private:
  void penalise_repetition(std::span<const TokenId> history, const SamplingOptions& options);
  void keep_best(int64_t count);
  void weigh(double temperature);
  void keep_nucleus(double top_p);
  void drop_improbable(double min_p);

  std::vector<float> logits_;
  std::vector<uint8_t> seen_;
  std::vector<Candidate> candidates_;
};

}  // namespace inkstone
