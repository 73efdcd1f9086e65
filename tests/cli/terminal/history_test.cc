// Texts that were typed before.
#include "cli/terminal/history.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support.h"

namespace inkstone::cli {
namespace {

using test::ScratchFolder;
using Texts = std::vector<std::string>;

TEST(HistoryTest, EveryTextComesBack) {
  Texts texts = {"却说 宝玉", "two\nlines", "back\\slash", "\\n", "\\040", "ends with \\", "\ttab"};
  std::string file;
  for (const std::string& text : texts) file += format_history_line(text);
  EXPECT_EQ(parse_history(file), texts);
}

TEST(HistoryTest, ReadsWhatLibeditWrote) {
  EXPECT_EQ(parse_history("_HiStOrY_V2_\n/set\\040seed\\0405\\012\n却说\\012\na\\\\b\\012\n"),
            (Texts{"/set seed 5", "却说", "a\\b"}));
}

TEST(HistoryTest, AnyBytesAreTexts) {
  EXPECT_EQ(parse_history("a\xC8\xB4\xCB\n\n\n\\\n\\0"), (Texts{"a\u0234\uFFFD", "\\", "\\0"}));
  EXPECT_TRUE(parse_history("").empty());
}

TEST(HistoryTest, IsKeptAtOnceAndBetweenRuns) {
  const ScratchFolder folder;
  const auto file = folder.path() / "history";
  {
    History history(file);
    for (const char* text : {"one", "two", "two", "", "三\n四"}) history.add(text);
    EXPECT_EQ(read_file(file), "one\ntwo\n三\\n四\n");
    History other(file);
    other.add("other");
  }
  const History history(file);
  ASSERT_EQ(history.size(), 4u);
  EXPECT_EQ(history[2], "三\n四");
  EXPECT_EQ(history[3], "other");
}

TEST(HistoryTest, TheOldestAreForgotten) {
  const ScratchFolder folder;
  const auto file = folder.path() / "history";
  std::string lines;
  for (size_t i = 0; i < 2 * History::kMost + 1; ++i) lines += std::to_string(i) + "\n";
  write_file(file, lines);
  const History history(file);
  ASSERT_EQ(history.size(), History::kMost);
  EXPECT_EQ(history[0], std::to_string(History::kMost + 1));
  EXPECT_EQ(History(file).size(), History::kMost);
}

TEST(HistoryTest, AFileThatCannotBeKeptDoesNoHarm) {
  const ScratchFolder folder;
  for (const auto& file :
       {folder.path(), folder.path() / "nowhere" / "history", std::filesystem::path()}) {
    History history(file);
    history.add("one");
    EXPECT_EQ(history.size(), 1u);
  }
}

TEST(HistoryTest, FindsTheNewestBefore) {
  History history({});
  for (const char* text : {"one", "two", "one more"}) history.add(text);
  EXPECT_EQ(history.find_before(3, "one"), 2u);
  EXPECT_EQ(history.find_before(2, "one"), 0u);
  EXPECT_EQ(history.find_before(0, "one"), std::nullopt);
  EXPECT_EQ(history.find_before(99, "two"), 1u);
  EXPECT_EQ(history.find_before(3, "four"), std::nullopt);
}

}  // namespace
}  // namespace inkstone::cli
