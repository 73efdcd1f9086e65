// Text and data that are missing, damaged or of the wrong kind; folders and disks that cannot be
// written.
#include <sys/stat.h>

#include "base/child.h"
#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;

class BadInputTest : public Workspace {
 protected:
  // What reads text: each is given the input and must refuse it.
  void expect_no_text(const std::string& input, const Words& parts) {
    expect_refused(1, {"tokenizer", "train", input, "-o", "new"}, parts);
    expect_refused(1, {"prepare", input, "--tokenizer", "vocabulary", "-o", "new"}, parts);
  }
};

TEST_F(BadInputTest, AMissingFile) {
  make_data();
  expect_no_text("nowhere.txt", {"nowhere.txt", "not there"});
  expect_refused(1, {"prepare", "text.txt", "--tokenizer", "nowhere", "-o", "new"},
                 {"nowhere", "no such folder"});
  expect_refused(1, {"tokenizer", "encode", "--tokenizer", "vocabulary", "nowhere.txt"},
                 {"nowhere.txt", "No such file"});
  expect_refused(1, {"train", "--data", "nowhere", "-o", "new"}, {"nowhere", "prepare"});
  expect_refused(1, {"train", "--resume", "nowhere"}, {"nowhere", "not a run folder"});
  expect_refused(1, {"train", "--resume", "data"}, {"data", "not a run folder"});
  expect_refused(1, {"info", "nowhere"}, {"nowhere"});
}

TEST_F(BadInputTest, AFolderWithoutText) {
  make_data();
  fs::create_directories(*this / "folder/below");
  expect_no_text("folder", {"'folder'", "no "});
  write("folder/below/.hidden", "text");
  expect_no_text("folder", {".hidden", "hidden"});
}

