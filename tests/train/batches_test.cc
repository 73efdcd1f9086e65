#include "train/batches.h"

#include <cmath>

#include "corpus.h"

namespace inkstone {
namespace {

class Batches : public ::testing::Test {
 protected:
  Batches() {
    test::prepare_text(scratch / "data", test::rhyme(60));
    options = test::tiny_run(scratch / "data", scratch / "run");
  }
  const test::ScratchFolder scratch;
  TrainOptions options;
};

TEST_F(Batches, TargetsAreTheNextTokensAndOnlyTheStepCounts) {
  const TokenStream stream(options.data, "train");
  const TrainingBatches batches(stream, options, 16, 300), again(stream, options, 16, 300);
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
  const TokenStream stream(options.data, "train");
  const TrainingBatches plain(stream, options, 16, 300);
  options.mask_rate = 0.25;
  const TrainingBatches masked(stream, options, 16, 300);
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
  const TrainingBatches batches(stream, options, 16, 300);
  EXPECT_EQ(batches.window(), 8);
  TokenBatch batch;
  batches.read(5, 0, batch);
  EXPECT_EQ(batch.inputs.size(), 4u * 8);
}

}  // namespace
}  // namespace inkstone
