// Checkpoints cut short or changed are refused by name; the newest intact one is used when asked.
#include "train/checkpoint.h"

#include "corpus.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    test::prepare_text(scratch / "data", test::rhyme(60));
    TrainOptions o = test::tiny_run(scratch / "data", run = scratch / "run");
    o.steps = 20;
    train(o);
    whole = read_file(run / "last/model.safetensors");
  }

  // Damages one file of the last checkpoint and checks the refusal and the way out.
  void expect_refused(const std::string& name, const std::function<void(const fs::path&)>& damage) {
    const fs::path copy = scratch / "copy";
    fs::remove_all(copy);
    fs::copy(run, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    damage(copy / "checkpoints/step-0000020" / name);
    const Error error = test::thrown_by([&] { resume({.run = copy}); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << name;
    EXPECT_TRUE(test::mentions(error, name));
    EXPECT_TRUE(test::mentions(error, "--fall-back"));
    EXPECT_EQ(resume({.run = copy, .fall_back = true}).step, 20) << name;
    EXPECT_EQ(read_file(copy / "last/model.safetensors"), whole) << name;
    EXPECT_TRUE(fs::exists(copy / "checkpoints/step-0000020.damaged"));
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(run / "checkpoints/step-0000020")) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  const test::ScratchFolder scratch;
  fs::path run;
  std::string whole;
};

TEST_F(CheckpointTest, EveryFileCutShortIsNoticed) {
  for (const std::string& name : files()) {
    if (name == "checksums.txt") continue;  // below
    expect_refused(name,
                   [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 1); });
  }
}

TEST_F(CheckpointTest, OneChangedByteIsNoticed) {
  for (const std::string& name : files()) {
    if (name == "checksums.txt") continue;
    expect_refused(name, [](const fs::path& file) {
      std::string bytes = read_file(file);
      bytes[bytes.size() / 2] ^= 1;
      write_file(file, bytes);
    });
  }
}

TEST_F(CheckpointTest, AMissingFileIsNoticed) {
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "checksums.txt"}) {
    expect_refused(name, [](const fs::path& file) { fs::remove(file); });
  }
}

TEST_F(CheckpointTest, ADamagedListOfChecksumsIsNoticed) {
  const fs::path list = run / "checkpoints/step-0000020/checksums.txt";
  const std::string text = read_file(list);
  for (size_t at = 0; at < text.size(); at += 7) {
    std::string bytes = text;
    bytes[at] ^= 1;
    write_file(list, bytes);
    EXPECT_EQ(test::thrown_by([&] { CheckpointFolder(run).verify(20); }).code(),
              ErrorCode::kInvalidData)
        << at;
  }
  write_file(list, text.substr(0, text.size() / 2));
  EXPECT_EQ(test::thrown_by([&] { CheckpointFolder(run).verify(20); }).code(),
            ErrorCode::kInvalidData);
  write_file(list, text);
  EXPECT_NO_THROW(CheckpointFolder(run).verify(20));
}

TEST_F(CheckpointTest, LeftoversOfAKilledWriteAreRemoved) {
  fs::create_directories(run / "checkpoints/step-0000030.99-0.tmp");
  write_file(run / "checkpoints/step-0000030.99-0.tmp/model.safetensors", "half");
  EXPECT_EQ(CheckpointFolder(run).steps(), (std::vector<int64_t>{10, 20}));
  CheckpointFolder(run).remove_unfinished();
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-0000030.99-0.tmp"));
}

TEST_F(CheckpointTest, ACopyThatFollowedTheLinksGoesOn) {
  const fs::path copy = scratch / "copy";
  fs::copy(run, copy, fs::copy_options::recursive);
  ASSERT_FALSE(fs::is_symlink(copy / "last"));
  EXPECT_EQ(resume({.run = copy, .steps = 24}).step, 24);
  EXPECT_EQ(fs::read_symlink(copy / "last"), "checkpoints/step-0000024");
  EXPECT_TRUE(fs::is_symlink(copy / "best"));
  // A folder of somebody's is none of these.
  fs::remove(copy / "last");
  fs::create_directory(copy / "last");
  const Error error = test::thrown_by([&] { resume({.run = copy, .steps = 30}); });
  EXPECT_TRUE(test::mentions(error, "Is a directory"));
}

TEST_F(CheckpointTest, NoCheckpointAtAll) {
  EXPECT_EQ(test::thrown_by([&] { resume({.run = scratch / "nowhere"}); }).code(),
            ErrorCode::kNotFound);
  fs::create_directories(scratch / "empty/checkpoints");
  EXPECT_EQ(test::thrown_by([&] { resume({.run = scratch / "empty"}); }).code(),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace inkstone
