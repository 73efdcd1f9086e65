// Whole runs of a tiny model: learning, resuming, stopping, refusing.
#include "inkstone/trainer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "corpus.h"
#include "corpus/load/batch_loader.h"
#include "train/checkpoint.h"
#include "train/options.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  TrainOptions options(const std::string& run) {
    return test::tiny_run(scratch / "data", scratch / run);
  }

  static std::string weights(const fs::path& run) {
    return read_file(run / "last" / "model.safetensors");
  }
  static std::string moments(const fs::path& run) {
    return read_file(run / "last" / "optimizer.safetensors");
  }

  static std::vector<nlohmann::json> metrics(const fs::path& run) {
    std::ifstream file(run / "metrics.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  // Stops a run after `step`.
  static TrainObserver stop_at(int64_t step) {
    auto count = std::make_shared<int64_t>(0);
    TrainObserver observer;
    observer.stop_requested = [=] { return ++*count >= step; };
    return observer;
  }

  const test::ScratchFolder scratch;
};

TEST_F(TrainerTest, LearnsAndReports) {
  TrainOptions o = options("run");
  o.steps = 200;
  std::vector<std::string> messages;
  TrainObserver observer;
  observer.on_message = [&](const Message& m) { messages.push_back(m.english()); };
  const TrainResult result = train(o, observer);
  EXPECT_EQ(result.end, TrainResult::End::kDone);
  EXPECT_EQ(result.step, 200);
  EXPECT_LT(*result.val_loss, 1.0);  // guessing costs about log(45) = 3.8
  EXPECT_FALSE(messages.empty());
  const auto lines = metrics(o.run);
  ASSERT_EQ(lines.size(), 40u);
  for (const char* key : {"step", "loss", "lr", "grad_norm", "tokens_per_s", "elapsed_s"}) {
    EXPECT_TRUE(lines[0].contains(key)) << key;
  }
  EXPECT_TRUE(lines[1].contains("val_loss"));
  EXPECT_FALSE(lines[0].contains("val_loss"));
  EXPECT_TRUE(fs::exists(o.run / "last" / "config.json"));
  EXPECT_TRUE(fs::exists(o.run / "last" / "tokenizer.json"));
  EXPECT_NO_THROW(Model::load(o.run));
}

TEST_F(TrainerTest, StoppedAndResumedIsTheSameToTheByte) {
  for (const OptimizerKind optimizer : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    const std::string name(optimizer_name(optimizer));
    TrainOptions whole = options("whole-" + name);
    whole.dropout = 0.1, whole.mask_rate = {0.1, 0.1}, whole.accumulate = 2;
    whole.optimizer = optimizer;
    train(whole);
    for (const int64_t step : {1, 13, 20, 39}) {
      TrainOptions part = whole;
      part.run = scratch / fmt::format("part-{}-{}", name, step);
      SCOPED_TRACE(part.run.string());
      const TrainResult stopped = train(part, stop_at(step));
      EXPECT_EQ(stopped.end, TrainResult::End::kStopped);
      EXPECT_EQ(stopped.step, step);
      const TrainResult resumed = resume({.run = part.run});
      EXPECT_EQ(resumed.end, TrainResult::End::kDone);
      EXPECT_EQ(weights(part.run), weights(whole.run));
      EXPECT_EQ(moments(part.run), moments(whole.run));
      EXPECT_EQ(metrics(part.run).size(), metrics(whole.run).size());
      EXPECT_EQ(metrics(part.run).back()["loss"], metrics(whole.run).back()["loss"]);
    }
  }
  EXPECT_NE(weights(scratch / "whole-adamw"), weights(scratch / "whole-muon"));
}

TEST_F(TrainerTest, StoppedWhereThePlanSaysItGoesOnAsIfNeverStopped) {
  TrainOptions whole = options("whole"), part = options("part");
  whole.dropout = part.dropout = 0.1;
  train(whole);
  TrainObserver observer;
  for (const int64_t step : {3, 10, 27}) {
    observer.stop_at = step;
    const TrainResult stopped = step == 3 ? train(part, observer)
                                          : resume({.run = part.run}, observer);
    EXPECT_EQ(stopped.end, TrainResult::End::kStopped);
    EXPECT_EQ(stopped.step, step);
    EXPECT_EQ(resume({.run = part.run}, observer).step, step) << "it does no step more";
  }
  observer.stop_at = whole.steps;  // the end is the end
  EXPECT_EQ(resume({.run = part.run}, observer).end, TrainResult::End::kDone);
  EXPECT_EQ(weights(part.run), weights(whole.run));
  EXPECT_EQ(moments(part.run), moments(whole.run));
  EXPECT_EQ(metrics(part.run).size(), metrics(whole.run).size());
}

TEST_F(TrainerTest, TheSameRunTwiceIsTheSameToTheByte) {
  train(options("a"));
  train(options("b"));
  EXPECT_EQ(weights(scratch / "a"), weights(scratch / "b"));
  TrainOptions other = options("c");
  other.seed = 2;
  train(other);
  EXPECT_NE(weights(scratch / "a"), weights(scratch / "c"));
}

// Also with a run that goes on with another number of threads.
TEST_F(TrainerTest, TheNumberOfThreadsChangesNoByte) {
  TrainOptions one = options("one");
  one.dropout = 0.1;
  one.optimizer = OptimizerKind::kMuon;  // and with it AdamW, for what is no layer's matrix
  one.runtime = Runtime({.threads = 1});
  train(one);
  TrainOptions three = one;
  three.run = scratch / "three";
  three.runtime = Runtime({.threads = 3});
  train(three, stop_at(7));
  resume({.run = three.run, .threads = 2});
  EXPECT_TRUE(weights(one.run) == weights(three.run));
  EXPECT_TRUE(moments(one.run) == moments(three.run));
}

TEST_F(TrainerTest, KilledAtAnyMomentItResumesToTheSameBytes) {
  TrainOptions o = options("whole");
  o.steps = 120, o.save_every = 5, o.eval_every = 15;
  train(o);
  o.run = scratch / "killed";
  int kills = 0;
  for (int delay_ms = 40; kills < 6 && delay_ms < 5000; delay_ms += 35) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      // exec: a fork alone would have no threads of ours.
      ::execl(INKSTONE_TRAINER_CHILD, "trainer_child", o.data.front().c_str(), o.run.c_str(),
              nullptr);
      ::_exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
      ASSERT_EQ(WEXITSTATUS(status), 0);
      break;
    }
    ++kills;
  }
  EXPECT_GE(kills, 3);
  const CheckpointFolder checkpoints(o.run);
  if (checkpoints.steps().empty()) {
    fs::remove_all(o.run);
    train(o);
  } else {
    resume({.run = o.run});
  }
  EXPECT_EQ(weights(o.run), weights(scratch / "whole"));
  EXPECT_EQ(moments(o.run), moments(scratch / "whole"));
}

