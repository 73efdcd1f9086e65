// What a sweep runs next.
#include "cli/sweep_plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/yaml_reader.h"

namespace inkstone::cli {
namespace {

// Of nine points with the losses 9, 8, ... at every step; halving at steps 10, 30 and 90.
class SweepPlanTest : public ::testing::Test {
 protected:
  std::vector<Task> next() const { return next_tasks(spec, runs, states); }

  // Carries a task out: evaluations every 10 steps.
  void carry_out(const Task& task) {
    RunState& state = states[task.run];
    const int64_t end = task.stop_at > 0 ? task.stop_at : 90;
    for (int64_t step = state.step + 10; step <= end; step += 10) {
      const double loss = 9.0 - static_cast<double>(runs[task.run].point);
      state.evaluations.push_back(
          {.step = step, .val_loss = loss, .val_nats_per_character = {}, .val_bits_per_byte = {}});
    }
    state.step = end;
    state.finished = end == 90;
  }
  static std::vector<Task> tasks(std::vector<size_t> of, int64_t stop_at) {
    std::vector<Task> list;
    for (const size_t run : of) list.push_back({.run = run, .stop_at = stop_at});
    return list;
  }

  SweepSpec spec = sweep_spec_from_json(
      json_from_yaml("options: {steps: 90}\naxes: {lr: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
                     "method: halving\nrungs: 10\n"));
  std::vector<SweepRun> runs = runs_of(spec);
  std::vector<RunState> states = std::vector<RunState>(9);
};

TEST_F(SweepPlanTest, HalvingKeepsTheBestThird) {
  EXPECT_EQ(next(), tasks({0, 1, 2, 3, 4, 5, 6, 7, 8}, 10));
  for (const Task& task : next()) carry_out(task);
  EXPECT_EQ(next(), tasks({6, 7, 8}, 30));
  for (const Task& task : next()) carry_out(task);
  EXPECT_EQ(next(), tasks({8}, 0));
  carry_out(next().front());
  EXPECT_TRUE(next().empty());
  EXPECT_EQ(points_at_rungs(spec, 9), (std::vector<size_t>{9, 3, 1}));
  const SweepCost cost = cost_of(spec);
  EXPECT_EQ(cost.runs, 9);
  EXPECT_EQ(cost.steps, 9 * 10 + 3 * 20 + 60);
  EXPECT_EQ(cost.grid_steps, 9 * 90);
}

TEST_F(SweepPlanTest, ARungWaitsForAllThatStandOnIt) {
  for (const size_t run : {8, 7, 6, 5, 4, 3, 2, 1}) carry_out({run, 10});
  EXPECT_EQ(next(), tasks({0}, 10));
  carry_out({7, 30});  // further than it was sent, as by hand
  carry_out({0, 10});
  EXPECT_EQ(next(), tasks({6, 8}, 30));
}

TEST_F(SweepPlanTest, WhatFailedIsNotPromoted) {
  states[8].failed = true;
  for (const Task& task : next()) carry_out(task);
  EXPECT_EQ(next(), tasks({5, 6, 7}, 30));
  for (RunState& state : states) state.failed = true;
  EXPECT_TRUE(next().empty());
}

TEST_F(SweepPlanTest, LaterEvaluationsDoNotCountAtARung) {
  for (const Task& task : next()) carry_out(task);
  states[0].evaluations.push_back(
      {.step = 20, .val_loss = 0, .val_nats_per_character = {}, .val_bits_per_byte = {}});
  EXPECT_EQ(next(), tasks({6, 7, 8}, 30));
  EXPECT_EQ(losses_at(runs, states, 10)[0], 9.0);
  EXPECT_EQ(losses_at(runs, states, 20)[0], 0.0);
  EXPECT_EQ(losses_at(runs, states, 5)[0], std::nullopt);
}

TEST_F(SweepPlanTest, SeedsCountTogether) {
  spec.seeds = {1, 2};
  runs = runs_of(spec);
  states.assign(runs.size(), {});
  for (const Task& task : next()) carry_out(task);
  EXPECT_EQ(next(), tasks({12, 13, 14, 15, 16, 17}, 30));
  states[17].failed = true;  // one seed of the best point
  EXPECT_EQ(next(), tasks({10, 11, 12, 13, 14, 15}, 30));
}

TEST_F(SweepPlanTest, AGridRunsWhatIsNotFinished) {
  spec.method = SweepMethod::kGrid;
  states[3].finished = true;
  states[4].failed = true;
  states[5].step = 89;
  EXPECT_EQ(next(), tasks({0, 1, 2, 5, 6, 7, 8}, 0));
  EXPECT_EQ(cost_of(spec).steps, 810);
}

}  // namespace
}  // namespace inkstone::cli
