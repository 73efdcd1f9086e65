// What the losses of ever larger rates say.
#include "inkstone/learning_rate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "corpus.h"

namespace inkstone {
namespace {

struct Curve {
  std::vector<double> rates, losses;
};

// 4 up to 1e-4, falling by 1 a decade to 1e-2, then rising by 5 a decade; 20 steps a decade.
Curve valley() {
  Curve curve;
  for (int i = 0; i <= 80; ++i) {
    const double decade = -5 + i / 20.0;
    curve.rates.push_back(std::pow(10, decade));
    curve.losses.push_back(decade < -4 ? 4 : decade < -2 ? 4 - (decade + 4) : 2 + 5 * (decade + 2));
  }
  return curve;
}

TEST(LearningRate, FindsTheValleyAndTheSlope) {
  const Curve curve = valley();
  const auto finding = rate_finding(curve.rates, curve.losses);
  ASSERT_TRUE(finding);
  // The window has two steps on either side; the rise pulls the lowest mean to the left.
  EXPECT_GE(finding->lowest_lr, std::pow(10, -2 - 2 / 20.0) * 0.999);
  EXPECT_LE(finding->lowest_lr, 1e-2 * 1.001);
  EXPECT_GT(finding->steepest_lr, 1e-4 * std::pow(10, 2 / 20.0));
  EXPECT_LT(finding->steepest_lr, finding->lowest_lr);
  EXPECT_LT(finding->suggested_lr, finding->lowest_lr);
  EXPECT_EQ(finding->points.size(), curve.rates.size());
  EXPECT_EQ(finding->points[40].lr, curve.rates[40]);
  EXPECT_EQ(finding->points[0].smoothed, 4);
}

TEST(LearningRate, SaysNothingOfALossThatNeverFell) {
  EXPECT_FALSE(rate_finding({1, 2}, {3, 2}));
  std::vector<double> rates, losses;
  for (int i = 1; i <= 60; ++i) rates.push_back(i), losses.push_back(3 + i);
  EXPECT_FALSE(rate_finding(rates, losses));
}

class LearningRateTest : public ::testing::Test {
 protected:
  LearningRateTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  const test::ScratchFolder scratch;
};

TEST_F(LearningRateTest, TriesInMemoryAndEndsWhereTrainingDiverges) {
  const TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
  const RateFinding finding = find_learning_rate(o, {.low = 1e-5, .high = 1e4, .steps = 180});
  EXPECT_FALSE(std::filesystem::exists(scratch / "run"));
  EXPECT_LT(finding.points.size(), 180u) << "a rate of 10000 destroys any model";
  EXPECT_GT(finding.lowest_lr, 1e-4);
  EXPECT_LT(finding.lowest_lr, 10);
  for (const double steps : {3, 19}) {
    const RateRamp few = {.steps = static_cast<int64_t>(steps)};
    EXPECT_EQ(test::thrown_by([&] { find_learning_rate(o, few); }).code(), ErrorCode::kUsage);
  }
  const RateRamp backwards = {.low = 1, .high = 0.1};
  EXPECT_EQ(test::thrown_by([&] { find_learning_rate(o, backwards); }).code(), ErrorCode::kUsage);
}

TEST_F(LearningRateTest, EndsWhenAskedTo) {
  const TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
  int asked = 0;
  TrainObserver observer;
  observer.stop_requested = [&] { return ++asked == 2; };
  EXPECT_THROW(find_learning_rate(o, {}, observer), Error) << "two steps say nothing";
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace inkstone