TEST_F(TrainerTest, KeepsTheLatestAndTheBestCheckpoints) {
  TrainOptions o = options("run");
  o.save_every = 5, o.keep = 2, o.steps = 60;
  train(o);
  const auto steps = CheckpointFolder(o.run).steps();
  EXPECT_LE(steps.size(), 3u);
  EXPECT_EQ(steps.back(), 60);
  EXPECT_TRUE(fs::exists(o.run / "best" / "model.safetensors"));
}

TEST_F(TrainerTest, StopsEarlyWithoutImprovement) {
  TrainOptions o = options("run");
  o.lr = o.min_lr = 1e-12;  // nothing is learnt: the validation loss does not fall
  o.schedule = Schedule::kConstant;
  o.eval_every = 2, o.patience = 3, o.steps = 1000, o.weight_decay = 0;
  const TrainResult result = train(o);
  EXPECT_EQ(result.end, TrainResult::End::kEarlyStop);
  EXPECT_LT(result.step, 1000);
  EXPECT_EQ(resume({.run = o.run}).step, result.step);  // finished: nothing more to do
}

TEST_F(TrainerTest, ResumesFurtherWhenAsked) {
  train(options("run"));
  std::string said;
  TrainObserver observer;
  observer.on_message = [&](const Message& m) { said += m.english() + "\n"; };
  EXPECT_EQ(resume({.run = scratch / "run"}, observer).step, 40);
  EXPECT_NE(said.find("finished"), std::string::npos);
  EXPECT_EQ(resume({.run = scratch / "run", .steps = 55}).step, 55);
}

