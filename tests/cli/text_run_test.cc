// From a text to a model in one command: what is made, what goes on, what is refused.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

class TextRunTest : public Workspace {
 protected:
  TextRunTest() { write("book.txt", verses(400)); }

  // `train book.txt` into RUN, of a model so small that it takes a moment, and these words more.
  static Words train_text(const std::string& run, Words more = {}) {
    Words words = {"train",        "book.txt", "-o",        run,  "--layers",    "1",
                   "--heads",      "1",        "--width",   "16", "--context",   "8",
                   "--batch",      "2",        "--threads", "1",  "--log-every", "1",
                   "--vocab-size", "290"};
    if (std::find(more.begin(), more.end(), "--steps") == more.end())
      words.insert(words.end(), {"--steps", "20"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // What a run ends in, whatever happened on the way: the vocabulary, the shards, the weights.
  std::map<std::string, std::string> end_of(const std::string& run) const {
    std::map<std::string, std::string> end;
    for (const char* part : {"tokenizer", "data", "last"}) {
      for (auto& [name, content] : snapshot(*this / run / part / "")) {
        if (name != "trainer_state.json" && name != "checksums.txt")
          end[std::string(part) + "/" + name] = std::move(content);
      }
    }
    return end;
  }
};

TEST_F(TextRunTest, OneCommandMakesVocabularyShardsAndModel) {
  const Outcome outcome = run_well(train_text("run"));
  for (const char* name : {"run/tokenizer/tokenizer.json", "run/data/report.json",
                           "run/data/train_000000.bin", "run/run.json", "run/last/config.json"}) {
    EXPECT_TRUE(fs::exists(*this / name)) << name;
  }
  EXPECT_NE(outcome.err.find("vocabulary: 290 tokens"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("validation tokens"), std::string::npos) << outcome.err;
  EXPECT_FALSE(run_well({"generate", "run", "--max-tokens", "5"}).out.empty());
  // The split is that of prepare.
  run_well({"prepare", "book.txt", "--tokenizer", "run/tokenizer", "-o", "data", "--val-fraction",
            "0.05"});
  EXPECT_EQ(read("run/data/train_000000.bin"), read("data/train_000000.bin"));
}

TEST_F(TextRunTest, TheNextCommandsFitTheText) {
  const auto next = [&](const std::string& text) {
    write("book.txt", text);
    const Outcome outcome = run_well(train_text("run", {"--steps", "2"}));
    const std::string intro = "Next:\n  ";
    const size_t at = outcome.err.find(intro) + intro.size();
    const std::string command = outcome.err.substr(at, outcome.err.find('\n', at) - at);
    const Outcome written = run_shell(command + " --max-tokens 3 --threads 1", folder());
    EXPECT_EQ(written.status, 0) << command << "\n" << written.err;
    fs::remove_all(*this / "run");
    return command;
  };
  std::string lines;
  for (int i = 0; i < 60; ++i) lines += std::to_string(i) + "\n";
  EXPECT_EQ(next("It's $HOME `x`\n" + lines),
            "inkstone generate run --prompt 'It'\\''s $HOME `x`'");
  EXPECT_EQ(next("床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。\n" + lines),
            "inkstone generate run --prompt '床前明月光，疑是'");
  EXPECT_EQ(next("--help me\n" + lines), "inkstone generate run --prompt='--help me'");
}

TEST_F(TextRunTest, TheSameCommandAgainGoesOnAndAnotherIsRefused) {
  run_well(train_text("run"));
  const Outcome again = run_well(train_text("run"));
  EXPECT_NE(again.err.find("finished"), std::string::npos) << again.err;
  run_well(train_text("run/"));
  expect_refused(2, train_text("run", {"--steps", "30"}),
                 {"run", "another command", "--steps was '20', now '30'", "--resume run"});
  expect_refused(2, train_text("run", {"--dropout", "0.1"}), {"--dropout was nothing, now '0.1'"});
  write("other.txt", verses(3));
  Words other = train_text("run");
  other[1] = "other.txt";
  expect_refused(2, other, {"TEXT was", "book.txt", "other.txt"});
  // Where it is called from, how many threads, and how it is shown decide nothing.
  const Outcome json = run_well(train_text("run", {"--json"}));
  EXPECT_NE(json.out.find("\"end\""), std::string::npos);
}

TEST_F(TextRunTest, KilledAtAnyMomentTheSameCommandGoesOnToTheSameEnd) {
  write("book.txt", verses(3000));
  const Words more = {"--steps", "150", "--save-every", "10", "--eval-every", "0"};
  run_well(train_text("whole", more));
  const auto whole = end_of("whole");
  for (const bool resume : {false, true}) {
    SCOPED_TRACE(resume ? "--resume" : "the same command");
    const std::string name = resume ? "resumed" : "repeated";
    const Words command = train_text(name, more);
    int kills = 0;
    for (int delay_ms = 4;; delay_ms += 4 + delay_ms / 6) {
      const bool begun = fs::exists(*this / name / "command.json");
      RunningProgram program(
          resume && begun ? Words{"train", "--resume", name, "--threads", "1"} : command, folder(),
          RunningProgram::Terminal::kNone);
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
      program.signal(SIGKILL);
      const int status = program.finish();
      if (status == 0) break;
      ASSERT_EQ(status, 128 + SIGKILL) << program.output();
      ++kills;
    }
    EXPECT_GE(kills, 5);
    const auto end = end_of(name);
    ASSERT_EQ(end.size(), whole.size());
    for (const auto& [file, content] : whole)
      EXPECT_TRUE(end.at(file) == content) << file << " is another";
  }
}

TEST_F(TextRunTest, CtrlCBeforeTheTrainingSaysHowToGoOn) {
  write("book.txt", verses(60000));
  RunningProgram program(train_text("run"), folder(), RunningProgram::Terminal::kNone);
  while (!fs::exists(*this / "run" / "command.json"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  program.signal(SIGINT);
  EXPECT_EQ(program.finish(), 130) << program.output();
  EXPECT_NE(program.output().find("inkstone train --resume run"), std::string::npos)
      << program.output();
  const Outcome resumed = run_well({"train", "--resume", "run", "--threads", "1", "--json"});
  EXPECT_NE(resumed.out.find("\"end\""), std::string::npos) << resumed.err;
}

TEST_F(TextRunTest, ATextThatWasChangedSinceIsTold) {
  run_well(train_text("run"));
  const auto says_newer = [&] {
    const std::string told = run_well(train_text("run")).err;
    return told.find("book.txt' is newer than the shards") != std::string::npos;
  };
  fs::last_write_time(*this / "book.txt", fs::last_write_time(*this / "run/data/report.json"));
  EXPECT_FALSE(says_newer());
  fs::last_write_time(*this / "book.txt", fs::last_write_time(*this / "run/data/report.json") +
                                              std::chrono::seconds(1));
  EXPECT_TRUE(says_newer());
}

TEST_F(TextRunTest, StandardInputIsKeptForTheSecondReading) {
  Words words = train_text("piped");
  words[1] = "-";
  run_well(words, read("book.txt"));
  run_well(train_text("named"));
  EXPECT_EQ(read("piped/last/model.safetensors"), read("named/last/model.safetensors"));
  EXPECT_EQ(read("piped/data/train_000000.bin"), read("named/data/train_000000.bin"));
  run_well(words);  // goes on, and needs no input
  // Killed before it had read all.
  std::vector<fs::path> made;
  for (const auto& entry : fs::directory_iterator(*this / "piped")) {
    if (entry.path().filename() != "command.json") made.push_back(entry.path());
  }
  for (const fs::path& path : made) fs::remove_all(path);
  expect_refused(1, {"train", "--resume", "piped"}, {"standard input is empty"});
  run_well({"train", "--resume", "piped"}, read("book.txt"));
  EXPECT_EQ(read("piped/last/model.safetensors"), read("named/last/model.safetensors"));
}

TEST_F(TextRunTest, JsonTellsOfEveryStage) {
  const Outcome outcome = run_well(train_text("run", {"--json"}));
  std::istringstream lines(outcome.out);
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) {
    const std::string event = Json::parse(line)["event"];
    if (events.empty() || events.back() != event) events.push_back(event);
  }
  EXPECT_EQ(events,
            (std::vector<std::string>{"vocabulary", "prepared", "step", "checkpoint", "end"}));
}

TEST_F(TextRunTest, AVocabularyThatIsGivenIsTaken) {
  run_well({"tokenizer", "train", "book.txt", "-o", "characters", "--type", "char"});
  Words words = train_text("run");
  words.erase(std::find(words.begin(), words.end(), "--vocab-size"), words.end() - 2);
  words.insert(words.end(), {"--tokenizer", "characters"});
  run_well(words);
  EXPECT_FALSE(fs::exists(*this / "run/tokenizer"));
  EXPECT_EQ(read("run/data/tokenizer.json"), read("characters/tokenizer.json"));
}

TEST_F(TextRunTest, FineTunesAModelOnAText) {
  run_well(train_text("base"));
  write("letters.txt", verses(50));
  const Words words = {"finetune", "base", "letters.txt", "-o", "tuned",
                       "--steps",  "5",    "--threads",   "1"};
  const Outcome outcome = run_well(words);
  EXPECT_EQ(read("tuned/data/tokenizer.json"), read("base/data/tokenizer.json"));
  EXPECT_FALSE(fs::exists(*this / "tuned/tokenizer"));
  EXPECT_NE(run_well(words).err.find("finished"), std::string::npos);
}

TEST_F(TextRunTest, AnotherRunsDataCanBeTaken) {
  run_well(train_text("run"));
  const Words words = {
      "train", "--data",    "run", "-o",      "wider", "--layers", "1", "--heads",   "2", "--width",
      "32",    "--context", "8",   "--batch", "2",     "--steps",  "5", "--threads", "1"};
  run_well(words);
  EXPECT_EQ(read("wider/last/tokenizer.json"), read("run/last/tokenizer.json"));
  Words third = words;
  third[2] = "wider", third[4] = "third";  // whose data lies in `run`
  run_well(third);
  EXPECT_EQ(read("third/last/model.safetensors"), read("wider/last/model.safetensors"));
}

TEST_F(TextRunTest, DataThatHasMovedIsGivenOnResume) {
  make_data();
  run_well(training("run", {"--steps", "10"}));
  fs::rename(*this / "data", *this / "moved");
  expect_refused(1, {"train", "--resume", "run", "--steps", "12"}, {"data", "--data DIR"});
  run_well({"train", "--resume", "run", "--data", "moved", "--steps", "12", "--threads", "1"});
  run_well({"prepare", "book.txt", "--tokenizer", "moved", "-o", "other"});
  expect_refused(1, {"train", "--resume", "run", "--data", "other", "--steps", "14"},
                 {"other", "not what this run began with"});
}

TEST_F(TextRunTest, MinutesChooseTheModelAndTheSteps) {
  const Words words = {"train", "book.txt", "-o", "run", "--minutes", "0.03", "--threads", "1"};
  const Outcome outcome = run_well(words);
  EXPECT_NE(outcome.err.find("in 0.03 minutes this machine can read"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("inkstone generate run"), std::string::npos) << outcome.err;
  EXPECT_NE(run_well(words).err.find("finished"), std::string::npos);
  Words both = words;
  both[3] = "new";
  both.insert(both.end(), {"--steps", "5"});
  expect_refused(2, both, {"--minutes", "--steps"});
}

TEST_F(TextRunTest, RefusesWhatItCannotDoAndLeavesNothingBehind) {
  expect_refused(2, {"train", "-o", "run"}, {"TEXT", "--data"});
  expect_refused(2, {"train", "book.txt"}, {"-o RUN is missing"});
  expect_refused(2, {"train", "book.txt", "--data", "data", "-o", "run"}, {"in place of TEXT"});
  expect_refused(1, {"train", "absent.txt", "-o", "run"}, {"absent.txt"});
  expect_refused(1, {"train", "", "-o", "run"}, {"the input '' is not there"});
  for (const char* minutes : {"inf", "1e300", "nan", "0"}) {
    expect_refused(2, {"train", "book.txt", "-o", "run", "--minutes", minutes},
                   {"--minutes", "expected a number above 0 and at most 10000000"});
  }
  expect_refused(2, {"train", ".", "-o", "run"}, {"lies inside the text folder"});
  expect_refused(1, {"train", "book.txt", "--tokenizer", "absent", "-o", "run"}, {"absent"});
  expect_refused(2, {"train", "book.txt", "-o", "book.txt"}, {"book.txt", "not a folder"});
  expect_refused(2,
                 {"train", "book.txt", "-o", "run", "--batch", "4294967296", "--accumulate",
                  "4294967296", "--context", "8"},
                 {"--batch", "--accumulate", "too much"});
  fs::create_directory(*this / "mine");
  write("mine/diary.txt", "dear diary");
  expect_refused(2, {"train", "book.txt", "-o", "mine"}, {"mine", "not empty", "diary.txt"});
}

}  // namespace
}  // namespace inkstone::test
