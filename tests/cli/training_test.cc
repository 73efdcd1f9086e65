// Training as a user sees it: interrupted, resumed, damaged, stopped early.
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;

class TrainingTest : public Workspace {
 protected:
  TrainingTest() { make_data(); }

  std::string weights(const std::string& run) const {
    return read(run + "/last/model.safetensors");
  }

  Words checkpoints(const std::string& run) const {
    Words names;
    for (const auto& entry : fs::directory_iterator(*this / run / "checkpoints")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // Changes one byte in the middle of a file.
  void damage(const std::string& name) const {
    std::string bytes = read(name);
    bytes[bytes.size() / 2] ^= 1;
    write(name, bytes);
  }
};

TEST_F(TrainingTest, ASignalSavesAndTheCommandThatItPrintsGoesOnToTheSameEnd) {
  const Words more = {"--steps",   "400", "--log-every",  "1",
                      "--dropout", "0.1", "--save-every", "150"};
  run_well(training("whole", more));
  for (const int number : {SIGINT, SIGTERM}) {
    const std::string name = number == SIGINT ? "it's stopped" : "terminated";
    RunningProgram program(training(name, more), folder(), RunningProgram::Terminal::kNone);
    program.wait_for("step 5/400 ");
    program.signal(number);
    EXPECT_EQ(program.finish(), 130) << program.output();
    const std::string intro = "Go on with:\n  ";
    const size_t at = program.output().find(intro);
    ASSERT_NE(at, std::string::npos) << program.output();
    const std::string command = program.output().substr(at + intro.size());
    EXPECT_EQ(command.find("inkstone train --resume "), 0u);
    const Outcome resumed = run_shell(command.substr(0, command.find('\n')) + " --threads 1",
                                      folder());
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_NE(resumed.err.find("resuming at step "), std::string::npos) << resumed.err;
    EXPECT_TRUE(weights(name) == weights("whole"))
        << "the end is another than that of the run that was not stopped";
  }
}

TEST_F(TrainingTest, AReaderOfTheJsonLinesThatLeavesStopsTheRunWithACheckpoint) {
  const Outcome outcome = run_shell(
      "inkstone train --data data -o run --layers 1 --heads 1 --width 16 --context 8 "
      "--steps 100000 --log-every 1 --json --threads 1 | head -n 1",
      folder());
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("\"step\""), std::string::npos);
  EXPECT_NE(outcome.err.find("inkstone train --resume run"), std::string::npos) << outcome.err;
  EXPECT_FALSE(checkpoints("run").empty());
}

TEST_F(TrainingTest, KeepsSoManyCheckpoints) {
  run_well(
      training("run", {"--steps", "50", "--save-every", "10", "--eval-every", "0", "--keep", "3"}));
  EXPECT_EQ(checkpoints("run"), (Words{"step-0000030", "step-0000040", "step-0000050"}));
}

TEST_F(TrainingTest, StopsEarlyAndSaysSo) {
  run_well(training("base", {"--steps", "2"}));
  // So small a learning rate changes nothing: the validation loss does not fall.
  const Outcome outcome = run_well(
      {"train", "--init",  "base", "--data",       "data", "-o",         "run", "--lr",
       "1e-12", "--steps", "5000", "--eval-every", "2",    "--patience", "3",   "--weight-decay",
       "0",     "--batch", "2",    "--threads",    "1"});
  EXPECT_NE(outcome.err.find("stopped early at step"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("step 5000/5000"), std::string::npos) << outcome.err;
}

TEST_F(TrainingTest, PlansWithoutTraining) {
  make_data();
  const nlohmann::json plan = nlohmann::json::parse(
      run_well(training("new", {"--plan", "--json"})).out);
  EXPECT_TRUE(plan["fits"]);
  for (const char* part : {"weights", "gradients", "optimiser", "activations"})
    EXPECT_GT(plan["memory"][part], 0) << part;
  EXPECT_GT(plan["tokens_per_s"], 0);
  const Outcome shown = run_well(training("new", {"--plan"}));
  for (const char* part : {"memory: ", "activations", "tokens/s", "time: "})
    EXPECT_NE(shown.out.find(part), std::string::npos) << shown.out;
  EXPECT_FALSE(fs::exists(*this / "new"));
}

TEST_F(TrainingTest, VerifiesThatItCanBeResumed) {
  make_data();
  const Outcome outcome = run_well(training("new", {"--verify-resume"}));
  EXPECT_NE(outcome.out.find("the same bytes"), std::string::npos) << outcome.out;
  EXPECT_FALSE(fs::exists(*this / "new") || fs::exists(*this / "new.verify-resume"));
}

TEST_F(TrainingTest, RefusesADamagedCheckpointAndFallsBackWhenAsked) {
  run_well(training("base",
                    {"--steps", "40", "--save-every", "20", "--eval-every", "20", "--keep", "5"}));
  run_well({"train", "--resume", "base", "--steps", "60", "--threads", "1"});
  const std::string expected = weights("base");
  for (const char* file :
       {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "tokenizer.json"}) {
    for (const bool cut : {false, true}) {
      SCOPED_TRACE(std::string(file) + (cut ? " cut short" : " with a changed byte"));
      fs::remove_all(*this / "run");
      fs::copy(*this / "base", *this / "run",
               fs::copy_options::recursive | fs::copy_options::copy_symlinks);
      const std::string name = std::string("run/checkpoints/step-0000060/") + file;
      if (cut) {
        fs::resize_file(*this / name, fs::file_size(*this / name) / 2);
      } else {
        damage(name);
      }
      expect_refused(1, {"train", "--resume", "run", "--steps", "60"},
                     {"step-0000060", file, "--fall-back"});
      const Outcome resumed = run_well(
          {"train", "--resume", "run", "--fall-back", "--steps", "60", "--threads", "1"});
      EXPECT_NE(resumed.err.find("resuming at step 40"), std::string::npos) << resumed.err;
      EXPECT_TRUE(weights("run") == expected);
      EXPECT_TRUE(fs::exists(*this / "run/checkpoints/step-0000060.damaged"));
    }
  }
}

TEST_F(TrainingTest, SaysWhenNoCheckpointIsIntact) {
  run_well(training("run", {"--steps", "10", "--keep", "1"}));
  damage("run/checkpoints/step-0000010/model.safetensors");
  expect_refused(1, {"train", "--resume", "run", "--fall-back"},
                 {"no checkpoint", "run", "intact"});
}

TEST_F(TrainingTest, AFinishedRunSaysSoAndGoesOnWhenAsked) {
  run_well(training("run", {"--steps", "10"}));
  const Outcome outcome = run_well({"train", "--resume", "run", "--threads", "1"});
  EXPECT_NE(outcome.err.find("finished"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("--steps"), std::string::npos) << outcome.err;
  run_well({"train", "--resume", "run", "--steps", "15", "--threads", "1"});
  EXPECT_EQ(checkpoints("run").back(), "step-0000015");
}

TEST_F(TrainingTest, DivergenceIsSaidAndTheRunCanBeBegunAnew) {
  const Words wild = {"--data",   "data", "-o",           "run", "--layers",  "1",   "--heads", "1",
                      "--width",  "16",   "--context",    "8",   "--lr",      "1e8", "--clip",  "0",
                      "--warmup", "0",    "--eval-every", "0",   "--threads", "1"};
  Words words = {"train"};
  words.insert(words.end(), wild.begin(), wild.end());
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.status, 1);
  for (const char* part : {"diverged at step", "--lr", "--warmup"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }
  const Outcome again = run(words);
  EXPECT_EQ(again.status, 1);
  EXPECT_NE(again.err.find("begins at the beginning"), std::string::npos) << again.err;
  words.insert(words.end(), {"--seed", "2"});
  expect_refused(2, words, {"run", "another command", "--seed"});
}

TEST_F(TrainingTest, ATrainingWindowShorterThanTheModelsIsTakenWithInit) {
  run_well(training("base", {"--steps", "10"}));
  for (const Words& words : {Words{"train", "--init", "base", "--data", "data", "-o", "a"},
                             Words{"finetune", "base", "--data", "data", "-o", "b"}}) {
    Words all = words;
    all.insert(all.end(), {"--context", "8", "--steps", "3", "--batch", "2", "--threads", "1"});
    const Outcome outcome = run_well(all);
    EXPECT_NE(outcome.err.find(" 16 tokens a step"), std::string::npos) << outcome.err;
    for (std::string& word : all) {
      if (word == "a" || word == "b") word = "c";
      if (word == "8") word = "64";
    }
    expect_refused(2, all, {"--context", "64", "16"});
  }
}

// Its rates and schedule are its own from scratch; a trained model is tuned by how it was trained
// (here with as many tokens, so at the same rate) and AdamW's schedule; what is given counts.
TEST_F(TrainingTest, MuonHasDefaultsOfItsOwn) {
  const auto has = [&](const std::string& run, const Words& parts) {
    const std::string options = read(run + "/run.json");
    for (const std::string& part : parts)
      EXPECT_NE(options.find(part), std::string::npos) << part << " in " << options;
  };
  const Words data = {"--data", "data", "--batch", "2", "--threads", "1", "--optimizer", "muon"};
  const auto with = [&](Words words, const Words& more) {
    words.insert(words.end(), data.begin(), data.end());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Words shape = {"--layers", "1", "--heads", "1", "--width", "16", "--context", "16"};
  Words given = shape;
  given.insert(given.end(), {"--lr", "0.004", "--schedule", "linear"});
  run_well(with({"train", "-o", "own", "--steps", "2"}, shape));
  has("own", {R"("optimizer": "muon")", R"("lr": 0.008)", R"("muon_lr": 0.02)", R"("beta1": 0.8)",
              R"("schedule": "wsd")", R"("decay_fraction": 0.6)"});
  run_well(with({"train", "-o", "given", "--steps", "2"}, given));
  has("given", {R"("lr": 0.004)", R"("muon_lr": 0.01)", R"("schedule": "linear")"});
  run_well(with({"finetune", "own", "-o", "tuned", "--steps", "2"}, {}));
  has("tuned", {R"("optimizer": "muon")", R"("lr": 0.008)", R"("muon_lr": 0.02)",
                R"("schedule": "cosine")"});
  expect_refused(2, with({"train", "-o", "bad", "--steps", "2", "--muon-lr", "-1"}, shape),
                 {"--muon-lr", "-1", "above 0"});
  expect_refused(2, with({"finetune", "own", "-o", "bad", "--lora-alpha", "32"}, {}),
                 {"--lora-alpha", "means nothing"});
  expect_refused(2, with({"train", "-o", "bad", "--fim-rate", "0.5", "--mask-rate", "0.1"}, shape),
                 {"--fim-rate", "--mask-rate", "leave one"});
  expect_refused(2, with({"train", "-o", "bad", "--prompt-loss-weight", "0.1"}, shape),
                 {"--prompt-loss-weight", "no records"});
  expect_refused(2, with({"train", "-o", "bad", "--plan", "--find-lr"}, shape),
                 {"--plan", "--find-lr", "one of them"});
}

}  // namespace
}  // namespace inkstone::test