TEST_F(TrainerTest, FineTunesFromAModelFolder) {
  TrainOptions o = options("base");
  o.steps = 150;
  const double base = *train(o).val_loss;
  TrainOptions tune = options("tuned");
  tune.init = scratch / "base";
  tune.lr = 1e-5, tune.min_lr = 1e-6, tune.steps = 2, tune.warmup = 0;
  EXPECT_NEAR(*train(tune).val_loss, base, 0.05);
}

TEST_F(TrainerTest, SamplesThroughTheCaller) {
  TrainOptions o = options("run");
  o.sample_every = 20, o.sample_prompt = "1 little";
  std::vector<std::string> samples;
  TrainObserver observer;
  observer.make_sample = [](const Model& model, const Tokenizer&, const std::string& prompt) {
    EXPECT_EQ(model.config().layers, 2);
    return prompt + "...";
  };
  observer.on_sample = [&](int64_t, const std::string& text) { samples.push_back(text); };
  train(o, observer);
  EXPECT_EQ(samples, (std::vector<std::string>{"1 little...", "1 little..."}));
}

TEST_F(TrainerTest, RefusesARunThatAnotherProcessTrains) {
  TrainOptions o = options("run");
  std::optional<Error> error;
  TrainObserver observer;
  observer.on_step = [&](const StepReport&) {
    if (!error) error = test::thrown_by([&] { resume({.run = o.run}); });
  };
  o.save_every = 1;  // so that there is a checkpoint to resume from
  train(o, observer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(*error, "another process"));
}

// A process killed between a checkpoint's rename and its links leaves them behind.
TEST_F(TrainerTest, ResumingRepairsTheLinks) {
  TrainOptions o = options("run");
  train(o);
  const auto last = fs::read_symlink(o.run / "last"), best = fs::read_symlink(o.run / "best");
  for (const char* name : {"last", "best"}) fs::remove(o.run / name);
  fs::create_directory_symlink("checkpoints/step-0000001", o.run / "best");
  resume({.run = o.run});
  EXPECT_EQ(fs::read_symlink(o.run / "last"), last);
  EXPECT_EQ(fs::read_symlink(o.run / "best"), best);
}

TEST_F(TrainerTest, FallingBackLeavesNoLinkToWhatIsDamaged) {
  TrainOptions o = options("run");
  o.keep = 4;
  train(o);
  const auto damaged = CheckpointFolder(o.run).path(40) / "model.safetensors";
  fs::resize_file(damaged, fs::file_size(damaged) - 1);
  TrainObserver at_once;
  at_once.stop_requested = [] { return true; };
  resume({.run = o.run, .fall_back = true}, at_once);
  for (const char* name : {"last", "best"})
    EXPECT_TRUE(fs::exists(o.run / name / "config.json")) << name;
}

TEST_F(TrainerTest, AnEarlyStopDoesNotStopTheLongerRun) {
  TrainOptions o = options("run");
  // Nothing improves after the first evaluation.
  o.lr = 1e-30, o.min_lr = 0, o.patience = 2, o.steps = 100;
  ASSERT_EQ(train(o).end, TrainResult::End::kEarlyStop);
  EXPECT_EQ(resume({.run = o.run, .steps = 200}).step, 50);  // two more evaluations, not one
}

