// What a run's files say of it, whole, cut, changed and while it trains.
#include "train/run_summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "corpus.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

TEST(RunMetrics, TakesEvaluationsAndTheLastStep) {
  const RunMetrics metrics = run_metrics_from_jsonl(
      "{\"step\":10,\"loss\":5.0,\"elapsed_s\":1.5,\"val_loss\":4.0}\n"
      "{\"step\":20,\"loss\":4.0,\"elapsed_s\":2.5,\"val_loss\":3.0,\"val_tokens\":7,"
      "\"val_nats_per_character\":2.0,"
      "\"val_bits_per_byte\":1.0}\n"
      "{\"step\":30,\"tokens\":90,\"loss\":3.5,\"elapsed_s\":4.0}\n");
  EXPECT_EQ(metrics.step, 30);
  EXPECT_EQ(metrics.tokens, 90);
  EXPECT_EQ(metrics.elapsed_s, 4.0);
  ASSERT_EQ(metrics.evaluations.size(), 2u);
  const Evaluation first = {
      .step = 10, .val_loss = 4.0, .val_nats_per_character = {}, .val_bits_per_byte = {}};
  const Evaluation second = {.step = 20,
                             .val_loss = 3.0,
                             .val_tokens = 7,
                             .val_nats_per_character = 2.0,
                             .val_bits_per_byte = 1.0};
  EXPECT_EQ(metrics.at(10), first);
  EXPECT_EQ(metrics.best(), second);
  EXPECT_EQ(metrics.at(30), std::nullopt);
}

TEST(RunMetrics, TheFirstOfEqualLossesIsTheBest) {
  const RunMetrics metrics = run_metrics_from_jsonl(
      "{\"step\":1,\"val_loss\":3}\n{\"step\":2,\"val_loss\":2}\n{\"step\":3,\"val_loss\":2}");
  EXPECT_EQ(metrics.best()->step, 2);
}

TEST(RunMetrics, PassesOverWhatIsNoReport) {
  const RunMetrics metrics = run_metrics_from_jsonl(
      "\n[]\n{\"step\":\"7\",\"val_loss\":1}\nno json\n{\"step\":8,\"val_loss\":null}\n"
      "{\"step\":9,\"elapsed_s\":-1e300,\"tokens\":1e300}\n{\"step\":-1}\n"
      "{\"step\":4611686018427387904,\"val_loss\":1}\n{\"step\":10,\"val_lo");
  EXPECT_EQ(metrics.step, 9);
  EXPECT_EQ(metrics.elapsed_s, 0);
  EXPECT_EQ(metrics.tokens, std::nullopt);
  EXPECT_TRUE(metrics.evaluations.empty());
  EXPECT_EQ(metrics.best(), std::nullopt);
}

TEST(RunMetrics, HasTheCurves) {
  const RunMetrics metrics = run_metrics_from_jsonl(
      "{\"step\":1,\"tokens\":8,\"loss\":5,\"elapsed_s\":1.5}\n"
      "{\"step\":2,\"val_loss\":4.5}\n{\"step\":3,\"loss\":4,\"elapsed_s\":3,\"val_loss\":3.5}\n"
      "{\"step\":4,\"loss\":3,\"elapsed_");
  const std::vector<CurvePoint> training = {{.step = 1, .tokens = 8, .elapsed_s = 1.5, .loss = 5},
                                            {.step = 3, .tokens = 0, .elapsed_s = 3, .loss = 4}};
  const std::vector<CurvePoint> validation = {
      {.step = 2, .tokens = 0, .elapsed_s = 1.5, .loss = 4.5},
      {.step = 3, .tokens = 0, .elapsed_s = 3, .loss = 3.5}};
  EXPECT_EQ(metrics.training, training);
  EXPECT_EQ(metrics.validation, validation);
}

