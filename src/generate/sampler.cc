#include "generate/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "base/error.h"

namespace inkstone {
namespace {

// Falling logits; the lower id first where they are equal.
bool before(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

void fail_damaged_logits() {
  fail(ErrorCode::kInvalidData,
       "the model's logits are not finite numbers: its weights are damaged");
}

Choice Sampler::choose(std::span<const float> logits, int64_t usable,
                       std::span<const TokenId> history, const SamplingOptions& options,
                       double uniform, const BarLogits& bar) {
  INK_CHECK(usable >= 1 && usable <= static_cast<int64_t>(logits.size()), "usable ids");
  candidates_.clear();
  exponentiate(logits);
  logits_.assign(logits.begin(), logits.begin() + usable);
  penalise_repetition(history, options);
  if (bar) bar(logits_);
  const auto choice = [&](TokenId token) { return Choice{token, log_prob(logits[token])}; };
  const auto best = std::max_element(logits_.begin(), logits_.end());
  if (!std::isfinite(*best)) fail_damaged_logits();
  if (options.temperature == 0 || options.top_k == 1)
    return choice(static_cast<TokenId>(best - logits_.begin()));
  keep_best(options.top_k > 0 ? std::min(options.top_k, usable) : usable);
  weigh(logits, *best, options.temperature);
  if (options.top_p < 1) keep_nucleus(options.top_p);
  if (options.min_p > 0) drop_improbable(options.min_p);
  return choice(reaching(uniform).token);
}

float Sampler::log_prob(float logit) const {
  return static_cast<float>(static_cast<double>(logit - maximum_) - std::log(sum_));
}

// Few are asked for: each logit meets the worst of those first.
std::vector<TokenLogProb> Sampler::likeliest(std::span<const float> logits, int64_t usable,
                                             int64_t count) const {
  std::vector<Candidate> best;  // sorted
  const auto most = static_cast<size_t>(std::min(count, usable));
  for (int64_t id = 0; id < usable && most > 0; ++id) {
    const Candidate next{logits[id], static_cast<TokenId>(id), 0};
    if (best.size() == most && !before(next, best.back())) continue;
    if (best.size() == most) best.pop_back();
    best.insert(std::ranges::upper_bound(best, next, before), next);
  }
  std::vector<TokenLogProb> result;
  for (const Candidate& c : best) result.push_back({c.token, log_prob(c.logit)});
  return result;
}

std::vector<Sampler::Candidate> Sampler::candidates() const {
  std::vector<Candidate> sorted = candidates_;
  std::sort(sorted.begin(), sorted.end(), before);
  return sorted;
}

void Sampler::exponentiate(std::span<const float> logits) {
  maximum_ = -INFINITY;
  for (const float x : logits) maximum_ = x > maximum_ ? x : maximum_;
  exponentials_.resize(logits.size());
  sum_ = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    exponentials_[i] = std::exp(static_cast<double>(logits[i] - maximum_));
    sum_ += exponentials_[i];
  }
  if (!std::isfinite(maximum_) || !std::isfinite(sum_)) fail_damaged_logits();
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

// Whenever twice as many have come together, the better half stays, and what is no better than its
// worst is passed over from then on.
void Sampler::keep_best(int64_t count) {
  const auto usable = static_cast<int64_t>(logits_.size());
  const auto most = static_cast<size_t>(std::min(2 * count, usable));
  candidates_.reserve(most);
  float worst = -INFINITY;
  const auto keep_count = [&] {
    const auto last = candidates_.begin() + (count - 1);
    std::nth_element(candidates_.begin(), last, candidates_.end(), before);
    worst = last->logit;
    candidates_.resize(static_cast<size_t>(count));
  };
  for (int64_t id = 0; id < usable; ++id) {
    if (candidates_.size() >= static_cast<size_t>(count) && logits_[id] <= worst) continue;
    candidates_.push_back({logits_[id], static_cast<TokenId>(id), 0});
    if (candidates_.size() == most && count < usable) keep_count();
  }
  if (std::ssize(candidates_) > count) keep_count();
}

// probability = softmax(logit / temperature), by the exponentials that are there where they are the
// same.
void Sampler::weigh(std::span<const float> logits, float best, double temperature) {
  const bool are_there = temperature == 1 && best == maximum_;
  for (Candidate& c : candidates_) {
    c.probability = are_there && c.logit == logits[c.token]
                        ? exponentials_[c.token]
                        : std::exp((static_cast<double>(c.logit) - best) / temperature);
  }
  normalise();
  // What is barred, or cannot be drawn anyway, is not what rounding may leave.
  std::erase_if(candidates_, [](const Candidate& c) { return c.probability < 0x1p-60; });
}

void Sampler::normalise() {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  const double inverse = 1 / total;
  for (Candidate& c : candidates_) c.probability *= inverse;
}

namespace {

// Of classes of equal width from the best to the worst logit of some candidates, the one in which
// their mass, the best first, exceeds `mass`.
class LogitClass {
 public:
  LogitClass(std::span<const Sampler::Candidate> candidates, double mass) {
    float best = -INFINITY, worst = INFINITY;
    for (const auto& c : candidates)
      best = std::max(best, c.logit), worst = std::min(worst, c.logit);
    top_ = best;
    if (best > worst) per_logit_ = kClasses / (top_ - worst);
    std::array<double, kClasses> masses{};
    for (const auto& c : candidates) masses[class_of(c)] += c.probability;
    const int last = per_logit_ > 0 ? kClasses - 1 : 0;  // never empty
    for (; wanted_ < last && mass >= masses[wanted_]; ++wanted_) mass -= masses[wanted_];
    mass_ = mass;
  }
  // What is wanted of the class alone.
  double mass() const { return mass_; }
  bool has(const Sampler::Candidate& c) const { return class_of(c) == wanted_; }

 private:
  static constexpr int kClasses = 1024;
  int class_of(const Sampler::Candidate& c) const {
    return std::min(kClasses - 1, static_cast<int>((top_ - c.logit) * per_logit_));
  }
  double top_ = 0, per_logit_ = 0, mass_ = 0;
  int wanted_ = 0;
};

// The better half has enough mass, or its mass counts and the other half is left.
void halve(std::vector<Sampler::Candidate>& candidates, double& mass) {
  const auto middle = candidates.begin() + std::ssize(candidates) / 2;
  std::nth_element(candidates.begin(), middle, candidates.end(), before);
  double better = 0;
  for (auto c = candidates.begin(); c != middle; ++c) better += c->probability;
  if (mass < better) {
    candidates.erase(middle, candidates.end());
  } else {
    mass -= better;
    candidates.erase(candidates.begin(), middle);
  }
}

}  // namespace

// Nothing but the last few is sorted, in a time that is linear in all of them.
Sampler::Candidate Sampler::reaching(double mass) {
  constexpr size_t kFew = 32;
  const LogitClass first(candidates_, mass);
  mass = first.mass();
  rest_.clear();
  std::ranges::copy_if(candidates_, std::back_inserter(rest_),
                       [&](const Candidate& c) { return first.has(c); });
  while (rest_.size() > kFew) {
    const LogitClass next(rest_, mass);
    mass = next.mass();
    if (std::erase_if(rest_, [&](const Candidate& c) { return !next.has(c); }) == 0)
      halve(rest_, mass);
  }
  std::ranges::sort(rest_, before);
  auto reached = rest_.begin();
  while (reached + 1 != rest_.end() && (mass -= reached->probability) >= 0) ++reached;
  return *reached;
}

void Sampler::keep_nucleus(double top_p) {
  const Candidate last = reaching(std::nextafter(top_p, 0));  // at least top_p, not above it
  std::erase_if(candidates_, [&](const Candidate& c) { return before(last, c); });
  normalise();
}

void Sampler::drop_improbable(double min_p) {
  double most = 0;
  for (const Candidate& c : candidates_) most = std::max(most, c.probability);
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < min_p * most; });
  normalise();
}

}  // namespace inkstone