TEST_F(TrainerTest, RefusesAFolderThatIsNotEmpty) {
  fs::create_directories(scratch / "run");
  write_file(scratch / "run" / "diary.txt", "mine");
  const Error error = test::thrown_by([&] { train(options("run")); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_EQ(read_file(scratch / "run" / "diary.txt"), "mine");
}

TEST_F(TrainerTest, RefusesChangedData) {
  train(options("run"), stop_at(12));
  test::prepare_text(scratch / "data", test::rhyme(61));
  const Error error = test::thrown_by([&] { resume({.run = scratch / "run"}); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "has changed"));
}

TEST_F(TrainerTest, RefusesAModelOfAnotherVocabulary) {
  TrainOptions o = options("run");
  o.init = test::fixture("model/two_layers");
  const Error error = test::thrown_by([&] { train(o); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "97"));
  EXPECT_FALSE(fs::exists(o.run))
      << "a refused run left a folder behind, which the next attempt would stumble over";
}

TEST_F(TrainerTest, SaysThatARunWithoutACheckpointIsInTheWay) {
  fs::create_directories(scratch / "run");
  write_file(scratch / "run" / "run.json", "{}");
  const Error error = test::thrown_by([&] { train(options("run")); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "without a checkpoint"));
}

TEST_F(TrainerTest, DivergenceIsAnErrorThatSavesNothing) {
  TrainOptions o = options("run");
  o.lr = 1e8, o.min_lr = 0, o.warmup = 0, o.clip = 0, o.save_every = 1000, o.eval_every = 0;
  const Error error = test::thrown_by([&] { train(o); });
  EXPECT_TRUE(test::mentions(error, "diverged at step"));
  EXPECT_TRUE(test::mentions(error, "on the way back first that of 'ln_f."));
  EXPECT_TRUE(CheckpointFolder(o.run).steps().empty());
}

// However seldom somebody looks, it is the first bad step that is named.
TEST_F(TrainerTest, DivergenceIsThatOfTheSameStepHoweverSeldomItIsLogged) {
  TrainOptions o = options("often");
  o.lr = 1e8, o.min_lr = 0, o.warmup = 0, o.clip = 0, o.eval_every = 0;
  o.log_every = 1;
  const Error often = test::thrown_by([&] { train(o); });
  o.run = scratch / "seldom", o.log_every = 1000, o.save_every = 1000;
  const Error seldom = test::thrown_by([&] { train(o); });
  EXPECT_EQ(often.what(), std::string(seldom.what()));
  EXPECT_TRUE(CheckpointFolder(o.run).steps().empty());
}

TEST_F(TrainerTest, AOneCharacterTextCannotTrain) {
  test::prepare_text(scratch / "one", "a");
  TrainOptions o = options("run");
  o.data = {scratch / "one"};
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { train(o); }), "expected at least 2"));
}

TEST_F(TrainerTest, ATextShorterThanTheContextTrains) {
  test::prepare_text(scratch / "short", "abcabcabca");
  TrainOptions o = options("run");
  o.data = {scratch / "short"};
  std::string said;
  TrainObserver observer;
  observer.on_message = [&](const Message& m) { said += m.english() + "\n"; };
  EXPECT_EQ(train(o, observer).step, 40);
  EXPECT_NE(said.find("shorter than one context"), std::string::npos);
}

