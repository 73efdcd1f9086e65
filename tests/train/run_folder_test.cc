// Where a run lies, and what it can go on with: data that has moved, a run that has moved, a run
// that was killed before its first checkpoint.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "corpus.h"
#include "inkstone/trainer.h"
#include "train/options.h"
#include "train/run_folder.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class RunFolderTest : public ::testing::Test {
 protected:
  RunFolderTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  TrainOptions options(const std::string& run) {
    return test::tiny_run(scratch / "data", scratch / run);
  }
  static std::string weights(const fs::path& run) {
    return read_file(run / "last" / "model.safetensors");
  }
  static TrainObserver stop_at(int64_t step) {
    auto count = std::make_shared<int64_t>(0);
    TrainObserver observer;
    observer.stop_requested = [=] { return ++*count >= step; };
    return observer;
  }

  const test::ScratchFolder scratch;
};

TEST_F(RunFolderTest, GoesOnWithDataThatHasMoved) {
  train(options("whole"));
  train(options("run"), stop_at(13));
  fs::rename(scratch / "data", scratch / "moved");
  const Error lost = test::thrown_by([&] { resume({.run = scratch / "run"}); });
  EXPECT_EQ(lost.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(lost, "--data")) << lost.what();

  test::prepare_text(scratch / "other", test::rhyme(61));
  const Error other = test::thrown_by(
      [&] { resume({.run = scratch / "run", .data = {scratch / "other"}}); });
  EXPECT_EQ(other.code(), ErrorCode::kMismatch);
  const Error two = test::thrown_by([&] {
    resume({.run = scratch / "run", .data = {scratch / "moved", scratch / "other"}});
  });
  EXPECT_EQ(two.code(), ErrorCode::kUsage);

  resume({.run = scratch / "run", .data = {scratch / "moved"}}, stop_at(5));
  resume({.run = scratch / "run"});  // it was told once
  EXPECT_EQ(weights(scratch / "run"), weights(scratch / "whole"));
}

TEST_F(RunFolderTest, ARunMovesWithTheDataInsideIt) {
  TrainOptions o = options("whole");
  train(o);
  fs::create_directories(scratch / "run");
  fs::copy(scratch / "data", scratch / "run" / "data");
  o.run = scratch / "run/";
  o.data = {scratch / "run" / "data"};
  train(o, stop_at(13));
  fs::rename(scratch / "run", scratch / "elsewhere");
  resume({.run = scratch / "elsewhere"});
  EXPECT_EQ(weights(scratch / "elsewhere"), weights(scratch / "whole"));
  EXPECT_EQ(find_data_folders(scratch / "elsewhere"),
            std::vector<fs::path>{scratch / "elsewhere" / "data"});
}

TEST_F(RunFolderTest, TheDataOfARunIsFoundWhereverItLies) {
  const std::vector<fs::path> data = {scratch / "data"};
  EXPECT_EQ(find_data_folders(scratch / "data"), data);
  train(options("run"));
  EXPECT_EQ(find_data_folders(scratch / "run"), data);
  fs::create_directories(scratch / "prepared");
  fs::copy(scratch / "data", scratch / "prepared" / "data");
  EXPECT_EQ(find_data_folders(scratch / "prepared"),
            std::vector<fs::path>{scratch / "prepared" / "data"});
}

// What a process leaves that is killed before the first checkpoint.
TEST_F(RunFolderTest, KilledBeforeTheFirstCheckpointItBeginsAtTheBeginning) {
  train(options("whole"));
  TrainOptions o = options("run");
  fs::create_directories(o.run / "checkpoints" / "step-0000010.1-0.tmp");
  const auto description = read_run_description(scratch / "whole");
  write_file(o.run / "run.json", read_file(scratch / "whole" / "run.json"));
  write_file(o.run / "metrics.jsonl", "{\"step\": 5, \"loss\": 9}\n{\"st");
  EXPECT_TRUE(can_resume(o.run));
  EXPECT_EQ(resume({.run = o.run}).step, 40);
  EXPECT_EQ(weights(o.run), weights(scratch / "whole"));
  const std::string lines = read_file(o.run / "metrics.jsonl");
  EXPECT_EQ(lines.find("\"loss\":9"), std::string::npos);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 8);

  fs::remove_all(o.run);
  fs::create_directories(o.run);
  write_file(o.run / "run.json", read_file(scratch / "whole" / "run.json"));
  test::prepare_text(scratch / "data", test::rhyme(61));
  EXPECT_EQ(test::thrown_by([&] { resume({.run = o.run}); }).code(), ErrorCode::kMismatch);
}

TEST_F(RunFolderTest, TrainsInAFolderWhereOnlyWhatIsMadeOfATextLies) {
  TrainOptions o = options("run");
  fs::create_directories(o.run / "tokenizer");
  fs::create_directories(o.run / "data");
  write_file(o.run / "command.json", "{}");
  EXPECT_EQ(train(o).step, 40);
  o.run = scratch / "mine";
  fs::create_directories(o.run / "data");
  write_file(o.run / "diary.txt", "dear diary");
  const Error error = test::thrown_by([&] { train(o); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "diary.txt"));
}

TEST_F(RunFolderTest, WhatIsNoRunCannotBeResumed) {
  const Error error = test::thrown_by([&] { resume({.run = scratch / "data"}); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(error, "run.json"));
}

TEST_F(RunFolderTest, AnUnknownNameInARunFileIsAnError) {
  const Json good = to_json(options("run"));
  for (const char* key : {"dtype", "schedule"}) {
    Json json = good;
    json[key] = "f16";
    const Error error = test::thrown_by([&] { train_options_from_json(json); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(test::mentions(error, std::string("'") + key + "' is 'f16', expected one of"))
        << error.what();
  }
}

TEST_F(RunFolderTest, SaysWhatTheTextBeginsWith) {
  EXPECT_EQ(train(options("run")).first_words, "0 little ducks went");
}

}  // namespace
}  // namespace inkstone
