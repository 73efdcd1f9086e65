// What fits into a time, how fast a run is, and what it begins with.
#include "train/plan.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <thread>

#include "corpus.h"
#include "train/first_words.h"
#include "train/options.h"
#include "train/schedule.h"
#include "train/speed.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

TrainerState planned(int64_t steps, double seconds) {
  TrainerState state;
  state.options.steps = state.planned_steps = steps;
  state.options.seconds = seconds;
  state.options.warmup = steps / 20;
  state.options.schedule = Schedule::kLinear;
  state.options.min_lr = 0;
  return state;
}

// Runs a state through imagined steps. Returns the seconds at the end; `lr`: that of each step.
double imagine(TrainerState& state, const std::function<double(int64_t step)>& seconds_of,
               std::vector<double>& lr) {
  while (state.step < state.options.steps) {
    lr.push_back(learning_rate(state.options, state.step));
    state.elapsed_s += seconds_of(state.step);
    ++state.step;
    state.options.steps = steps_by_the_clock(state);
  }
  return state.elapsed_s;
}

TEST(Clock, LeavesARunAloneThatIsInTime) {
  TrainerState state = planned(1000, 100);
  std::vector<double> lr;
  imagine(
      state, [](int64_t) { return 0.099; }, lr);
  EXPECT_EQ(state.step, 1000);
  state = planned(1000, 0);  // no limit
  imagine(
      state, [](int64_t) { return 1e6; }, lr);
  EXPECT_EQ(state.step, 1000);
}

// Three times as slow from the start, from the middle, and near the end.
TEST(Clock, EndsASlowRunInTimeWithTheLearningRateBroughtDown) {
  for (const int64_t slow_from : {0, 500, 900}) {
    SCOPED_TRACE(slow_from);
    TrainerState state = planned(1000, 100);
    std::vector<double> lr;
    const double step_s = 0.092;
    const double end_s = imagine(
        state, [&](int64_t step) { return step >= slow_from ? 3 * step_s : step_s; }, lr);
    EXPECT_GT(end_s, 100 - 3 * step_s - step_s) << "it gave up too early";
    EXPECT_LE(end_s, 100 + 3 * step_s);
    // The planned pace goes 3 steps while one is done: so far is the last one from the end.
    EXPECT_LE(lr.back(), 10 * state.options.lr / static_cast<double>(state.step));
    for (size_t i = 60; i < lr.size(); ++i) ASSERT_LE(lr[i], lr[i - 1]) << i;
  }
}

// What was lost while the machine was slow is all that is lost.
TEST(Clock, APauseCostsNoMoreThanItself) {
  TrainerState state = planned(1000, 100);
  std::vector<double> lr;
  imagine(
      state, [](int64_t step) { return step == 500 ? 20.0 : 0.092; }, lr);
  EXPECT_GE(state.step, static_cast<int64_t>(1000 * (100 - 20.0) / 92) - 2);
}

TEST(Clock, NeverGivesFewerStepsThanAreDone) {
  TrainerState state = planned(1000, 100);
  state.step = 700;
  state.elapsed_s = 1e9;
  EXPECT_EQ(steps_by_the_clock(state), 700);
}

TEST(Speed, CountsTheStepsAlone) {
  const auto backend = make_backend(Runtime());
  Speed speed(*backend, DType::kF32, {.tokens = 100, .flops = 1});
  for (int i = 0; i < 3; ++i) {
    speed.step_begins();
    speed.step_ends();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // an evaluation
  }
  EXPECT_GT(speed.take().tokens_per_s, 100 / 0.05);
}

TEST(Speed, IsNeverAboveTheMachinesPeak) {
  const auto backend = make_backend(Runtime());
  Speed speed(*backend, DType::kF32, {.tokens = 1, .flops = 1e18});  // more than can be
  speed.step_begins();
  speed.step_ends();
  EXPECT_LE(speed.take().gemm_fraction, 1);
  speed.step_begins();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  speed.step_ends();
  EXPECT_LT(speed.take().gemm_fraction, 1) << "the quicker step is what the machine can do";
}