TEST_F(TrainerTest, AFullDiskDamagesNoCheckpoint) {
  TrainOptions o = options("run");
  train(o, stop_at(20));
  const std::string before = weights(o.run);
  // A file size limit is what a full disk is to the writer: write() fails.
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 20000, old.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error = test::thrown_by([&] { resume({.run = o.run}); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(test::mentions(error, "saving checkpoint"));
  EXPECT_EQ(weights(o.run), before);
  EXPECT_EQ(CheckpointFolder(o.run).steps().back(), 20);
  EXPECT_EQ(resume({.run = o.run}).step, 40);
}

// Two data sets of one vocabulary, and a run that mixes them and aligns their documents.
class MixtureTest : public TrainerTest {
 protected:
  MixtureTest() {
    const Tokenizer tokenizer = test::character_tokenizer(test::songs(60));
    test::prepare_text(scratch / "songs", test::songs(60), tokenizer);
    test::prepare_text(scratch / "few", test::songs(25), tokenizer);
  }

  TrainOptions mixed(const std::string& run) {
    TrainOptions o = options(run);
    o.data = {scratch / "songs", scratch / "few"};
    o.weights = {0.7, 0.3};
    return o;
  }

  void expect_refused(const TrainOptions& o, ErrorCode code, const std::string& text) {
    const Error error = test::thrown_by([&] { train(o); });
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_TRUE(test::mentions(error, text)) << error.what();
    EXPECT_FALSE(fs::exists(o.run));
  }
};

TEST_F(MixtureTest, StoppedAndResumedIsTheSameToTheByte) {
  for (const bool align : {false, true}) {
    TrainOptions whole = mixed(align ? "aligned" : "whole");
    whole.align_documents = align;
    train(whole);
    TrainOptions part = whole;
    part.run += "-part";
    train(part, stop_at(13));
    resume({.run = part.run});
    EXPECT_EQ(weights(part.run), weights(whole.run));
    EXPECT_EQ(moments(part.run), moments(whole.run));
  }
  EXPECT_NE(weights(scratch / "aligned"), weights(scratch / "whole"));
}

TEST_F(MixtureTest, ValidatesEachAndTheWeightedMean) {
  train(mixed("run"));
  const auto line = metrics(scratch / "run").back();
  ASSERT_TRUE(line.contains("val_loss_songs") && line.contains("val_loss_few")) << line;
  const double mean = 0.7 * line["val_loss_songs"].get<double>() +
                      0.3 * line["val_loss_few"].get<double>();
  EXPECT_NEAR(line["val_loss"].get<double>(), mean, 1e-12);
}

TEST_F(MixtureTest, WithoutWeightsEveryTokenCountsTheSame) {
  TrainOptions o = mixed("tokens"), given = mixed("given");
  o.weights.clear();
  given.weights = {static_cast<double>(TokenStream(o.data[0], "train").count()),
                   static_cast<double>(TokenStream(o.data[1], "train").count())};
  train(o);
  train(given);
  EXPECT_EQ(weights(o.run), weights(given.run));
}

TEST_F(MixtureTest, ADataSetWithoutValidationTextIsLeftOutOfTheMean) {
  const Tokenizer tokenizer = Tokenizer::load(scratch / "songs");
  test::prepare_text(scratch / "few", test::songs(25), tokenizer, 0);
  train(mixed("run"));
  const auto line = metrics(scratch / "run").back();
  EXPECT_FALSE(line.contains("val_loss_few"));
  EXPECT_EQ(line["val_loss"], line["val_loss_songs"]);
}

TEST_F(MixtureTest, RefusesChangedDataOfAnyOfThem) {
  train(mixed("run"), stop_at(12));
  const Tokenizer tokenizer = Tokenizer::load(scratch / "songs");
  test::prepare_text(scratch / "few", test::songs(26), tokenizer);
  const Error error = test::thrown_by([&] { resume({.run = scratch / "run"}); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "has changed"));
}

TEST_F(MixtureTest, RefusesWhatCannotBeMixed) {
  TrainOptions o = mixed("run");
  for (const double weight : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    o.weights = {weight, 1};
    expect_refused(o, ErrorCode::kUsage, "--weights has");
  }
  o.weights = {1e-8, 1};
  expect_refused(o, ErrorCode::kUsage, "a millionth");
  o.weights = {1};
  expect_refused(o, ErrorCode::kUsage, "--weights has 1 numbers, expected one for each --data: 2");
  o = mixed("run");
  o.data[1] = scratch / "songs/../songs/";
  expect_refused(o, ErrorCode::kUsage, "given twice");
  o.data[1] = scratch / "data";
  expect_refused(o, ErrorCode::kMismatch, "another tokenizer");
  o = mixed("run");
  o.model.context = 1 << 14;
  expect_refused(o, ErrorCode::kUsage, "to be mixed with others");
}

TEST_F(MixtureTest, RefusesToAlignWhatHasNoDocuments) {
  TrainOptions o = options("run");
  o.align_documents = true;
  expect_refused(o, ErrorCode::kUsage, "one document");
}

TEST_F(MixtureTest, SameNamesAreNumbered) {
  fs::create_directories(scratch / "other");
  fs::copy(scratch / "few", scratch / "other/songs", fs::copy_options::recursive);
  TrainOptions o = mixed("run");
  o.data[1] = scratch / "other/songs";
  train(o);
  const auto line = metrics(scratch / "run").back();
  EXPECT_TRUE(line.contains("val_loss_songs_1") && line.contains("val_loss_songs_2")) << line;
}

// The first version wrote one folder, and knew neither weights nor alignment.
TEST_F(MixtureTest, TakesTheOptionsOfAnEarlierVersion) {
  TrainOptions o = options("run");
  nlohmann::ordered_json json = to_json(o);
  json["data"] = json["data"][0];
  json.erase("weights");
  json.erase("align_documents");
  const TrainOptions read = train_options_from_json(json);
  EXPECT_EQ(read.data, std::vector<fs::path>{fs::absolute(scratch / "data")});
  EXPECT_TRUE(read.weights.empty());
  EXPECT_FALSE(read.align_documents);
  json["data"] = 3;
  EXPECT_EQ(test::thrown_by([&] { train_options_from_json(json); }).code(),
            ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace inkstone
