#include "generate/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"

namespace inkstone {
namespace {

void require(std::string_view name, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    fail(ErrorCode::kUsage, "{} is {}, expected {} to {}", name, value, low, high);
  }
}

double log_sum_exp(std::span<const float> logits) {
  float maximum = -INFINITY;
  for (const float x : logits) maximum = x > maximum ? x : maximum;
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x - maximum));
  if (!std::isfinite(maximum) || !std::isfinite(sum)) {
    fail(ErrorCode::kInvalidData,
         "the model's logits are not finite numbers: its weights are damaged");
  }
  return maximum + std::log(sum);
}

// Falling logits; the lower id first where they are equal.
bool before(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

void validate(const SamplingOptions& o) {
  require("temperature", o.temperature, 0, 100);
  require("top-k", static_cast<double>(o.top_k), 0, 1e9);
  require("top-p", o.top_p, 0, 1);
  require("min-p", o.min_p, 0, 1);
  require("repetition-penalty", o.repetition_penalty, 0.01, 100);
  require("repetition-window", static_cast<double>(o.repetition_window), 0, 1e9);
}

Choice Sampler::choose(std::span<const float> logits, int64_t usable,
                       std::span<const TokenId> history, const SamplingOptions& options,
                       double uniform, const BarLogits& bar) {
  INK_CHECK(usable >= 1 && usable <= static_cast<int64_t>(logits.size()), "usable ids");
  candidates_.clear();
  const double normaliser = log_sum_exp(logits);
  logits_.assign(logits.begin(), logits.begin() + usable);
  penalise_repetition(history, options);
  if (bar) bar(logits_);
  const auto choice = [&](TokenId token) {
    return Choice{token, static_cast<float>(static_cast<double>(logits[token]) - normaliser)};
  };
  if (options.temperature == 0 || options.top_k == 1) {
    return choice(
        static_cast<TokenId>(std::max_element(logits_.begin(), logits_.end()) - logits_.begin()));
  }
  keep_best(options.top_k > 0 ? std::min(options.top_k, usable) : usable);
  weigh(options.temperature);
  if (options.top_p < 1) keep_nucleus(options.top_p);
  if (options.min_p > 0) drop_improbable(options.min_p);
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double left = uniform * total;
  for (Candidate& c : candidates_) c.probability /= total;
  for (const Candidate& c : candidates_) {
    left -= c.probability * total;
    if (left < 0) return choice(c.token);
  }
  return choice(candidates_.back().token);  // rounding left a sliver
}

void Sampler::penalise_repetition(std::span<const TokenId> history,
                                  const SamplingOptions& options) {
  if (options.repetition_penalty == 1) return;
  const auto window = static_cast<size_t>(options.repetition_window);
  if (window > 0 && history.size() > window) history = history.last(window);
  seen_.assign(logits_.size(), 0);
  const auto penalty = static_cast<float>(options.repetition_penalty);
  for (const TokenId token : history) {
    if (token < 0 || static_cast<size_t>(token) >= logits_.size() || seen_[token]) continue;
    seen_[token] = 1;
    logits_[token] = logits_[token] > 0 ? logits_[token] / penalty : logits_[token] * penalty;
  }
}

void Sampler::keep_best(int64_t count) {
  const auto usable = static_cast<int64_t>(logits_.size());
  candidates_.reserve(usable);
  for (int64_t id = 0; id < usable; ++id)
    candidates_.push_back({logits_[id], static_cast<TokenId>(id), 0});
  if (count < usable) {
    std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end(),
                     before);
    candidates_.resize(count);
  }
}

// probability = softmax(logit / temperature).
void Sampler::weigh(double temperature) {
  const float maximum = std::max_element(
                            candidates_.begin(), candidates_.end(),
                            [](const auto& a, const auto& b) { return a.logit < b.logit; })
                            ->logit;
  double total = 0;
  for (Candidate& c : candidates_) {
    c.probability = std::exp((static_cast<double>(c.logit) - maximum) / temperature);
    total += c.probability;
  }
  for (Candidate& c : candidates_) c.probability /= total;
  // What cannot be drawn anyway (below 2^-60 of the mass) need not be sorted.
  std::erase_if(candidates_, [](const Candidate& c) { return c.probability < 0x1.0p-60; });
  std::sort(candidates_.begin(), candidates_.end(), before);
}

void Sampler::keep_nucleus(double top_p) {
  double mass = 0;
  size_t count = 0;
  while (count < candidates_.size() && (count == 0 || mass < top_p))
    mass += candidates_[count++].probability;
  candidates_.resize(count);
}

void Sampler::drop_improbable(double min_p) {
  const double least = min_p * candidates_.front().probability;
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
}

}  // namespace inkstone
