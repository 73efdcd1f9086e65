// `sweep`: many runs from one file, killed, stopped and gone on with; --stop-at and --find-lr,
// which it stands on.
#include <fmt/format.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

class SweepCommandTest : public Workspace {
 protected:
  // Runs of moments over data/.
  void write_spec(const std::string& rest, int steps = 12) const {
    write(
        "sweep.yaml",
        fmt::format("options: {{data: data, layers: 1, heads: 2, width: 16, context: 16, batch: 4, "
                    "steps: {}, log-every: 1, threads: 1}}\n{}",
                    steps, rest));
  }
  Outcome sweep(Words more = {}) const {
    more.insert(more.begin(), {"sweep", "sweep.yaml", "-o", "out"});
    return run(more);
  }
  // Weights, moments and losses of a run, without what depends on the clock.
  std::string outcome_of(const std::string& run) const {
    std::string all = read(run + "/last/model.safetensors") +
                      read(run + "/last/optimizer.safetensors");
    for (Json line : json_lines(read(run + "/metrics.jsonl"))) {
      for (const char* key : {"elapsed_s", "tokens_per_s", "gemm_fraction"}) line.erase(key);
      all += line.dump();
    }
    return all;
  }
};

const char* const kHalving = "axes: {lr: [0.0001, 0.001, 0.01]}\nmethod: halving\nrungs: 4\n";

TEST_F(SweepCommandTest, AGridRunsAndComparesAndIsDone) {
  make_data();
  write_spec("axes: {lr: [0.001, 0.01]}\nseeds: 2\n");
  const Outcome first = sweep();
  ASSERT_EQ(first.status, 0) << first.err;
  for (const char* name :
       {"lr=0.001,seed=1", "lr=0.001,seed=2", "lr=0.01,seed=1", "lr=0.01,seed=2"})
    EXPECT_NE(first.out.find(name), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("±"), std::string::npos) << "the seeds together: " << first.out;
  EXPECT_LT(first.out.find("out/lr=0.01,"), first.out.find("out/lr=0.001,")) << "the best first";
  const auto before = snapshot(folder());
  const Outcome second = sweep();
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(snapshot(folder()), before) << "nothing was left to do";
  EXPECT_EQ(json_lines(sweep({"--json"}).out).size(), 4u);
}

TEST_F(SweepCommandTest, HalvingPromotesByExactResume) {
  make_data();
  write_spec(kHalving);
  const Outcome plan = run_well({"sweep", "sweep.yaml", "-o", "out", "--plan", "--json"});
  EXPECT_EQ(Json::parse(plan.out),
            Json::parse(R"({"points":3,"runs":3,"steps":20,"grid_steps":36})"));
  EXPECT_FALSE(fs::exists(*this / "out"));
  const Outcome outcome = sweep();
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(json_lines(read("out/lr=0.0001/metrics.jsonl")).back()["step"], 4);
  EXPECT_EQ(json_lines(read("out/lr=0.01/metrics.jsonl")).back()["step"], 12);
  // The same run, never stopped.
  run_well({"train", "--data",    "data", "--layers", "1",    "--heads",      "2",  "--width",
            "16",    "--context", "16",   "--batch",  "4",    "--steps",      "12", "--log-every",
            "1",     "--threads", "1",    "--lr",     "0.01", "--eval-every", "4",  "--seed",
            "1",     "-o",        "whole"});
  EXPECT_EQ(outcome_of("out/lr=0.01"), outcome_of("whole"));
}

