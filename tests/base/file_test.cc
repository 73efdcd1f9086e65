#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <set>

#include "base/append_file.h"
#include "base/error.h"
#include "child.h"
#include "support.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::mentions;
using test::ScratchFolder;
using test::text_thrown_in_child;
using test::thrown_by;

int count_entries(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
}

TEST(MappedFile, HoldsTheBytes) {
  const ScratchFolder folder;
  write_file(folder / "a", std::string("x\0y", 3));
  MappedFile file(folder / "a");
  EXPECT_EQ(file.text(), std::string_view("x\0y", 3));
  EXPECT_EQ(file.bytes().size(), 3u);
  EXPECT_EQ(file.bytes()[2], std::byte{'y'});
  EXPECT_EQ(file.path(), folder / "a");

  const std::byte* address = file.bytes().data();
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.bytes().data(), address);
  MappedFile assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.text(), std::string_view("x\0y", 3));
  EXPECT_EQ(assigned.path(), folder / "a");
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const ScratchFolder folder;
  write_file(folder / "a", "");
  EXPECT_TRUE(MappedFile(folder / "a").bytes().empty());
  EXPECT_TRUE(MappedFile().bytes().empty());
}

// The mapping outlives the name: a file that is replaced or removed keeps its bytes for who has it
// open.
TEST(MappedFile, StaysWhenTheFileIsReplaced) {
  const ScratchFolder folder;
  write_file(folder / "a", "old");
  const MappedFile file(folder / "a");
  write_file(folder / "a", "new!");
  EXPECT_EQ(file.text(), "old");
  EXPECT_EQ(read_file(folder / "a"), "new!");
}

TEST(ReadingFiles, WhatCannotBeReadIsNamed) {
  const ScratchFolder folder;
  const auto both = [](const fs::path& path) {
    const Error mapped = thrown_by([&] { MappedFile file(path); });
    const Error read = thrown_by([&] { read_file(path); });
    EXPECT_STREQ(mapped.what(), read.what());
    EXPECT_EQ(mapped.code(), read.code());
    return mapped;
  };
  const Error absent = both(folder / "none");
  EXPECT_EQ(absent.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(mentions(absent, "cannot open '" + (folder / "none").string() + "': No such file"));
  const Error a_folder = both(folder.path());
  EXPECT_EQ(a_folder.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(mentions(a_folder, "is a folder, expected a regular file"));
  EXPECT_TRUE(mentions(both("/dev/null"), "is a device or pipe"));
}

TEST(ReadingFiles, WithoutPermission) {
  const ScratchFolder folder;
  write_file(folder / "secret", "x");
  fs::permissions(folder / "secret", fs::perms::none);
  fs::permissions(folder.path(), fs::perms::all);
  const auto text = text_thrown_in_child([&] {
    if (test::become_ordinary_user()) read_file(folder / "secret");
  });
  ASSERT_TRUE(text);
  if (text->empty()) GTEST_SKIP() << "this process cannot give up being root";
  EXPECT_NE(text->find("secret': Permission denied"), std::string::npos) << *text;
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const ScratchFolder folder;
  write_file(folder / "a", "12345");
  EXPECT_EQ(read_file(folder / "a", 5), "12345");
  const Error error = thrown_by([&] { read_file(folder / "a", 4); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(mentions(error, "has 5 bytes, expected at most 4"));
}

TEST(AtomicFile, NothingIsVisibleBeforeCommit) {
  const ScratchFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("ne");
    file.write("w");
    EXPECT_EQ(read_file(folder / "a"), "old");
    file.commit();
    EXPECT_EQ(read_file(folder / "a"), "new");
  }
  EXPECT_EQ(read_file(folder / "a"), "new");
  EXPECT_EQ(count_entries(folder.path()), 1);
}

TEST(AtomicFile, WithoutCommitTheOldFileStays) {
  const ScratchFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a"), other(folder / "b");
    file.write("new");
  }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(count_entries(folder.path()), 1);
}

TEST(AtomicFile, WritesAtAnOffset) {
  const ScratchFolder folder;
  AtomicFile file(folder / "a");
  file.write("0123456789");
  file.write_at(2, "ab", 2);
  file.write("!");
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), "01ab456789!");
}

TEST(AtomicFile, IsGoneOnWithBehindWhatIsKept) {
  const ScratchFolder folder;
  const auto path = folder / "a";
  AtomicFile(path, 0).write("abcdef");
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    AtomicFile file(path, 3);
    file.write("XY");
    file.sync();
  }
  AtomicFile file(path, 5);
  file.write("!");
  file.commit();
  EXPECT_EQ(read_file(path), "abcXY!");
  {
    AtomicFile again(path, 4);  // committed since: taken back
    again.write("?");
    again.commit();
  }
  EXPECT_EQ(read_file(path), "abcX?");
  EXPECT_EQ(thrown_by([&] { AtomicFile(path, 6); }).code(), ErrorCode::kInputOutput);
  EXPECT_EQ(thrown_by([&] { AtomicFile(folder / "none", 1); }).code(), ErrorCode::kInputOutput);
  AtomicFile(folder / "b", 0).write("old");
  AtomicFile(folder / "b", 0).commit();
  EXPECT_EQ(read_file(folder / "b"), "");
}

