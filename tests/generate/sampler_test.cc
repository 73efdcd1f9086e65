// What may be drawn after each filter, and how often.
#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "support.h"

namespace inkstone {
namespace {

// Probabilities 0.4, 0.3, 0.2, 0.1 of ids 2, 0, 3, 1.
const std::vector<float> kLogits = {std::log(0.3f), std::log(0.1f), std::log(0.4f), std::log(0.2f)};

std::vector<TokenId> drawable(const SamplingOptions& options,
                              const std::vector<TokenId>& history = {}) {
  Sampler sampler;
  sampler.choose(kLogits, 4, history, options, 0.5);
  std::vector<TokenId> ids;
  double total = 0;
  for (const auto& c : sampler.candidates()) ids.push_back(c.token), total += c.probability;
  EXPECT_NEAR(total, 1, 1e-12);
  return ids;
}

using Ids = std::vector<TokenId>;

TEST(Sampler, ZeroTemperatureTakesTheLargestAndTheLowestIdOnATie) {
  Sampler sampler;
  EXPECT_EQ(sampler.choose(kLogits, 4, {}, {.temperature = 0}, 0.99).token, 2);
  EXPECT_EQ(sampler.choose(std::vector<float>{1, 3, 3, 2}, 4, {}, {.temperature = 0}, 0.99).token,
            1);
}

TEST(Sampler, FiltersKeepWhatTheySay) {
  EXPECT_EQ(drawable({}), (Ids{2, 0, 3, 1}));
  EXPECT_EQ(drawable({.top_k = 2}), (Ids{2, 0}));
  EXPECT_EQ(drawable({.top_k = 9}), (Ids{2, 0, 3, 1}));
  EXPECT_EQ(drawable({.top_p = 0.69}), (Ids{2, 0}));
  EXPECT_EQ(drawable({.top_p = 0.71}), (Ids{2, 0, 3}));
  EXPECT_EQ(drawable({.top_p = 0}), (Ids{2}));
  EXPECT_EQ(drawable({.min_p = 0.6}), (Ids{2, 0}));
  EXPECT_EQ(drawable({.min_p = 1}), (Ids{2}));
  // Top-k comes before top-p: of 0.4, 0.3 renormalised, 0.57 are enough.
  EXPECT_EQ(drawable({.top_k = 2, .top_p = 0.55}), (Ids{2}));
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  Sampler sampler;
  const std::vector<float> logits = {2, 1.5, -1, -1.1f};
  const SamplingOptions greedy{.temperature = 0, .repetition_penalty = 2};
  EXPECT_EQ(sampler.choose(logits, 4, Ids{0}, greedy, 0).token, 1);
  EXPECT_EQ(sampler.choose(logits, 4, Ids{1}, greedy, 0).token, 0);
  const std::vector<float> negative = {-1, -1.5};
  EXPECT_EQ(sampler.choose(negative, 2, Ids{0}, greedy, 0).token, 1);
  // Only the last `window` tokens count.
  SamplingOptions window = greedy;
  window.repetition_window = 1;
  EXPECT_EQ(sampler.choose(logits, 4, Ids{0, 3}, window, 0).token, 0);
}

TEST(Sampler, ReportsTheModelsOwnLogProbability) {
  Sampler sampler;
  const Choice choice = sampler.choose(kLogits, 4, {}, {.temperature = 0.3, .top_k = 1}, 0.2);
  EXPECT_EQ(choice.token, 2);
  EXPECT_NEAR(choice.log_prob, std::log(0.4), 1e-6);
}

TEST(Sampler, NeverDrawsUnusableIds) {
  Sampler sampler;
  for (int i = 0; i < 100; ++i) EXPECT_LT(sampler.choose(kLogits, 2, {}, {}, i / 100.0).token, 2);
}

TEST(Sampler, WhatIsBarredIsNotThereForTheFilters) {
  Sampler sampler;
  const BarLogits no_two = [](std::span<float> logits) { logits[2] = -INFINITY; };
  const auto drawn = [&](const SamplingOptions& options, double uniform) {
    return sampler.choose(kLogits, 4, {}, options, uniform, no_two);
  };
  EXPECT_EQ(drawn({.temperature = 0}, 0.5).token, 0);
  EXPECT_EQ(drawn({.top_k = 1}, 0.5).token, 0);
  for (const double uniform : {0.0, 0.3, 0.9, 0.999999}) {
    EXPECT_NE(drawn({}, uniform).token, 2);
    EXPECT_NE(drawn({.top_k = 2}, uniform).token, 1);  // 0 and 3 are left
    EXPECT_EQ(drawn({.top_p = 0.1}, uniform).token, 0);
    EXPECT_EQ(drawn({.min_p = 0.9}, uniform).token, 0);
  }
  // Of 0.3, 0.2, 0.1 the first has a half; its own probability stays that of the model.
  EXPECT_EQ(drawn({}, 0.49).token, 0);
  EXPECT_EQ(drawn({}, 0.51).token, 3);
  EXPECT_NEAR(drawn({}, 0).log_prob, std::log(0.3), 1e-6);
}

TEST(Sampler, DrawsAsOftenAsTheProbabilitiesSay) {
  Sampler sampler;
  std::mt19937_64 random(1);
  std::map<TokenId, int> count;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) {
    ++count[sampler
                .choose(kLogits, 4, {}, {.temperature = 0.5},
                        std::uniform_real_distribution<>()(random))
                .token];
  }
  // Temperature 1/2 squares the probabilities: 0.16, 0.09, 0.04, 0.01 over their sum.
  const std::map<TokenId, double> expected = {
      {2, 0.16 / 0.3}, {0, 0.09 / 0.3}, {3, 0.04 / 0.3}, {1, 0.01 / 0.3}};
  for (const auto& [token, p] : expected) {
    // Five standard deviations of a binomial share.
    EXPECT_NEAR(count[token] / double{kDraws}, p, 5 * std::sqrt(p * (1 - p) / kDraws)) << token;
  }
}

// As sampler.h says it: everything sorted, filtered and added up one by one. Also by how much of
// the mass another token was missed.
std::pair<TokenId, double> drawn_plainly(const std::vector<float>& logits, const SamplingOptions& o,
                                         double uniform) {
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  if (o.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(o.top_k)));
  std::vector<double> p;
  for (const TokenId id : order)
    p.push_back(std::exp((logits[id] - logits[order[0]]) / o.temperature));
  double near = 1;
  const auto normalise = [&] {
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= total;
  };
  const auto reaching = [&](double mass) {
    double sum = 0;
    size_t count = 0;
    while (count < p.size() && (count == 0 || sum < mass)) {
      near = std::min(near, std::fabs(sum - mass));
      sum += p[count++];
    }
    near = std::min(near, std::fabs(sum - mass));
    return count;
  };
  normalise();
  if (o.top_p < 1) p.resize(reaching(o.top_p));
  while (p.back() < o.min_p * p[0]) p.pop_back();
  normalise();
  return {order[reaching(uniform) - 1], near};
}