TEST_F(BadInputTest, ABinaryFile) {
  make_data();
  write("image.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16));
  expect_no_text("image.png", {"image.png", "an image"});
}

TEST_F(BadInputTest, AnEmptyFile) {
  make_data();
  write("empty.txt", "");
  expect_no_text("empty.txt", {"empty.txt", "empty"});
  expect_refused(1, {"prepare", "-", "--tokenizer", "vocabulary", "-o", "new"},
                 {"standard input", "empty"});
}

TEST_F(BadInputTest, AFileOfOneByteIsPreparedButCannotTrain) {
  write("one.txt", "a");
  run_well({"tokenizer", "train", "one.txt", "-o", "vocabulary", "--type", "char"});
  const Outcome prepared = run_well(
      {"prepare", "one.txt", "--tokenizer", "vocabulary", "-o", "data"});
  EXPECT_NE(prepared.err.find("too short"), std::string::npos) << prepared.err;
  expect_refused(1, training("new"), {"1 training tokens", "at least 2"});
}

TEST_F(BadInputTest, ATextShorterThanOneContextTrainsWithAWordAboutIt) {
  make_data("a short text", "char");
  const Outcome trained = run_well(training("run", {"--steps", "5"}));
  EXPECT_NE(trained.err.find("shorter than one context"), std::string::npos) << trained.err;
}

TEST_F(BadInputTest, BadFilesAmongGoodOnesAreLeftOutAndNamed) {
  fs::create_directories(*this / "texts");
  write("texts/good.txt", verses(20));
  write("texts/empty.txt", "");
  write("texts/binary.dat", std::string(10, '\0'));
  for (const Words& words :
       {Words{"tokenizer", "train", "texts", "-o", "vocabulary"},
        Words{"prepare", "texts", "--tokenizer", "vocabulary", "-o", "data"}}) {
    const Outcome outcome = run_well(words);
    EXPECT_NE(outcome.err.find("left out: texts/empty.txt: empty"), std::string::npos)
        << outcome.err;
    EXPECT_NE(outcome.err.find("left out: texts/binary.dat: binary"), std::string::npos)
        << outcome.err;
  }
}

TEST_F(BadInputTest, AnOutputFolderThatIsNotEmpty) {
  make_run();
  fs::create_directories(*this / "mine");
  write("mine/diary.txt", "dear diary");
  expect_refused(2, training("mine"), {"mine", "not empty"});
  expect_refused(2, training("run"), {"run", "not empty", "--resume run"});
  expect_refused(2, {"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "mine"},
                 {"mine", "diary.txt"});
  expect_refused(2, {"tokenizer", "train", "text.txt", "-o", "run"}, {"run", "checkpoints"});
  expect_refused(2, {"tokenizer", "train", "text.txt", "-o", "run/last"}, {"config.json"});
  expect_refused(2, {"tokenizer", "train", "text.txt", "-o", "data"}, {"report.json"});
  expect_refused(2, {"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "text.txt"},
                 {"text.txt", "a file"});
}

TEST_F(BadInputTest, AnOutputInAFolderThatIsNotThere) {
  make_run();
  expect_refused(1, {"generate", "run", "-o", "nowhere/out.txt"},
                 {"nowhere/out.txt", "No such file"});
  expect_refused(1, {"logits", "run", "--tokens", "1", "-o", "nowhere/out.npy"},
                 {"nowhere/out.npy"});
}

TEST_F(BadInputTest, DataOfAnotherVocabulary) {
  make_run();
  run_well({"tokenizer", "train", "text.txt", "-o", "bpe", "--vocab-size", "300"});
  run_well({"prepare", "text.txt", "--tokenizer", "bpe", "-o", "other"});
  expect_refused(1, {"finetune", "run", "--data", "other", "-o", "new"},
                 {"'other'", "the model has 257", "prepare"});
}

TEST_F(BadInputTest, AShardThatIsCutShort) {
  make_data();
  fs::resize_file(*this / "data/train_000000.bin", 1500);
  expect_refused(1, training("new"), {"train_000000.bin"});
  expect_refused(1, {"info", "data/train_000000.bin"}, {"train_000000.bin"});
}

TEST_F(BadInputTest, TokenIdsThatDoNotExist) {
  make_data();
  expect_refused(1, {"tokenizer", "decode", "--tokenizer", "vocabulary"}, {"999999", "vocabulary"},
                 "1 2 999999");
  expect_refused(1, {"tokenizer", "decode", "--tokenizer", "vocabulary"}, {"1 '['", "0 ']'", "cut"},
                 "[1, 2");
  expect_refused(1, {"tokenizer", "decode", "--tokenizer", "vocabulary"}, {"'hello'", "token id"},
                 "hello");
  expect_refused(1, {"tokenizer", "decode", "--tokenizer", "vocabulary", "--format", "u16"},
                 {"3 bytes", "multiple of 2"}, "abc");
}

TEST_F(BadInputTest, AFullDiskUnderStandardOutput) {
  make_run();
  for (const Words& words :
       {Words{"generate", "run", "--threads", "1"}, Words{"info", "run"}, Words{"--help"},
        Words{"train", "--resume", "run", "--steps", "70", "--json", "--threads", "1"}}) {
    const Outcome outcome = run_inkstone(
        Launch{.arguments = words, .folder = folder(), .stdout_file = "/dev/full"});
    EXPECT_EQ(outcome.status, 1) << words[0];
    EXPECT_NE(outcome.err.find("standard output: No space left"), std::string::npos)
        << words[0] << outcome.err;
  }
}

TEST_F(BadInputTest, AFullDiskDuringACheckpointDamagesNothing) {
  make_run();
  const auto before = snapshot(*this / "run/checkpoints");
  const Words words = {"train", "--resume", "run", "--steps", "80", "--threads", "1"};
  const Outcome outcome = run_inkstone(
      Launch{.arguments = words, .folder = folder(), .in_child = [] { limit_file_size(60'000); }});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("saving checkpoint"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_TRUE(snapshot(*this / "run/checkpoints") == before);
  run_well(words);
}

TEST_F(BadInputTest, AFullDiskDuringPrepareLeavesTheOldData) {
  make_data();
  write("long.txt", verses(2000));
  const auto before = snapshot(*this / "data");
  const Outcome outcome = run_inkstone(
      Launch{.arguments = {"prepare", "long.txt", "--tokenizer", "vocabulary", "-o", "data"},
             .folder = folder(),
             .in_child = [] { limit_file_size(30'000); }});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_TRUE(snapshot(*this / "data") == before);
}

TEST_F(BadInputTest, AReadOnlyFolder) {
  make_run();
  fs::create_directories(*this / "locked");
  for (const char* name : {"", "locked"}) ::chmod((*this / name).c_str(), 0555);
  const auto run_as_user = [&](Words words) {
    return run_inkstone(Launch{.arguments = std::move(words), .folder = folder(), .in_child = [] {
                                 if (!become_ordinary_user()) ::_exit(77);
                               }});
  };
  const Outcome reached = run_as_user({"info", "run"});
  if (reached.status != 0)
    GTEST_SKIP() << "an ordinary user cannot run the program here: " << reached.err;
  const auto before = snapshot(folder());
  for (const Words& words :
       {training("locked"), training("locked/run"),
        Words{"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "locked"},
        Words{"tokenizer", "train", "text.txt", "-o", "locked"},
        Words{"generate", "run", "-o", "locked/out.txt"}}) {
    const Outcome outcome = run_as_user(words);
    EXPECT_EQ(outcome.status, 1) << words[0];
    EXPECT_NE(outcome.err.find("locked"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("Permission denied"), std::string::npos) << outcome.err;
  }
  EXPECT_TRUE(snapshot(folder()) == before);
}

}  // namespace
}  // namespace inkstone::test
