#include "train/batches.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "corpus.h"

namespace inkstone {
namespace {

class Batches : public ::testing::Test {
 protected:
  Batches() {
    test::prepare_text(scratch / "data", test::rhyme(60));
    options = test::tiny_run(scratch / "data", scratch / "run");
  }
  TrainingBatches batches_of(const TokenStream& stream) const {
    const double weight = 1;
    return TrainingBatches(std::span(&stream, 1), std::span(&weight, 1), options,
                           {.context = 16, .vocab_size = 300});
  }

  const test::ScratchFolder scratch;
  TrainOptions options;
};

TEST_F(Batches, TargetsAreTheNextTokensAndOnlyTheStepCounts) {
  const TokenStream stream(options.data.front(), "train");
  const TrainingBatches batches = batches_of(stream), again = batches_of(stream);
  TokenBatch a, b;
  batches.read(3, 0, a);
  ASSERT_EQ(a.inputs.size(), 4u * 16);
  for (size_t n = 0; n + 1 < 16; ++n) EXPECT_EQ(a.targets[n], a.inputs[n + 1]);
  again.read(7, 0, b);
  EXPECT_NE(a.inputs, b.inputs);
  again.read(3, 0, b);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.targets, b.targets);
}

TEST_F(Batches, MaskingReplacesInputsAtItsRateAndNoTargets) {
  const TokenStream stream(options.data.front(), "train");
  const TrainingBatches plain = batches_of(stream);
  options.mask_rate = {0.25, 0.25};
  const TrainingBatches masked = batches_of(stream);
  TokenBatch a, b;
  int64_t changed = 0, total = 0;
  for (int64_t step = 0; step < 100; ++step) {
    plain.read(step, 0, a);
    masked.read(step, 0, b);
    EXPECT_EQ(a.targets, b.targets);
    for (size_t n = 0; n < a.inputs.size(); ++n) changed += a.inputs[n] != b.inputs[n];
    total += static_cast<int64_t>(a.inputs.size());
  }
  // A draw may give the same token (1 in 300); five standard errors around the rate.
  const double rate = static_cast<double>(changed) / static_cast<double>(total);
  EXPECT_NEAR(rate, 0.25 * 299 / 300, 5 * std::sqrt(0.25 * 0.75 / static_cast<double>(total)));
}

TEST_F(Batches, AShortTextHasShortWindows) {
  test::prepare_text(scratch / "short", "abcabcabca");
  const TokenStream stream(scratch / "short", "train");
  ASSERT_EQ(stream.count(), 9);
  const TrainingBatches batches = batches_of(stream);
  EXPECT_EQ(batches.window(), 8);
  TokenBatch batch;
  batches.read(5, 0, batch);
  EXPECT_EQ(batch.inputs.size(), 4u * 8);
}

// Every row of a mixture is a window of the stream that the mixture names, and each stream's
// windows come once an epoch.
TEST_F(Batches, OfAMixtureHaveTheWindowsOfEachStreamInItsOrder) {
  const std::string text = test::rhyme(60);
  const Tokenizer tokenizer = test::character_tokenizer(text);
  std::vector<TokenStream> streams;
  test::prepare_text(scratch / "a", text, tokenizer);
  test::prepare_text(scratch / "b", test::rhyme(40), tokenizer);
  for (const char* name : {"a", "b"}) streams.emplace_back(scratch / name, "train");
  const std::vector<double> weights = {0.75, 0.25};
  const TrainingBatches batches(streams, weights, options, {.context = 16, .vocab_size = 300});
  const Mixture mixture(weights, options.seed);
  std::vector<std::set<int64_t>> indices(2);
  TokenBatch batch;
  std::vector<TokenId> expected(17);
  for (int64_t step = 0; step < 100; ++step) {
    batches.read(step, 0, batch);
    for (int64_t b = 0; b < 4; ++b) {
      const auto [source, index] = mixture.draw(step * 4 + b);
      EXPECT_TRUE(indices[source].insert(index).second);
      // The second stream's order has a seed of its own; the first one's is the run's.
      const WindowOrder order(streams[source].count(), 16,
                              options.seed + source * 0x9E3779B97F4A7C15u);
      streams[source].read(order.begin(index), expected);
      for (int64_t t = 0; t < 16; ++t) {
        ASSERT_EQ(batch.inputs[static_cast<size_t>(b * 16 + t)], expected[static_cast<size_t>(t)]);
        ASSERT_EQ(batch.targets[static_cast<size_t>(b * 16 + t)],
                  expected[static_cast<size_t>(t + 1)]);
      }
    }
  }
  EXPECT_NEAR(static_cast<double>(indices[0].size()), 300, 2);
  EXPECT_NEAR(static_cast<double>(indices[1].size()), 100, 2);
}

// An even mixture alternates, and so do windows that are read in both directions: each stream has
// its part of them all the same.
TEST_F(Batches, EveryStreamOfAMixtureHasItsPartOfTheMaskedWindows) {
  const std::string text = test::rhyme(60);
  const Tokenizer tokenizer = test::character_tokenizer(text);
  std::vector<TokenStream> streams;
  for (const char* name : {"a", "b"}) {
    test::prepare_text(scratch / name, text, tokenizer);
    streams.emplace_back(scratch / name, "train");
  }
  options.masked_fraction = 0.5;
  const std::vector<double> weights = {1, 1};
  const TrainingBatches batches(streams, weights, options,
                                {.context = 16, .vocab_size = 300, .mask = 299});
  const Mixture mixture(weights, options.seed);
  std::vector<int> masked(2);
  TokenBatch batch;
  for (int64_t step = 0; step < 100; ++step) {
    batches.read(step, 0, batch);
    for (int64_t b = 0; b < 4; ++b) {
      const bool sees_all = batch.last_keys[static_cast<size_t>(b * 16)] == 15;
      masked[mixture.draw(step * 4 + b).source] += sees_all ? 1 : 0;
    }
  }
  EXPECT_NEAR(masked[0], 100, 1);
  EXPECT_NEAR(masked[1], 100, 1);
}

TEST_F(Batches, AlignedBeginWhereDocumentsBegin) {
  const std::string text = test::songs(40);
  const Tokenizer tokenizer = test::character_tokenizer(text);
  test::prepare_text(scratch / "songs", text, tokenizer);
  const TokenStream stream(scratch / "songs", "train");
  options.align_documents = true;
  const double weight = 1;
  const TrainingBatches batches(
      std::span(&stream, 1), std::span(&weight, 1), options,
      {.context = 100, .vocab_size = 300, .end_of_text = tokenizer.end_of_text()});
  ASSERT_GT(batches.windows_per_epoch(), 10);
  TokenBatch batch;
  for (int64_t step = 0; step < 10; ++step) {
    batches.read(step, 0, batch);
    for (int64_t b = 0; b < 4; ++b) {
      const auto row = std::span(batch.inputs).subspan(static_cast<size_t>(b * 100), 100);
      const bool whole = std::find(row.begin(), row.end(), *tokenizer.end_of_text()) == row.end();
      // A row inside one document may go on with it; all others begin with the first words of a
      // song.
      if (!whole) {
        EXPECT_EQ(tokenizer.decode(row.first(21)).substr(1), " little ducks went o");
      }
    }
  }
}

}  // namespace
}  // namespace inkstone