TEST(FirstWords, AreOfTheFirstLine) {
  EXPECT_EQ(first_words("In the beginning God created the heaven"), "In the beginning God");
  EXPECT_EQ(first_words("\n \t\r\nCall me\nIshmael"), "Call me");
  EXPECT_EQ(first_words("One"), "One");
  EXPECT_EQ(first_words("Donaudampfschifffahrt und mehr"), "Donaudampfschifffahrt");
  EXPECT_EQ(first_words(""), "");
  EXPECT_EQ(first_words(" \n\n"), "");
}

TEST(FirstWords, AreFewCharactersWhereThereAreNoSpaces) {
  EXPECT_EQ(first_words("靜夜思\n床前明月光"), "靜夜思");
  EXPECT_EQ(first_words("床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。床前明月光，"),
            "床前明月光，疑是");
  EXPECT_EQ(first_words("　　話說"), "話說");
  EXPECT_EQ(first_words(std::string(100, 'x')), "xxxxxxxx");
}

TEST(FirstWords, AreValidText) {
  EXPECT_EQ(first_words("ab\xFF"
                        "cd"),
            "ab");
  EXPECT_EQ(first_words("\xE5\xBA"), "");
}

TEST(TokensPerStep, IsCheckedBeforeItOverflows) {
  TrainOptions o;
  o.batch = 3, o.accumulate = 5;
  EXPECT_EQ(tokens_per_step(o, 7), 105);
  const int64_t huge = int64_t{1} << 32;
  for (const auto& [batch, accumulate, steps] : {std::array{huge, huge, int64_t{1}},
                                                 {huge, int64_t{1}, int64_t{1}},
                                                 {int64_t{1} << 9, huge, int64_t{1}},
                                                 {int64_t{1} << 20, int64_t{1} << 20, huge}}) {
    o.batch = batch, o.accumulate = accumulate, o.steps = steps;
    const Error error = test::thrown_by([&] { tokens_per_step(o, 1); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    for (const char* part : {"--batch", "--accumulate", "too much"})
      EXPECT_TRUE(test::mentions(error, part)) << error.what();
    o.data = {"data"}, o.run = "run";
    EXPECT_EQ(test::thrown_by([&] { validate(o); }).code(), ErrorCode::kUsage);
  }
}

class FitToTime : public ::testing::Test {
 protected:
  FitToTime() { test::prepare_text(scratch / "data", test::rhyme(200)); }

  TimeRequest request(double seconds) {
    return {.seconds = seconds, .options = [this](const Recipe& r) {
              TrainOptions o = test::tiny_run(scratch / "data", scratch / "run");
              o.model.width = std::min<int64_t>(r.model.width, 32);
              o.batch = r.batch > 0 ? r.batch : o.batch;
              return o;
            }};
  }

  const test::ScratchFolder scratch;
};

TEST_F(FitToTime, PlansARunThatEnds) {
  std::string said;
  TrainObserver observer;
  observer.on_message = [&](const Message& m) { said += m.english(); };
  const TrainOptions o = fit_to_time(request(1.5), observer);
  EXPECT_FALSE(fs::exists(o.run)) << "planning writes nothing";
  EXPECT_EQ(o.seconds, 1.5);
  EXPECT_GE(o.steps, 1);
  EXPECT_NE(said.find("steps"), std::string::npos) << said;
  const TrainResult result = train(o);
  EXPECT_EQ(result.end, TrainResult::End::kDone);
  EXPECT_LE(result.step, o.steps);
  EXPECT_TRUE(result.val_loss);
}

TEST_F(FitToTime, ATimeThatIsTooShortStillGivesAStep) {
  const TrainOptions o = fit_to_time(request(1e-6));
  EXPECT_EQ(o.steps, 1);
  EXPECT_EQ(train(o).step, 1);
}

TEST(Recipes, AreValidAndOneIsThereForEveryText) {
  for (const int64_t tokens : {int64_t{0}, int64_t{1000}, int64_t{1} << 20, int64_t{1} << 40}) {
    const auto recipes = recipes_for(tokens);
    ASSERT_FALSE(recipes.empty());
    for (const Recipe& r : recipes) {
      EXPECT_NO_THROW(validate(r.model));
      EXPECT_LE(r.min_lr, r.lr);
    }
  }
}

}  // namespace
}  // namespace inkstone