TEST(AtomicFile, UseAfterCommitIsABug) {
  const ScratchFolder folder;
  AtomicFile file(folder / "a");
  file.commit();
  EXPECT_EQ(thrown_by([&] { file.write("x"); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(thrown_by([&] { file.write_at(0, "x", 1); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(thrown_by([&] { file.commit(); }).code(), ErrorCode::kInternal);
}

// The limit stops write() as a full disk does, in the middle of a write.
TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const ScratchFolder folder;
  write_file(folder / "a", "old");
  const auto text = text_thrown_in_child([&] {
    test::limit_file_size(100'000);
    write_file(folder / "a", std::string(150'000, 'x'));
  });
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("cannot write '" + (folder / "a").string() + "': "), std::string::npos)
      << *text;
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(count_entries(folder.path()), 1);
}

TEST(AtomicFile, AKilledProcessLeavesTheOldFile) {
  const ScratchFolder folder;
  write_file(folder / "a", "old");
  const auto text = text_thrown_in_child([&] {
    AtomicFile file(folder / "a");
    file.write("new");
    ::_exit(0);
  });
  EXPECT_TRUE(text);
  EXPECT_EQ(read_file(folder / "a"), "old");
}

TEST(AtomicFile, AReadOnlyFolder) {
  const ScratchFolder folder;
  make_folders(folder / "in");
  write_file(folder / "in/a", "old");
  fs::permissions(folder.path(), fs::perms::all);
  fs::permissions(folder / "in", fs::perms::owner_read | fs::perms::owner_exec |
                                     fs::perms::others_read | fs::perms::others_exec);
  const auto text = text_thrown_in_child([&] {
    if (test::become_ordinary_user()) write_file(folder / "in/a", "new");
  });
  fs::permissions(folder / "in", fs::perms::owner_all);
  ASSERT_TRUE(text);
  if (text->empty()) GTEST_SKIP() << "this process cannot give up being root";
  EXPECT_NE(text->find("Permission denied"), std::string::npos) << *text;
  EXPECT_EQ(read_file(folder / "in/a"), "old");
  EXPECT_EQ(count_entries(folder / "in"), 1);
}

TEST(AtomicFile, AFolderInPlaceOfTheFile) {
  const ScratchFolder folder;
  make_folders(folder / "a");
  write_file(folder / "a/inside", "x");
  const Error error = thrown_by([&] { write_file(folder / "a", "new"); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(mentions(error, "cannot write '" + (folder / "a").string() + "'"));
  EXPECT_EQ(read_file(folder / "a/inside"), "x");
  EXPECT_EQ(count_entries(folder.path()), 1);
}

TEST(AtomicFile, AFolderThatIsNotThere) {
  const ScratchFolder folder;
  EXPECT_EQ(thrown_by([&] { AtomicFile file(folder / "none/a"); }).code(), ErrorCode::kNotFound);
}

// As -o /dev/null is: here a terminal, which this process made.
TEST(AtomicFile, ADeviceStaysAndGetsTheBytes) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  const fs::path device = ::ptsname(terminal);
  const int keeps_it_open = ::open(device.c_str(), O_RDWR | O_NOCTTY);
  ASSERT_GE(keeps_it_open, 0);
  write_file(device, "one two");
  std::array<char, 16> bytes{};
  EXPECT_EQ(::read(terminal, bytes.data(), bytes.size()), 7);
  EXPECT_STREQ(bytes.data(), "one two");
  ::close(keeps_it_open);
  ::close(terminal);
}

// As -o /dev/stdout may be.
TEST(AtomicFile, APipeStaysAndGetsTheBytes) {
  const ScratchFolder folder;
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  fs::create_symlink(pipe, folder / "link");
  write_file(folder / "pipe", "one ");
  write_file(folder / "link", "two");
  {
    AtomicFile unfinished(folder / "pipe");
    unfinished.sync();
  }
  std::array<char, 16> bytes{};
  EXPECT_EQ(::read(reader, bytes.data(), bytes.size()), 7);
  EXPECT_STREQ(bytes.data(), "one two");
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(fs::symlink_status(folder / "pipe")));
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(folder / "link")));
  EXPECT_EQ(count_entries(folder.path()), 2) << "nothing else is left";
}

TEST(AtomicFile, ALinkStaysAndItsFileIsReplaced) {
  const ScratchFolder folder;
  write_file(folder / "file", "old");
  fs::create_symlink("file", folder / "link");
  fs::create_symlink("new", folder / "to_nothing");
  write_file(folder / "link", "new");
  write_file(folder / "to_nothing", "there now");
  EXPECT_EQ(read_file(folder / "file"), "new");
  EXPECT_EQ(read_file(folder / "new"), "there now");
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(folder / "link")));
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(folder / "to_nothing")));
}

TEST(AtomicFile, ANameWithoutAFolder) {
  const ScratchFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file("a", "x");
  fs::current_path(before);
  EXPECT_EQ(read_file(folder / "a"), "x");
}

TEST(AtomicFile, HasTheModeThatTheUserAskedFor) {
  const ScratchFolder folder;
  const mode_t before = ::umask(027);
  write_file(folder / "a", "x");
  ::umask(before);
  EXPECT_EQ(fs::status(folder / "a").permissions(), fs::perms(0640));
}

TEST(MakeFolders, MakesParentsAndNamesWhatIsInTheWay) {
  const ScratchFolder folder;
  make_folders(folder / "a/b/c");
  make_folders(folder / "a/b/c");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  write_file(folder / "file", "x");
  const Error error = thrown_by([&] { make_folders(folder / "file/b"); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(mentions(error, "file/b': Not a directory"));
  EXPECT_EQ(thrown_by([&] { sync_folder(folder / "none"); }).code(), ErrorCode::kNotFound);
}

TEST(TemporaryBeside, NamesDiffer) {
  std::set<fs::path> names;
  for (int i = 0; i < 100; ++i) names.insert(temporary_beside("/x/y.bin"));
  EXPECT_EQ(names.size(), 100u);
  const std::string name = names.begin()->string();
  EXPECT_TRUE(name.starts_with("/x/y.bin.") && name.ends_with(".tmp")) << name;
}

TEST(AppendFile, AddsToWhatIsThere) {
  const ScratchFolder folder;
  {
    AppendFile file(folder / "log");
    file.append("one\n");
    file.append("");
    EXPECT_EQ(read_file(folder / "log"), "one\n");  // visible at once
  }
  AppendFile again(folder / "log");
  again.append("two\n");
  EXPECT_EQ(read_file(folder / "log"), "one\ntwo\n");
  EXPECT_EQ(again.path(), folder / "log");
}

TEST(AppendFile, WhatCannotBeOpenedIsNamed) {
  const ScratchFolder folder;
  EXPECT_EQ(thrown_by([&] { AppendFile file(folder / "none/log"); }).code(), ErrorCode::kNotFound);
  const Error error = thrown_by([&] { AppendFile file(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(mentions(error, folder.path().string()));
}

TEST(AppendFile, AFullDiskLeavesNoPartOfARecord) {
  const ScratchFolder folder;
  const auto text = text_thrown_in_child([&] {
    AppendFile file(folder / "log");
    file.append("whole\n");
    test::limit_file_size(4'000);
    const std::string big(5'000, 'x');
    const Error error = thrown_by([&] { file.append(big); });
    file.append("next\n");
    throw error;
  });
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("cannot append to '" + (folder / "log").string() + "': "), std::string::npos)
      << *text;
  EXPECT_EQ(read_file(folder / "log"), "whole\nnext\n");
}

TEST(AppendFile, ADeviceThatIsAlwaysFull) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  AppendFile file("/dev/full");
  const Error error = thrown_by([&] { file.append("x"); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(mentions(error, "'/dev/full': No space left on device"));
}

TEST(ScratchFile, HoldsWhatIsWrittenAndLeavesNothing) {
  const test::ScratchFolder folder;
  ScratchFile first(folder.path(), 10);
  EXPECT_TRUE(fs::is_empty(folder.path()));
  std::array<std::byte, 10> bytes;
  first.read(0, bytes);
  for (const std::byte byte : bytes) EXPECT_EQ(byte, std::byte{0});
  first.write(8, std::array{std::byte{1}, std::byte{2}});
  ScratchFile moved = std::move(first);
  EXPECT_EQ(moved.size_bytes(), 10u);
  moved.read(0, bytes);
  EXPECT_EQ(bytes[7], std::byte{0});
  EXPECT_EQ(bytes[8], std::byte{1});
  EXPECT_EQ(bytes[9], std::byte{2});
}

TEST(ScratchFile, SaysWhatFailed) {
  const test::ScratchFolder folder;
  const auto code = [&](const fs::path& where, uint64_t size_bytes) {
    return test::thrown_by([&] { ScratchFile(where, size_bytes); }).code();
  };
  EXPECT_EQ(code(folder / "missing", 1), ErrorCode::kNotFound);
  EXPECT_EQ(code(folder.path(), uint64_t{1} << 62), ErrorCode::kInputOutput);
  EXPECT_TRUE(fs::is_empty(folder.path()));
  std::array<std::byte, 4> bytes;
  const ScratchFile file(folder.path(), 3);
  EXPECT_EQ(test::thrown_by([&] { file.read(0, bytes); }).code(), ErrorCode::kInputOutput);
}

}  // namespace
}  // namespace inkstone
