// Which files are found, and in which order.
#include "corpus/read/list_inputs.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "corpus_support.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;
using test::write_text;
using Paths = std::vector<fs::path>;

TEST(ListInputs, WalksFoldersInAStableOrder) {
  const test::ScratchFolder scratch;
  for (const char* name : {"b.txt", "a/2.txt", "a/10.txt", "a/c/deep.txt", "a.txt", "Z.txt"}) {
    write_text(scratch / name, name);
  }
  const auto root = scratch.path();
  EXPECT_EQ(list_inputs({root}), (Paths{root / "Z.txt", root / "a/10.txt", root / "a/2.txt",
                                        root / "a/c/deep.txt", root / "a.txt", root / "b.txt"}));
  EXPECT_EQ(list_inputs({root / "b.txt", root / "a"}),
            (Paths{root / "b.txt", root / "a/10.txt", root / "a/2.txt", root / "a/c/deep.txt"}));
}

TEST(ListInputs, LeavesOutHiddenEntriesInsideAFolderAndSaysSo) {
  const test::ScratchFolder scratch;
  const auto hidden = write_text(scratch / ".hidden", "x"),
             in_hidden = write_text(scratch / ".git/config", "x");
  const auto seen = write_text(scratch / "seen", "x");
  std::vector<DroppedDocument> left_out;
  EXPECT_EQ(list_inputs({scratch.path()}, &left_out), Paths{seen});
  EXPECT_EQ(test::reason_for(left_out, hidden), "hidden");
  EXPECT_EQ(test::reason_for(left_out, scratch / ".git"), "hidden");
  EXPECT_EQ(left_out.size(), 2u);
  // What the user names is meant.
  EXPECT_EQ(list_inputs({hidden, scratch / ".git"}), (Paths{hidden, in_hidden}));
}

TEST(ListInputs, ReadsNoFileTwice) {
  const test::ScratchFolder scratch;
  const auto file = write_text(scratch / "folder/file", "x");
  fs::create_symlink(file, scratch / "folder/zlink");
  fs::create_hard_link(file, scratch / "folder/zhard");
  std::vector<DroppedDocument> left_out;
  EXPECT_EQ(list_inputs({scratch / "folder", file, "-", scratch / "folder", "-"}, &left_out),
            (Paths{file, "-"}));
  EXPECT_EQ(test::reason_for(left_out, scratch / "folder/zlink"),
            "the same as '" + file.string() + "'");
  EXPECT_EQ(test::reason_for(left_out, scratch / "folder/zhard"),
            "the same as '" + file.string() + "'");
  EXPECT_EQ(test::reason_for(left_out, "-"), "standard input is named twice");
  EXPECT_EQ(left_out.size(), 5u);
}

TEST(ListInputs, FollowsLinksButNotInCircles) {
  const test::ScratchFolder scratch;
  const auto outside = write_text(scratch / "outside/text", "x");
  const auto inside = write_text(scratch / "root/a/text", "y");
  fs::create_directory_symlink(scratch / "outside", scratch / "root/to_outside");
  fs::create_directory_symlink(scratch / "root", scratch / "root/a/loop");
  fs::create_symlink(scratch / "nowhere", scratch / "root/dangling");
  fs::create_symlink("self", scratch / "root/self");
  std::vector<DroppedDocument> left_out;
  EXPECT_EQ(list_inputs({scratch / "root"}, &left_out),
            (Paths{inside, scratch / "root/to_outside/text"}));
  EXPECT_EQ(test::reason_for(left_out, scratch / "root/a/loop"),
            "the same as '" + (scratch / "root").string() + "'");
  EXPECT_EQ(test::reason_for(left_out, scratch / "root/dangling"), "a symbolic link to nothing");
  EXPECT_TRUE(test::reason_for(left_out, scratch / "root/self").starts_with("unreadable: "));
  EXPECT_EQ(left_out.size(), 3u);
}

TEST(ListInputs, NeverOpensPipesAndSocketsInAFolder) {
  const test::ScratchFolder scratch;
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0666), 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string socket_path = scratch / "socket";
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  socket_path.copy(address.sun_path, socket_path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  std::vector<DroppedDocument> left_out;
  EXPECT_TRUE(list_inputs({scratch.path()}, &left_out).empty());
  EXPECT_EQ(test::reason_for(left_out, scratch / "pipe"), "not a file (a pipe, socket or device)");
  EXPECT_EQ(test::reason_for(left_out, scratch / "socket"),
            "not a file (a pipe, socket or device)");
}

