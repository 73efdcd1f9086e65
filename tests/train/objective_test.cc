// Objectives: which windows, words and prompts they draw, what stays predicted, and that all of it
// depends on (seed, window) alone.
#include "train/objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "corpus.h"
#include "train/batches.h"

namespace inkstone {
namespace {

constexpr int64_t kT = 64;
constexpr TokenId kEnd = 0, kMask = 99;

// A window of a text in which token 0 ends a document now and then.
TokenBatch window_of(int64_t window) {
  TokenBatch batch;
  for (int64_t t = 0; t <= kT; ++t) {
    const int64_t place = window * kT + t;
    const auto token = static_cast<TokenId>(place % 17 == 5 ? kEnd : 1 + place * 7 % 97);
    if (t < kT) batch.inputs.push_back(token);
    if (t > 0) batch.targets.push_back(token);
  }
  return batch;
}

template <typename Set>
TrainOptions options_with(Set&& set) {
  TrainOptions options;
  set(options);
  return options;
}

TrainOptions masking(double low, double high, MaskWith with) {
  return options_with([&](TrainOptions& o) { o.mask_rate = {low, high}, o.mask_with = with; });
}

Objective objective(const TrainOptions& options) {
  return Objective(options, {.vocab_size = 98, .end_of_text = kEnd, .mask = kMask});
}

TokenBatch made(const TrainOptions& options, int64_t window) {
  TokenBatch batch = window_of(window);
  objective(options).apply(window, window, 0, kT, batch);
  return batch;
}

TEST(Objective, PlainSaysNothing) {
  const TokenBatch batch = made({}, 3), plain = window_of(3);
  EXPECT_EQ(batch.inputs, plain.inputs);
  EXPECT_EQ(batch.targets, plain.targets);
  EXPECT_TRUE(batch.weights.empty() && batch.positions.empty() && batch.first_keys.empty());
}

TEST(Objective, DependsOnSeedAndWindowAlone) {
  const TrainOptions options = options_with([](TrainOptions& o) {
    o.mask_rate = {0.1, 0.5}, o.masked_fraction = 0.3, o.seed = 7;
    o.prefix_lm = o.separate_documents = true;
  });
  TrainOptions other = options;
  other.seed = 8;
  int64_t differ = 0;
  for (int64_t window = 0; window < 50; ++window) {
    const TokenBatch a = made(options, window), b = made(options, window);
    EXPECT_EQ(a.inputs, b.inputs);
    EXPECT_EQ(a.targets, b.targets);
    EXPECT_EQ(a.last_keys, b.last_keys);
    differ += made(other, window).last_keys != a.last_keys;
  }
  EXPECT_GT(differ, 25);
}

TEST(Objective, DocumentsBeginAtEndMarksAndSeeOnlyThemselves) {
  const TokenBatch batch = made(options_with([](auto& o) { o.separate_documents = true; }), 2);
  EXPECT_EQ(batch.targets, window_of(2).targets);  // everything is predicted
  int64_t begin = 0, documents = 0;
  for (int64_t t = 0; t < kT; ++t) {
    if (batch.inputs[t] == kEnd) begin = t, ++documents;
    EXPECT_EQ(batch.positions[t], t - begin);
    EXPECT_EQ(batch.first_keys[t], begin);
    EXPECT_EQ(batch.last_keys[t], t);
  }
  EXPECT_GT(documents, 2);
}

TEST(Objective, PrefixesAreSeenWholeAndNotPredicted) {
  const TrainOptions options = options_with([](TrainOptions& o) { o.prefix_lm = true; });
  std::vector<int64_t> lengths;
  for (int64_t window = 0; window < 2000; ++window) {
    const TokenBatch batch = made(options, window), plain = window_of(window);
    const int64_t prefix = batch.last_keys[0] + 1;
    for (int64_t t = 0; t < kT; ++t) {
      EXPECT_EQ(batch.first_keys[t], 0);
      EXPECT_EQ(batch.last_keys[t], std::max(t, prefix - 1));
      EXPECT_EQ(batch.positions[t], t);
      EXPECT_EQ(batch.targets[t], t + 1 < prefix ? -1 : plain.targets[t]);
    }
    lengths.push_back(prefix);
  }
  // Uniform in 1 to T - 1: mean T / 2, deviation T / sqrt(12); five standard errors.
  EXPECT_EQ(*std::ranges::min_element(lengths), 1);
  EXPECT_EQ(*std::ranges::max_element(lengths), kT - 1);
  const double mean = std::accumulate(lengths.begin(), lengths.end(), 0.0) / 2000;
  EXPECT_NEAR(mean, kT / 2.0, 5 * kT / std::sqrt(12.0 * 2000));
}

// What a mask of rate 0.1 to 0.5 hides differs from window to window; of a rate alone it does not.
TEST(Objective, TheRateIsDrawnForEachWindow) {
  const auto squares = [](const TrainOptions& options) {
    double sum = 0, square = 0;
    constexpr int64_t kWindows = 1000;
    for (int64_t window = 0; window < kWindows; ++window) {
      const TokenBatch batch = made(options, window);
      const double rate = static_cast<double>(std::ranges::count(batch.inputs, kMask)) / kT;
      sum += rate / kWindows, square += rate * rate / kWindows;
    }
    return std::pair{sum, square - sum * sum};
  };
  const MaskWith mask = MaskWith::kMask;
  const auto [one, one_variance] = squares(masking(0.3, 0.3, mask));
  const auto [drawn, drawn_variance] = squares(masking(0.1, 0.5, mask));
  // p (1 - p) / T of one rate; of drawn ones their own variance, 0.4^2 / 12, beside it.
  const double binomial = 0.3 * 0.7 / kT;
  EXPECT_NEAR(one, 0.3, 5 * std::sqrt(binomial / 1000));
  EXPECT_NEAR(drawn, 0.3, 5 * std::sqrt((binomial + 0.16 / 12) / 1000));
  EXPECT_NEAR(one_variance / binomial, 1, 0.25);
  EXPECT_NEAR(drawn_variance / (binomial + 0.16 / 12), 1, 0.25);
}

TEST(Objective, MaskedTokensAreAlwaysPredicted) {
  for (const bool prefix : {false, true}) {
    TrainOptions options = masking(0.3, 0.3, MaskWith::kMask);
    options.prefix_lm = prefix;
    for (int64_t window = 0; window < 100; ++window) {
      const TokenBatch batch = made(options, window), plain = window_of(window);
      for (int64_t t = 1; t < kT; ++t) {
        if (batch.inputs[t] == kMask) {
          EXPECT_EQ(batch.targets[t - 1], plain.inputs[t]);
        } else {
          EXPECT_EQ(batch.inputs[t], plain.inputs[t]);
        }
      }
    }
  }
}

TEST(Objective, AFractionOfTheWindowsIsReadBothWays) {
  const TrainOptions options = options_with([](TrainOptions& o) { o.masked_fraction = 0.125; });
  const Objective o = objective(options);
  int64_t both = 0;
  for (int64_t window = 0; window < 800; ++window) {
    const TokenBatch batch = made(options, window), plain = window_of(window);
    if (!o.reads_both_ways(window)) {
      EXPECT_EQ(batch.inputs, plain.inputs);
      EXPECT_EQ(batch.targets, plain.targets);
      EXPECT_EQ(batch.last_keys[5], 5);
      continue;
    }
    ++both;
    EXPECT_NEAR(static_cast<double>(both), 0.125 * static_cast<double>(window + 1), 1);
    for (int64_t t = 0; t < kT; ++t) {
      EXPECT_EQ(batch.first_keys[t], 0);
      EXPECT_EQ(batch.last_keys[t], kT - 1);
      // Nothing but what is masked is predicted, for everything else is seen.
      const bool masked = t + 1 < kT && batch.inputs[t + 1] == kMask;
      EXPECT_EQ(batch.targets[t], masked ? plain.inputs[t + 1] : -1);
    }
    EXPECT_NE(batch.inputs[0], kMask);  // no position before it
  }
  EXPECT_EQ(both, 100);
}

TEST(Objective, WordsAreMaskedWhole) {
  const std::string text = "Somewhere the unbelievable ducks went swimming, 我们都在这里. naïve";
  bool done = false;
  const Tokenizer tokenizer = Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional(text);
      },
      {.vocab_size = 280});
  const std::vector<TokenId> ids = tokenizer.encode(text);
  const WordBounds words(tokenizer);
  std::vector<std::string> found;
  TokenId before = -1;
  for (const TokenId id : ids) {
    if (!words.joined(before, id)) found.emplace_back();
    found.back() += tokenizer.token_bytes(id);
    before = id;
  }
  std::string joined;
  for (const std::string& word : found) joined += word;
  EXPECT_EQ(joined, text);
  // The blank in front of a word may be a token of its own.
  for (const std::string word :
       {"Somewhere", "the", "unbelievable", "ducks", "swimming", "们", "都", "在"}) {
    EXPECT_TRUE(std::ranges::find(found, word) != found.end() ||
                std::ranges::find(found, " " + word) != found.end())
        << word;
  }
}

}  // namespace
}  // namespace inkstone
