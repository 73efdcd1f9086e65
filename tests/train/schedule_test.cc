#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "support.h"
#include "train/options.h"

namespace inkstone {
namespace {

TrainOptions base() {
  TrainOptions o;
  o.data = {"data"}, o.run = "run";
  o.steps = 1000, o.warmup = 100, o.lr = 1e-3, o.min_lr = 1e-4;
  return o;
}

TEST(Schedule, WarmsUpInEqualSteps) {
  const TrainOptions o = base();
  EXPECT_DOUBLE_EQ(learning_rate(o, 0), 1e-5);
  EXPECT_DOUBLE_EQ(learning_rate(o, 49), 5e-4);
  EXPECT_DOUBLE_EQ(learning_rate(o, 99), 1e-3);
}

TEST(Schedule, CosineFromLrToMinLr) {
  const TrainOptions o = base();
  EXPECT_DOUBLE_EQ(learning_rate(o, 100), 1e-3);
  EXPECT_NEAR(learning_rate(o, 550), 5.5e-4, 1e-15);
  const double quarter = 1e-4 + 0.5 * (1 + std::cos(std::numbers::pi / 4)) * 9e-4;
  EXPECT_NEAR(learning_rate(o, 325), quarter, 1e-15);
  EXPECT_NEAR(learning_rate(o, 1000), 1e-4, 1e-15);
  EXPECT_NEAR(learning_rate(o, 5000), 1e-4, 1e-15);
}

TEST(Schedule, LinearConstantAndStable) {
  TrainOptions o = base();
  o.schedule = Schedule::kLinear;
  EXPECT_NEAR(learning_rate(o, 550), 5.5e-4, 1e-15);
  o.schedule = Schedule::kConstant;
  EXPECT_DOUBLE_EQ(learning_rate(o, 999), 1e-3);
  o.schedule = Schedule::kWsd;
  o.decay_fraction = 0.2;
  EXPECT_DOUBLE_EQ(learning_rate(o, 800), 1e-3);
  EXPECT_NEAR(learning_rate(o, 900), 5.5e-4, 1e-15);
  EXPECT_NEAR(learning_rate(o, 1000), 1e-4, 1e-15);
}

TEST(Schedule, WithoutWarmUp) {
  TrainOptions o = base();
  o.warmup = 0;
  EXPECT_DOUBLE_EQ(learning_rate(o, 0), 1e-3);
}

TEST(TrainOptions, JsonBringsEveryNumberBack) {
  TrainOptions o = base();
  o.lr = 0.1 + 0.2, o.min_lr = 1.0 / 3 * 1e-4, o.seed = UINT64_MAX, o.schedule = Schedule::kWsd;
  o.compute = ComputeType::kBF16, o.sample_prompt = "春\"\n";
  o.model.layers = 3;
  const Json json = to_json(o);
  const TrainOptions back = train_options_from_json(parse_json(json.dump()));
  EXPECT_EQ(to_json(back), json);
  EXPECT_EQ(back.lr, o.lr);
  EXPECT_EQ(back.seed, o.seed);
  EXPECT_EQ(back.model, o.model);
}

// Each line breaks one option; the message names it.
TEST(TrainOptions, RefusesWhatMakesNoSense) {
  const auto refuses = [](const char* name, auto change) {
    TrainOptions o = base();
    change(o);
    const Error error = test::thrown_by([&] { validate(o); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << name;
    EXPECT_TRUE(test::mentions(error, name));
  };
  EXPECT_NO_THROW(validate(base()));
  refuses("--steps", [](auto& o) { o.steps = 0; });
  refuses("--batch", [](auto& o) { o.batch = -3; });
  refuses("--accumulate", [](auto& o) { o.accumulate = 0; });
  refuses("--lr", [](auto& o) { o.lr = 0; });
  refuses("--lr", [](auto& o) { o.lr = std::nan(""); });
  refuses("--min-lr", [](auto& o) { o.min_lr = 2e-3; });
  refuses("--warmup", [](auto& o) { o.warmup = 1001; });
  refuses("--dropout", [](auto& o) { o.dropout = 1; });
  refuses("--mask-rate", [](auto& o) { o.mask_rate = {-0.1, 0.1}; });
  refuses("--beta2", [](auto& o) { o.beta2 = 1; });
  refuses("--clip", [](auto& o) { o.clip = -1; });
  refuses("--keep", [](auto& o) { o.keep = 0; });
  refuses("--patience", [](auto& o) { o.patience = 2, o.eval_every = 0; });
  refuses("--data", [](auto& o) { o.data.clear(); });
}

}  // namespace
}  // namespace inkstone