TEST(Sampler, DrawsWhatSortingAllWouldDraw) {
  Sampler sampler;
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  int compared = 0;
  for (const size_t size : {1u, 2u, 31u, 33u, 64u, 1000u, 5003u}) {
    for (int round = 0; round < 60; ++round) {
      std::vector<float> logits(size);
      const float spread = round % 3 == 0 ? 0.1f : round % 3 == 1 ? 2.0f : 12.0f;
      for (float& x : logits) x = std::round(normal(random) * spread * 8) / 8;  // some are equal
      SamplingOptions options;
      options.temperature = round % 2 == 0 ? 1 : 0.7;
      if (round % 5 == 1) options.top_k = 40;
      if (round % 5 == 2) options.top_p = 0.9;
      if (round % 5 == 3) options.min_p = 0.05;
      if (round % 5 == 4) options.top_k = 200, options.top_p = 0.5, options.min_p = 0.01;
      const double uniform = std::uniform_real_distribution<>()(random);
      const auto [token, near] = drawn_plainly(logits, options, uniform);
      if (near < 1e-12) continue;  // another order of adding may decide otherwise
      ++compared;
      EXPECT_EQ(sampler.choose(logits, static_cast<int64_t>(size), {}, options, uniform).token,
                token)
          << size << " ids, round " << round;
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(Sampler, ABarredTokenFarAboveAllOthersLeavesThemTheirProbabilities) {
  Sampler sampler;
  const std::vector<float> logits = {2000, std::log(0.75f), std::log(0.25f)};
  const BarLogits no_zero = [](std::span<float> drawable) { drawable[0] = -INFINITY; };
  EXPECT_EQ(sampler.choose(logits, 3, {}, {}, 0.7, no_zero).token, 1);
  EXPECT_EQ(sampler.choose(logits, 3, {}, {}, 0.8, no_zero).token, 2);
}

// The probabilities may add up to less than the largest draw.
TEST(Sampler, WhatIsBarredIsNotWhatRoundingLeaves) {
  Sampler sampler;
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  const BarLogits no_odd = [](std::span<float> drawable) {
    for (size_t i = 1; i < drawable.size(); i += 2) drawable[i] = -INFINITY;
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<float> logits(1000);
    for (float& x : logits) x = normal(random);
    EXPECT_EQ(sampler.choose(logits, 1000, {}, {}, std::nextafter(1.0, 0.0), no_odd).token % 2, 0);
  }
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  Sampler sampler;
  for (const float bad : {NAN, INFINITY}) {
    const std::vector<float> logits = {0, bad, 1};
    EXPECT_EQ(test::thrown_by([&] { sampler.choose(logits, 3, {}, {}, 0.5); }).code(),
              ErrorCode::kInvalidData);
  }
  // Finite ones that are none behind the penalty, or that may be drawn.
  const auto refused = [&](const std::vector<float>& logits, int64_t usable,
                           const std::vector<TokenId>& history, double penalty) {
    const SamplingOptions options{.repetition_penalty = penalty};
    return test::thrown_by([&] { sampler.choose(logits, usable, history, options, 0.5); }).code();
  };
  EXPECT_EQ(refused({2e38f, 1}, 2, {0}, 0.5), ErrorCode::kInvalidData);
  EXPECT_EQ(refused({-INFINITY, -INFINITY, 0}, 2, {}, 1), ErrorCode::kInvalidData);
}

// Whatever the temperature, and where all are alike.
TEST(Sampler, DrawsAtTheEndsOfItsRanges) {
  Sampler sampler;
  const std::vector<float> alike(100, 3.0f), rising = [] {
    std::vector<float> x(100);
    std::iota(x.begin(), x.end(), -50.0f);
    return x;
  }();
  const auto token = [&](const std::vector<float>& logits, const SamplingOptions& options,
                         double uniform) {
    return sampler.choose(logits, 100, {}, options, uniform).token;
  };
  EXPECT_EQ(token(alike, {}, 0), 0);
  EXPECT_EQ(token(alike, {}, 0.505), 50);
  EXPECT_EQ(token(alike, {.min_p = 1}, 0.505), 50);
  EXPECT_EQ(token(alike, {.top_p = 1e-9}, 0.99), 0);
  EXPECT_EQ(token(rising, {.temperature = 1e-30}, 0.99), 99);
  EXPECT_EQ(token(rising, {.temperature = 1e30}, 0.505), 49);
  EXPECT_EQ(token(rising, {.top_k = 60, .min_p = 1}, 0.99), 99);
}

TEST(SamplingOptions, RangesAreChecked) {
  for (const SamplingOptions& bad : {SamplingOptions{.temperature = -1},
                                     {.temperature = NAN},
                                     {.top_k = -1},
                                     {.top_p = 1.5},
                                     {.min_p = -0.1},
                                     {.repetition_penalty = 0},
                                     {.repetition_window = -2}}) {
    EXPECT_EQ(test::thrown_by([&] { validate(bad); }).code(), ErrorCode::kUsage);
  }
  EXPECT_NO_THROW(validate(SamplingOptions{}));
}

}  // namespace
}  // namespace inkstone