TEST(ListInputs, LeavesOutTheOutputFolder) {
  const test::ScratchFolder scratch;
  const auto text = write_text(scratch / "text", "x");
  write_text(scratch / "out/train_000000.bin", "x");
  std::vector<DroppedDocument> left_out;
  EXPECT_EQ(list_inputs({scratch.path()}, &left_out, scratch / "out/../out"), Paths{text});
  EXPECT_EQ(test::reason_for(left_out, scratch / "out"), "the output folder");
  EXPECT_EQ(list_inputs({scratch.path()}).size(), 2u);
}

TEST(ListInputs, PatternsStandForWhatTheyMatch) {
  const test::ScratchFolder scratch;
  const auto b = write_text(scratch / "b.txt", "x"), a = write_text(scratch / "a.txt", "x");
  const auto inner = write_text(scratch / "d.txt/c", "x"),
             odd = write_text(scratch / "[a].txt", "x");
  write_text(scratch / "other", "x");
  EXPECT_EQ(list_inputs({scratch / "*.txt"}), (Paths{odd, a, b, inner}));
  EXPECT_EQ(list_inputs({scratch / "[a].txt"}), Paths{odd});  // there under this name
  EXPECT_EQ(list_inputs({scratch / "[ab].txt"}), (Paths{a, b}));
  const Error error = test::thrown_by([&] { list_inputs({scratch / "*.csv"}); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(error, "*.csv' matches nothing"));
}

TEST(ListInputs, ListsNameInputs) {
  const test::ScratchFolder scratch;
  const auto b = write_text(scratch / "b.txt", "x"), a = write_text(scratch / "a.txt", "x");
  const auto list = write_text(scratch / "list",
                               b.string() + "\r\n\n" + (scratch / "*.txt").string());
  EXPECT_EQ(list_inputs({"@" + list.string()}), (Paths{b, a}));
  // As editors of Windows write lists.
  const std::string marked = "\xEF\xBB\xBF" + a.string() + "\n";
  EXPECT_EQ(list_inputs({"@" + write_text(scratch / "marked", marked).string()}), Paths{a});
  std::string wide = "\xFF\xFE";
  for (const char c : a.string() + "\r\n") wide += {c, '\0'};
  EXPECT_EQ(list_inputs({"@" + write_text(scratch / "wide", wide).string()}), Paths{a});
  const auto broken = write_text(scratch / "broken",
                                 a.string() + "\n" + (scratch / "gone").string() + "\n");
  const Error error = test::thrown_by([&] { list_inputs({"@" + broken.string()}); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(error, "broken', line 2: the input '"));
  const Error no_list = test::thrown_by(
      [&] { list_inputs({"@" + (scratch / "missing").string()}); });
  EXPECT_EQ(no_list.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(no_list, "the list of inputs '"));
}

TEST(ListInputs, AMissingInputIsAnError) {
  const test::ScratchFolder scratch;
  fs::create_symlink(scratch / "nowhere", scratch / "dangling");
  const auto file = write_text(scratch / "file", "x");
  const auto error = [&](const fs::path& path) {
    return test::thrown_by([&] { list_inputs({path}); });
  };
  EXPECT_EQ(error(scratch / "missing").code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(error(scratch / "missing"), "missing' is not there"));
  EXPECT_TRUE(
      test::mentions(error(scratch / "dangling"), "dangling' is a symbolic link to nothing"));
  EXPECT_EQ(error(file / "below").code(), ErrorCode::kNotFound);
}

TEST(ListInputs, ReportsAFolderThatCannotBeListed) {
  const test::ScratchFolder scratch;
  fs::permissions(scratch.path(), fs::perms::all);
  write_text(scratch / "closed/text", "x");
  const auto open = write_text(scratch / "open", "x");
  fs::permissions(scratch / "closed", fs::perms::none);
  std::vector<DroppedDocument> left_out;
  {
    const test::OrdinaryUser user;
    EXPECT_EQ(list_inputs({scratch.path()}, &left_out), Paths{open});
  }
  EXPECT_EQ(test::reason_for(left_out, scratch / "closed"), "unreadable: Permission denied");
  fs::permissions(scratch / "closed", fs::perms::owner_all);
}

}  // namespace
}  // namespace inkstone
