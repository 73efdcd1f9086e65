// The output folder: what may be written over, and that nothing is damaged by a failure.
#include "corpus/prepare/output_folder.h"

#include <sys/wait.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/json.h"
#include "corpus_support.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;
using test::write_text;

// Two corpora of different length, so that the second has fewer shards.
class Folders : public testing::Test {
 protected:
  Folders() {
    for (int i = 0; i < 20; ++i) {
      write_text(scratch / fmt::format("long/{}", i),
                 fmt::format("{} is the number of this document", i));
      write_text(scratch / fmt::format("short/{}", i), fmt::format("document {}", i));
    }
  }

  PrepareReport run(const std::string& input, const Tokenizer& tokenizer = test::byte_tokenizer(),
                    const std::function<void(const PrepareProgress&)>& on_progress = {}) {
    return prepare(
        {.inputs = {scratch / input}, .output = out, .val_fraction = 0.3, .shard_tokens = 50},
        tokenizer, {.on_progress = on_progress});
  }

  void expect_refused(const std::string& text) {
    const auto before = test::snapshot(scratch.path());
    const auto error = test::thrown_by([&] { run("long"); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(test::mentions(error, text));
    EXPECT_EQ(test::snapshot(scratch.path()), before);
  }

  test::ScratchFolder scratch;
  const fs::path out = scratch / "data/out";
};

TEST_F(Folders, AnAbsentOrEmptyFolderIsFilled) {
  run("long");
  EXPECT_TRUE(fs::exists(out / "report.json"));
  EXPECT_FALSE(fs::exists(out / ".prepare-in-progress"));
  fs::remove_all(out);
  fs::create_directories(out);
  run("long");
  EXPECT_TRUE(fs::exists(out / "report.json"));
}

TEST_F(Folders, AnEarlierOutputIsReplacedWhole) {
  run("long", test::make_tokenizer(TokenizerType::kBpe));
  const auto before = test::snapshot(out);
  ASSERT_TRUE(before.contains("merges.txt"));
  write_text(out / "notes.txt", "the user's own");
  const PrepareReport report = run("short");
  auto after = test::snapshot(out);
  EXPECT_EQ(after["notes.txt"], "the user's own");
  // A fresh folder holds the same, byte for byte, but for the notes.
  fs::remove_all(out);
  run("short");
  after.erase("notes.txt");
  EXPECT_EQ(test::snapshot(out), after);
  EXPECT_LT(report.train.shards, std::count_if(before.begin(), before.end(), [](const auto& file) {
              return file.first.starts_with("train_");
            }));
  EXPECT_FALSE(after.contains("merges.txt"));
}

TEST_F(Folders, AForeignFolderIsNotTouched) {
  write_text(out / "thesis.txt", "years of work");
  expect_refused(
      "holds 'thesis.txt' and no report.json of an earlier prepare: choose a new or empty folder");
  write_text(out / "report.json", "{\"title\": \"years of work\"}");
  expect_refused("choose a new or empty folder");
  write_text(out / "report.json", "not JSON");
  expect_refused("choose a new or empty folder");
}

TEST_F(Folders, AFileIsNoFolder) {
  write_text(out, "a file");
  expect_refused("is a file, expected a folder or a new name");
}

TEST_F(Folders, OnePrepareAtATime) {
  run("short");
  const auto before = test::snapshot(out);
  const OutputFolder other(out);
  const auto error = test::thrown_by([&] { run("long"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "another process is at work"));
  EXPECT_EQ(TokenStream(out, "train").count(), TokenStream(out, "train").count());
  for (const auto& [name, content] : before) EXPECT_EQ(test::snapshot(out)[name], content) << name;
}

TEST_F(Folders, AFailureLeavesTheEarlierOutput) {
  run("short");
  const auto before = test::snapshot(out);
  fs::create_directories(scratch / "empty");
  EXPECT_EQ(test::thrown_by([&] { run("empty"); }).code(), ErrorCode::kInvalidData);
  EXPECT_EQ(test::snapshot(out), before);
  EXPECT_EQ(test::thrown_by([&] { run("missing"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(test::snapshot(out), before);
}

TEST_F(Folders, AFailureLeavesNoFolderBehind) {
  fs::create_directories(scratch / "empty");
  EXPECT_EQ(test::thrown_by([&] { run("empty"); }).code(), ErrorCode::kInvalidData);
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Folders, AFullDiskLeavesTheEarlierOutput) {
  run("short");
  const auto before = test::snapshot(out);
  int failures = 0;
  // Every length at which some file of the new output does not fit: shards, tokenizer files,
  // report.
  for (const rlim_t bytes : {0, 100, 1024, 1060, 1124, 2000, 3000}) {
    const test::FileSizeLimit limit(bytes);
    try {
      run("long");
      FAIL() << "all files fit into " << bytes << " bytes";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInputOutput) << e.what();
      EXPECT_TRUE(test::mentions(e, "File too large"));
      ++failures;
    }
    EXPECT_EQ(test::snapshot(out), before) << bytes;
  }
  EXPECT_EQ(failures, 7);
  run("long");
}

TEST_F(Folders, AFolderThatMayNotBeWrittenIsReported) {
  run("short");
  fs::permissions(scratch.path(), fs::perms::owner_all | fs::perms::others_all);
  const test::OrdinaryUser user;
  const auto error = test::thrown_by([&] { run("long"); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(test::mentions(error, "Permission denied"));
}

// prepare has a thread that reads; ThreadSanitizer lets no thread begin in a forked process.
#if defined(__SANITIZE_THREAD__)
#define INK_SKIP_IF_FORKS_HAVE_NO_THREADS() \
  GTEST_SKIP() << "ThreadSanitizer lets no thread begin in a forked process"
#else
#define INK_SKIP_IF_FORKS_HAVE_NO_THREADS() (void)0
#endif

// Runs f in a process of its own, which must die by SIGKILL.
void run_and_kill(const std::function<void()>& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(Folders, AKilledPrepareLeavesTheEarlierOutput) {
  INK_SKIP_IF_FORKS_HAVE_NO_THREADS();
  run("short");
  const auto before = test::snapshot(out);
  const auto kill_when_encoded = [](const PrepareProgress& p) {
    if (p.stage == PrepareProgress::Stage::kEncoding) ::raise(SIGKILL);
  };
  run_and_kill([&] { run("long", test::byte_tokenizer(), kill_when_encoded); });
  for (const auto& [name, content] : before) EXPECT_EQ(test::snapshot(out)[name], content) << name;
  EXPECT_GT(TokenStream(out, "train").count(), 0);
  run("short");
  EXPECT_EQ(test::snapshot(out), before);  // what the killed one left is gone
}

TEST_F(Folders, AKilledFirstPrepareCanBeRepeated) {
  run_and_kill([&] {
    run("long", test::byte_tokenizer(), [](const PrepareProgress&) { ::raise(SIGKILL); });
  });
  EXPECT_TRUE(fs::exists(out / ".prepare-in-progress"));
  run("short");
  EXPECT_FALSE(fs::exists(out / ".prepare-in-progress"));
}

TEST_F(Folders, AnInterruptedReplacementIsSeenAndRepaired) {
  run("short");
  // A folder that cannot be replaced by a file stops the replacement half way.
  fs::remove(out / "val_000000.bin");
  write_text(out / "val_000000.bin/in the way", "x");
  EXPECT_EQ(test::thrown_by([&] { run("long"); }).code(), ErrorCode::kInputOutput);
  const auto error = test::thrown_by([&] { TokenStream(out, "train"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "a prepare was interrupted: run prepare again"));
  // Another failure, before anything is replaced, does not hide it.
  EXPECT_EQ(test::thrown_by([&] { run("missing"); }).code(), ErrorCode::kNotFound);
  fs::create_directories(scratch / "empty");
  EXPECT_EQ(test::thrown_by([&] { run("empty"); }).code(), ErrorCode::kInvalidData);
  EXPECT_EQ(test::thrown_by([&] { TokenStream(out, "train"); }).code(), ErrorCode::kInvalidData);
  fs::remove_all(out / "val_000000.bin");
  const PrepareReport report = run("long");
  EXPECT_EQ(TokenStream(out, "train").count(), report.train.tokens);
}

// At any moment, not only where progress is reported.
TEST_F(Folders, KilledAtAnyMomentItEndsInTheSameBytes) {
  INK_SKIP_IF_FORKS_HAVE_NO_THREADS();
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += fmt::format("text {} of many\r\n<|endoftext|>\n", i * i % 2900);
  write_text(scratch / "many", text);
  PrepareOptions options{
      .inputs = {scratch / "many"}, .output = out, .val_fraction = 0.3, .shard_tokens = 2000};
  options.checkpoint_seconds = 0;
  options.batch_bytes = 4000;
  options.dropped_file = scratch / "dropped.jsonl";
  const auto begin = std::chrono::steady_clock::now();
  prepare(options, test::byte_tokenizer());
  std::chrono::duration<double> needed = std::chrono::steady_clock::now() - begin;
  const auto expected = test::snapshot(out);
  const std::string expected_dropped = read_file(options.dropped_file);
  std::mt19937 random(7);
  int kills = 0;
  for (int round = 0; round < 8 || (kills <= 3 && round < 40); ++round) {
    fs::remove_all(out);
    fs::remove(options.dropped_file);
    for (bool done = false; !done;) {
      const pid_t child = ::fork();
      if (child == 0) {
        prepare(options, test::byte_tokenizer());
        ::_exit(0);
      }
      std::this_thread::sleep_for(needed * (static_cast<double>(random() % 1000) / 1000));
      ::kill(child, SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      done = WIFEXITED(status);
      if (done) {
        ASSERT_EQ(WEXITSTATUS(status), 0);
        needed *= 0.9;  // the first may have taken longer than the others
      }
      kills += done ? 0 : 1;
      if (round + kills > 60) break;  // a slow machine that never gets to the end
    }
    prepare(options, test::byte_tokenizer());
    for (const auto& [name, content] : test::snapshot(out)) {
      ASSERT_TRUE(expected.contains(name)) << name;
      ASSERT_EQ(content, expected.at(name)) << name << ", round " << round;
    }
    ASSERT_EQ(test::snapshot(out).size(), expected.size());
    ASSERT_EQ(read_file(options.dropped_file), expected_dropped);
  }
  EXPECT_GT(kills, 3);
}

TEST_F(Folders, TheOutputMayLieInsideTheInput) {
  write_text(scratch / "in/text", "some text");
  const PrepareOptions options{.inputs = {scratch / "in"}, .output = scratch / "in/out"};
  prepare(options, test::byte_tokenizer());
  const auto before = test::snapshot(scratch / "in/out");
  const PrepareReport report = prepare(options, test::byte_tokenizer());
  EXPECT_EQ(test::reason_for(report.dropped, scratch / "in/out"), "the output folder");
  EXPECT_EQ(report.files, 1);
  EXPECT_EQ(test::snapshot(scratch / "in/out")["train_000000.bin"], before.at("train_000000.bin"));
}

}  // namespace
}  // namespace inkstone
