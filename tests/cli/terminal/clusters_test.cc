// Characters as a person sees them, and their columns.
#include "cli/terminal/clusters.h"

#include <gtest/gtest.h>

#include <string>

namespace inkstone::cli {
namespace {

struct Case {
  const char* text;
  int columns;
  Cluster::Kind kind;
};

TEST(ClustersTest, OneCharacterIsOneClusterWithItsColumns) {
  using enum Cluster::Kind;
  const Case cases[] = {
      {"a", 1, kPlain},
      {"却", 2, kPlain},
      {"，", 2, kPlain},
      {"ｱ", 1, kPlain},
      {"한", 2, kPlain},
      {"ไ", 1, kPlain},
      {"\U00020000", 2, kPlain},
      {"🙂", 2, kPlain},
      {"“", 1, kAmbiguous},
      {"…", 1, kAmbiguous},
      {"e\u0301", 1, kUnsure},
      {"👍\U0001F3FD", 2, kUnsure},
      {"👨\u200D👩\u200D👧", 2, kUnsure},
      {"\U0001F1E8\U0001F1F3", 2, kUnsure},
      {"\u2764\uFE0F", 2, kUnsure},
      {"1\uFE0F\u20E3", 2, kUnsure},
      {"\u0E19\u0E49\u0E33", 2, kUnsure},
      {"\u1100\u1161\u11A8", 2, kUnsure},
      {"\u2028", 1, kUnsure},
      {"\u200B", 0, kUnsure},
  };
  for (const Case& c : cases) {
    const auto clusters = clusters_of(c.text);
    ASSERT_EQ(clusters.size(), 1u) << c.text;
    EXPECT_EQ(clusters[0].size, std::string(c.text).size()) << c.text;
    EXPECT_EQ(clusters[0].columns, c.columns) << c.text;
    EXPECT_EQ(clusters[0].kind, c.kind) << c.text;
  }
}

TEST(ClustersTest, ClustersFollowEachOther) {
  const std::string text = "a👨\u200D👩\u200D👧e\u0301却\n🙂";
  size_t at = 0;
  int count = 0;
  for (const Cluster& cluster : clusters_of(text)) {
    EXPECT_EQ(cluster.begin, at);
    at += cluster.size;
    ++count;
  }
  EXPECT_EQ(at, text.size());
  EXPECT_EQ(count, 6);
  EXPECT_TRUE(clusters_of("").empty());
}

TEST(ClustersTest, NeighboursOfAPlace) {
  const std::string text = "a👨‍👩‍👧却";
  const size_t family = std::string("👨‍👩‍👧").size();
  EXPECT_EQ(cluster_behind(text, 0), 1u);
  EXPECT_EQ(cluster_behind(text, 1), 1 + family);
  EXPECT_EQ(cluster_behind(text, text.size()), text.size());
  EXPECT_EQ(cluster_before(text, text.size()), 1 + family);
  EXPECT_EQ(cluster_before(text, 1 + family), 1u);
  EXPECT_EQ(cluster_before(text, 0), 0u);
}

TEST(ClustersTest, WordsOfTextWithAndWithoutBlanks) {
  const std::string english = "one, two  three";
  EXPECT_EQ(word_behind(english, 0), 3u);
  EXPECT_EQ(word_behind(english, 3), 8u);
  EXPECT_EQ(word_before(english, 10), 5u);
  EXPECT_EQ(word_before(english, english.size()), 10u);
  EXPECT_EQ(word_behind(english, english.size()), english.size());
  EXPECT_EQ(word_before("  ", 2), 0u);
  const std::string chinese = "今天天气很好。";
  EXPECT_EQ(chinese.substr(0, word_behind(chinese, 0)), "今天");
  EXPECT_EQ(chinese.substr(0, word_behind(chinese, 6)), "今天天气");
  EXPECT_LT(word_before(chinese, chinese.size()), chinese.size() - std::string("。").size());
}

}  // namespace
}  // namespace inkstone::cli