TEST(RunMetrics, ThinnedCurvesKeepMeansAndTheLowest) {
  std::vector<CurvePoint> points;
  for (int i = 1; i <= 10; ++i) points.push_back({.step = i, .loss = i == 4 ? 0.5 : 10.0 - i});
  const auto means = thinned_means(points, 5), lowest = thinned_lowest(points, 5);
  ASSERT_EQ(means.size(), 5u);
  EXPECT_EQ(means[0].step, 2);
  EXPECT_EQ(means[0].loss, 8.5);
  EXPECT_EQ(means[4].step, 10) << "it ends where the run does";
  ASSERT_EQ(lowest.size(), 5u);
  EXPECT_EQ(lowest[1], points[3]);
  EXPECT_EQ(thinned_means(points, 10), points);
  EXPECT_EQ(thinned_lowest(points, 99), points);
}

TEST(Samples, AreTheWholeLines) {
  const std::vector<Sample> samples = samples_from_jsonl(
      "{\"step\":1,\"text\":\"a\\nb\"}\n{\"step\":2}\n\xff\n{\"step\":3,\"text\":\"\xe4\xbd\xa0\"}"
      "\n"
      "{\"step\":4,\"text\":\"cut");
  const std::vector<Sample> expected = {{1, "a\nb"}, {3, "\xe4\xbd\xa0"}};
  EXPECT_EQ(samples, expected);
}

class RunSummaryTest : public ::testing::Test {
 protected:
  RunSummaryTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  const test::ScratchFolder scratch;
};

TEST_F(RunSummaryTest, HasTheOptionsOfTheLastCheckpoint) {
  TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
  o.steps = 10;
  o.eval_every = 5;
  const TrainResult trained = train(o);
  resume({.run = scratch / "run", .steps = 20});
  const RunSummary summary = read_run_summary(scratch / "run");
  EXPECT_EQ(summary.options.steps, 20);
  EXPECT_EQ(summary.metrics.step, 20);
  ASSERT_TRUE(summary.metrics.at(10));
  EXPECT_EQ(summary.metrics.at(10)->val_loss, *trained.val_loss);
  EXPECT_EQ(summary.options.data, o.data) << "found from where the run is";
  EXPECT_FALSE(summary.data_fingerprint.empty());

  fs::remove(scratch / "run" / "last");
  EXPECT_EQ(read_run_summary(scratch / "run").options.steps, 10) << "what run.json says";
  fs::remove(scratch / "run" / "metrics.jsonl");
  EXPECT_EQ(read_run_summary(scratch / "run").metrics.step, 0);
}

TEST_F(RunSummaryTest, SamplesOfAResumedRunAreThoseOfOneNeverStopped) {
  TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
  o.steps = 8;
  o.sample_every = 2;
  o.save_every = 4;
  TrainObserver observer;
  observer.make_sample = [](const Model&, const Tokenizer&, const std::string&) {
    return std::string("said \xff");
  };
  train(o, observer);
  const std::vector<Sample> samples = read_samples(scratch / "run");
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0], (Sample{2, "said \xEF\xBF\xBD"})) << "UTF-8 whatever the model wrote";
  fs::remove_all(scratch / "run" / "checkpoints" / "step-0000008");  // as if killed at step 7
  resume({.run = scratch / "run"}, observer);
  EXPECT_EQ(read_samples(scratch / "run"), samples);
}

TEST_F(RunSummaryTest, RefusesWhatIsNoRun) {
  const Error absent = test::thrown_by([&] { read_run_summary(scratch / "data"); });
  EXPECT_EQ(absent.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(absent, "run.json")) << absent.what();

  TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
  train(o);
  fs::remove(scratch / "run" / "last");
  Json json = read_json(scratch / "run" / "run.json");
  json["options"]["batch"] = 0;  // nothing may be divided by it
  write_json(scratch / "run" / "run.json", json);
  const Error odd = test::thrown_by([&] { read_run_summary(scratch / "run"); });
  EXPECT_EQ(odd.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(odd, "batch")) << odd.what();
}

}  // namespace
}  // namespace inkstone
