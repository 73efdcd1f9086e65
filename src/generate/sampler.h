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

// Throws kInvalidData: the model's logits are not finite numbers.
[[noreturn]] void fail_damaged_logits();

// Sets the logits of what must not be drawn to -infinity, but not of all.
using BarLogits = std::function<void(std::span<float> logits)>;

// Keeps its work space, up to 45 bytes for each id, between calls: one for each thread.
class Sampler {
 public:
  // `logits` [V] (only the first `usable` ids may be drawn); `history`: the tokens so far, oldest
  // first, for the repetition penalty; `uniform` in [0, 1) decides the draw: the smallest id, in
  // the order of falling probability, whose cumulative probability exceeds it. Filters act in the
  // order of SamplingOptions, `bar` behind the repetition penalty. Each filter keeps at least the
  // most probable token. Throws kInvalidData if a logit is NaN or all are -infinity.
  Choice choose(std::span<const float> logits, int64_t usable, std::span<const TokenId> history,
                const SamplingOptions& options, double uniform, const BarLogits& bar = {});

  // The most likely `count` ids of the last choose(), or all that may be drawn: before any filter.
  // `logits` and `usable` are those that it was given.
  std::vector<TokenLogProb> likeliest(std::span<const float> logits, int64_t usable,
                                      int64_t count) const;

  struct Candidate {
    float logit;
    TokenId token;
    double probability;
  };
  // Those that the last choose() drew from, most probable first, with their probabilities; empty
  // when greedy.
  std::vector<Candidate> candidates() const;

 private:
  void exponentiate(std::span<const float> logits);
  float log_prob(float logit) const;
  void penalise_repetition(std::span<const TokenId> history, const SamplingOptions& options);
  void keep_best(int64_t count);
  void weigh(std::span<const float> logits, float best, double temperature);
  void normalise();
  // The first candidate, in the order of falling probability, with which their mass exceeds `mass`
  // (of rounding the last one).
  Candidate reaching(double mass);
  void keep_nucleus(double top_p);
  void drop_improbable(double min_p);

  float maximum_ = 0;                 // of all logits
  std::vector<double> exponentials_;  // e^(logit - maximum) of all
  double sum_ = 0;                    // of these
  std::vector<float> logits_;         // those that may be drawn, penalised and barred
  std::vector<uint8_t> seen_;
  std::vector<Candidate> candidates_;  // in no order
  std::vector<Candidate> rest_;        // of them those that reaching() looks at
};

}  // namespace inkstone