TEST_F(SweepCommandTest, KilledAtAnyMomentItLosesNothing) {
  make_data();
  write_spec(kHalving, 60);
  ASSERT_EQ(sweep().status, 0);
  std::map<std::string, std::string> expected;
  for (const char* name : {"lr=0.0001", "lr=0.001", "lr=0.01"})
    expected[name] = outcome_of(std::string("out/") + name);
  fs::rename(*this / "out", *this / "whole");
  int kills = 0;
  for (int ms = 20; ms < 5000; ms += ms / 2) {
    RunningProgram program({"sweep", "sweep.yaml", "-o", "out"}, folder(),
                           RunningProgram::Terminal::kNone);
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    program.signal(SIGKILL);
    kills += program.finish() == 128 + SIGKILL;
  }
  EXPECT_GT(kills, 2);
  const Outcome last = sweep();
  ASSERT_EQ(last.status, 0) << last.err;
  for (const auto& [name, outcome] : expected)
    EXPECT_EQ(outcome_of("out/" + name), outcome) << name;
  EXPECT_EQ(Json::parse(read("out/sweep.json"))["failed"], Json::object());
}

TEST_F(SweepCommandTest, CtrlCSavesAndTheSameCommandGoesOn) {
  make_data();
  write_spec("axes: {lr: [0.001, 0.01]}\n", 100'000);
  RunningProgram program({"sweep", "sweep.yaml", "-o", "out"}, folder(),
                         RunningProgram::Terminal::kNone);
  while (!fs::exists(*this / "out/lr=0.001/metrics.jsonl"))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  program.signal(SIGINT);
  EXPECT_EQ(program.finish(), 130);
  EXPECT_NE(program.output().find("Go on with the same command"), std::string::npos);
  EXPECT_TRUE(fs::exists(*this / "out/lr=0.001/last/model.safetensors")) << "the child has saved";
  EXPECT_FALSE(fs::exists(*this / "out/lr=0.01"));
}

TEST_F(SweepCommandTest, AFailedPointIsNotedAndTheSweepGoesOn) {
  make_data();
  write_spec("axes: {lr: [100000000, 0.01]}\n");
  const Outcome outcome = sweep();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const Json failed = Json::parse(read("out/sweep.json"))["failed"];
  ASSERT_EQ(failed.size(), 1u) << failed;
  const Json& why = failed["lr=100000000"];
  EXPECT_EQ(why["exit_status"], 1) << failed;
  EXPECT_NE(why["said"].get<std::string>().find("diverged"), std::string::npos) << failed;
  EXPECT_NE(outcome.out.find("out/lr=0.01"), std::string::npos);
  EXPECT_EQ(sweep().err.find("is left out"), std::string::npos) << "it is not tried again";
  EXPECT_NE(sweep({"--retry"}).err.find("is left out"), std::string::npos) << "unless asked to";
}

// By other means than Ctrl-C: no fault of the run's.
TEST_F(SweepCommandTest, AChildThatSomebodyEndsIsNoFailure) {
  make_data();
  write_spec("axes: {lr: [0.001, 0.01]}\n", 100'000);
  const Outcome outcome = run_shell(
      "inkstone sweep sweep.yaml -o out & sweep=$!;"
      "until [ -e out/lr=0.001/metrics.jsonl ]; do sleep 0.02; done;"
      "child=$(cat /proc/$sweep/task/$sweep/children); kill -HUP $child; kill -TERM $child;"
      "wait $sweep",
      folder());
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_EQ(Json::parse(read("out/sweep.json"))["failed"], Json::object());
  EXPECT_FALSE(fs::exists(*this / "out/lr=0.01"));
}

TEST_F(SweepCommandTest, ItGoesOnWhenItsProgramIsReplaced) {
  make_data();
  write_spec("axes: {lr: [0.001, 0.01]}\n", 200);
  const Outcome outcome = run_shell(
      "cp \"$(command -v inkstone)\" copy; ./copy sweep sweep.yaml -o out & sweep=$!;"
      "until [ -e out/lr=0.001/metrics.jsonl ]; do sleep 0.02; done; rm copy; wait $sweep",
      folder());
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(read("out/sweep.json"))["failed"], Json::object());
}

TEST_F(SweepCommandTest, CtrlCEndsTheWaitingForARunThatIsHeld) {
  make_data();
  write_spec("axes: {lr: [0.01]}\n", 100'000);
  const Outcome emitted = run_well({"sweep", "sweep.yaml", "-o", "out", "--emit", "parallel"});
  write("held.sh", "exec " + emitted.out);
  const Outcome outcome = run_shell(
      "sh held.sh 2>/dev/null & run=$!; until [ -e out/lr=0.01/metrics.jsonl ]; do sleep 0.02; "
      "done;"
      "inkstone sweep sweep.yaml -o out 2>said & sweep=$!;"
      "until grep -q 'waiting until' said; do sleep 0.02; done;"
      "kill -TERM $sweep; wait $sweep; status=$?; kill -0 $run && kill -TERM $run; wait $run;"
      "exit $status",
      folder());
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_FALSE(fs::exists(*this / "out/logs/lr=0.01.log")) << "no child was started";
}

TEST_F(SweepCommandTest, AFailureIsForgottenWhenTheRunIsFinishedMeanwhile) {
  make_data();
  write_spec("axes: {lr: [0.001, 0.01]}\n");
  ASSERT_EQ(sweep().status, 0);
  Json state = Json::parse(read("out/sweep.json"));
  state["failed"] = {{"lr=0.001", "exit status 1: as an earlier version wrote it"}};
  write("out/sweep.json", state.dump());
  const Outcome again = sweep();
  EXPECT_EQ(again.err.find("failed"), std::string::npos) << again.err;
  EXPECT_EQ(Json::parse(read("out/sweep.json"))["failed"], Json::object());
}

TEST_F(SweepCommandTest, AnAxisOfThreadsIsLeftAlone) {
  make_data();
  write("sweep.yaml",
        "options: {data: data, layers: 1, heads: 2, width: 16, context: 16, batch: 4, steps: 3}\n"
        "axes: {threads: [1, 2]}\n");
  const Outcome outcome = sweep({"--jobs", "2"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(read("out/sweep.json"))["failed"], Json::object());
}

TEST_F(SweepCommandTest, RefusesBeforeAnythingRuns) {
  make_data();
  write_spec("axes: {lr: [0.01, -1]}\n");
  expect_refused(2, {"sweep", "sweep.yaml", "-o", "out"}, {"lr=-1", "--lr"});
  write_spec("axes: {larning-rate: [0.01]}\n");
  expect_refused(2, {"sweep", "sweep.yaml", "-o", "out"}, {"larning-rate"});
  write("sweep.yaml", "axes: {lr: [1\n");
  expect_refused(1, {"sweep", "sweep.yaml", "-o", "out"}, {"sweep.yaml", "line 2"});
  expect_refused(1, {"sweep", "absent.yaml", "-o", "out"}, {"absent.yaml"});
  write_spec("axes: {lr: [0.01]}\n");
  expect_refused(2, {"sweep", "sweep.yaml", "-o", "data"}, {"holds no sweep"});
  ASSERT_EQ(sweep().status, 0);
  write_spec("axes: {lr: [0.01]}\n", 13);
  expect_refused(2, {"sweep", "sweep.yaml", "-o", "out"},
                 {"lr=0.01", "--steps was '12', now '13'"});
  write_spec("axes: {lr: [0.01, 0.02]}\n");
  EXPECT_EQ(sweep().status, 0) << "a value more is a run more";
}

TEST_F(SweepCommandTest, WhatIsEmittedDoesTheSame) {
  make_data();
  write_spec(kHalving);
  ASSERT_EQ(sweep().status, 0);
  const Outcome rung = run_well({"sweep", "sweep.yaml", "-o", "by hand", "--emit", "parallel"});
  EXPECT_EQ(std::ranges::count(rung.out, '\n'), 3) << rung.out;
  EXPECT_FALSE(fs::exists(*this / "by hand"));
  write("rung.sh", rung.out);
  ASSERT_EQ(run_shell("sh rung.sh 2>/dev/null", folder()).status, 0);
  const Outcome second = run_well({"sweep", "sweep.yaml", "-o", "by hand", "--emit", "slurm"});
  EXPECT_NE(second.out.find("--array=0-0"), std::string::npos) << second.out;
  EXPECT_NE(second.out.find("--output=" + folder().string()), std::string::npos) << second.out;
  write("rung.sh", second.out);
  ASSERT_EQ(run_shell("SLURM_ARRAY_TASK_ID=0 bash rung.sh 2>/dev/null", folder()).status, 0);
  const Outcome none = run_well({"sweep", "sweep.yaml", "-o", "by hand", "--emit", "parallel"});
  EXPECT_EQ(none.out, "");
  for (const char* name : {"lr=0.0001", "lr=0.001", "lr=0.01"})
    EXPECT_EQ(outcome_of(std::string("by hand/") + name), outcome_of(std::string("out/") + name));
}

TEST_F(SweepCommandTest, WhatCannotBeEmittedIsSaid) {
  make_data();
  write_spec("axes: {sample-prompt: [a, \"b\\nc\"]}\n");
  expect_refused(2, {"sweep", "sweep.yaml", "-o", "out", "--emit", "parallel"},
                 {"sample-prompt=b_c", "line break", "--emit slurm"});
  write_spec("axes: {lr: [0.01]}\nseeds: 1000\n");
  const auto emitted = [&] {
    return run_well({"sweep", "sweep.yaml", "-o", "o", "--emit", "slurm"});
  };
  EXPECT_EQ(emitted().err.find("the array has"), std::string::npos);
  write_spec("axes: {lr: [0.01, 0.02]}\nseeds: 501\n");
  EXPECT_NE(emitted().err.find("the array has 1002 tasks"), std::string::npos);
}

TEST_F(SweepCommandTest, StopAtStopsAndTheSameCommandGoesOn) {
  make_data();
  const auto train = [&](const std::string& to, Words more) {
    more.insert(more.begin(), {"--steps", "12", "--log-every", "1"});
    return run_well(training(to, more));
  };
  train("whole", {});
  const Outcome stopped = train("run", {"--stop-at", "5"});
  EXPECT_NE(stopped.err.find("stopped after step 5"), std::string::npos) << stopped.err;
  const std::string at_five = outcome_of("run");
  train("run", {"--stop-at", "4"});
  EXPECT_EQ(outcome_of("run"), at_five) << "it is there already";
  run_well({"train", "--resume", "run", "--stop-at", "9"});
  train("run", {});
  EXPECT_EQ(outcome_of("run"), outcome_of("whole"));
}

TEST_F(SweepCommandTest, FindLrSuggestsARateAndLeavesNothing) {
  make_data();
  const auto before = snapshot(folder());
  const Words words = {"train", "--data",    "data", "--layers", "1", "--heads",  "2", "--width",
                       "32",    "--context", "16",   "--batch",  "8", "--find-lr"};
  const Outcome table = run_well(words);
  EXPECT_NE(table.out.find("suggested: --lr"), std::string::npos) << table.out;
  Words with_json = words;
  with_json.insert(with_json.end(), {"--json", "--steps", "100"});
  const Json found = json_lines(run_well(with_json).out).back();
  const double suggested = found["suggested_lr"], lowest = found["lowest_lr"];
  EXPECT_TRUE(suggested > 1e-4 && suggested < lowest && lowest <= 1) << found.dump();
  EXPECT_LE(found["points"].size(), 100u);
  Words one_thread = with_json;
  one_thread.insert(one_thread.end(), {"--threads", "2"});
  EXPECT_EQ(json_lines(run_well(one_thread).out).back(), found);
  run_well(
      {"train", "text.txt", "--model", "gpt-micro", "--batch", "2", "--steps", "20", "--find-lr"});
  EXPECT_EQ(snapshot(folder()), before);
  expect_refused(2, {"train", "--data", "data", "--find-lr", "--minutes", "1"}, {"--minutes"});
  expect_refused(2, {"train", "--data", "data", "--find-lr", "--steps", "3"}, {"--steps is 3"});
}

}  // namespace
}  // namespace inkstone::test
