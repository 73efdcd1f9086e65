// What training would take, and whether it can be gone on with.
#include "inkstone/training_plan.h"

#include "corpus.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class TrainingPlanTest : public ::testing::Test {
 protected:
  TrainingPlanTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  TrainOptions options() { return test::tiny_run(scratch / "data", scratch / "run"); }

  static int64_t bytes_of(const TrainingPlan& plan, const std::string& name) {
    for (const MemoryPart& part : plan.memory)
      if (part.name.english() == name) return part.bytes;
    return 0;
  }

  const test::ScratchFolder scratch;
};

TEST_F(TrainingPlanTest, SaysMemoryAndTimeAndWritesNothing) {
  const TrainOptions o = options();
  const TrainingPlan plan = plan_training(o);
  EXPECT_FALSE(fs::exists(o.run));
  EXPECT_TRUE(plan.fits);
  EXPECT_FALSE(plan.batch_is_smaller);
  EXPECT_EQ(plan.tokens_per_step, o.batch * o.model.context);
  EXPECT_GT(plan.step_s, 0);
  EXPECT_GT(plan.seconds, static_cast<double>(o.steps) * plan.step_s);
  // 4 bytes for each weight, in rows of a multiple of 16 numbers.
  const int64_t weights = bytes_of(plan, "weights");
  EXPECT_GE(weights, 4 * plan.options.model.parameter_count());
  EXPECT_EQ(bytes_of(plan, "gradients"), weights);
  EXPECT_GE(bytes_of(plan, "optimiser"), 2 * weights);
  EXPECT_GT(bytes_of(plan, "activations"), 0);
  int64_t sum = 0;
  for (const MemoryPart& part : plan.memory) sum += part.bytes;
  EXPECT_EQ(plan.memory_bytes, sum);
  EXPECT_GT(plan.free_bytes, 0);
}

TEST_F(TrainingPlanTest, WhatIsAskedForTakesMemory) {
  TrainOptions o = options();
  o.compute = ComputeType::kBF16;
  const TrainingPlan plan = plan_training(o);
  EXPECT_EQ(bytes_of(plan, "their bf16 copies"), bytes_of(plan, "weights") / 2);
}

TEST_F(TrainingPlanTest, ABatchThatDoesNotFitIsTakenInParts) {
  const TrainOptions o = options();
  const TrainingPlan whole = plan_training(o);
  // Room for half of the activations, and not for all.
  const int64_t fixed = whole.memory_bytes - bytes_of(whole, "activations");
  const int64_t room = (fixed + bytes_of(whole, "activations") * 3 / 4) * 10 / 9;
  const TrainingPlan parted = plan_training(o, room);
  EXPECT_TRUE(parted.fits);
  EXPECT_TRUE(parted.batch_is_smaller);
  EXPECT_EQ(parted.options.batch, 2);
  EXPECT_EQ(parted.options.accumulate, 2);
  EXPECT_EQ(parted.tokens_per_step, whole.tokens_per_step);
  EXPECT_LT(parted.memory_bytes, room);
  const TrainingPlan none = plan_training(o, fixed / 2);
  EXPECT_FALSE(none.fits);
  EXPECT_EQ(none.step_s, 0);
}

TEST_F(TrainingPlanTest, ResumingIsVerifiedAndLeavesNothing) {
  TrainOptions o = options();
  o.dropout = 0.1, o.optimizer = OptimizerKind::kMuon;
  const ResumeCheck check = verify_resume(o, scratch / "check", 6);
  EXPECT_EQ(check.steps, 6);
  EXPECT_TRUE(check.differing.empty());
  EXPECT_FALSE(fs::exists(scratch / "check"));
  EXPECT_FALSE(fs::exists(o.run));
  fs::create_directories(scratch / "mine");
  EXPECT_EQ(test::thrown_by([&] { verify_resume(o, scratch / "mine"); }).code(), ErrorCode::kUsage);
  EXPECT_TRUE(fs::exists(scratch / "mine"));
  EXPECT_EQ(test::thrown_by([&] { verify_resume(o, scratch / "check", 3); }).code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace inkstone
