#include "cli/terminal/columns.h"

#include <gtest/gtest.h>

namespace inkstone::cli {
namespace {

TEST(Columns, AWideCharacterTakesTwo) {
  EXPECT_EQ(text_columns("step 3"), 6u);
  EXPECT_EQ(text_columns("第 3 步"), 7u);
  EXPECT_EQ(text_columns("损失，"), 6u);
  EXPECT_EQ(text_columns("\xB2"), 1u) << "bytes that are no character";
}

TEST(Columns, TextIsCutBetweenCharacters) {
  EXPECT_EQ(within_columns("step 3", 4), "step");
  EXPECT_EQ(within_columns("损失 4.2", 10), "损失 4.2");
  EXPECT_EQ(within_columns("损失 4.2", 4), "损失");
  EXPECT_EQ(within_columns("损失 4.2", 3), "损");
  EXPECT_EQ(within_columns("损失", 1), "");
  EXPECT_EQ(within_columns("e\u0301e\u0301", 1), "e\u0301");
}

TEST(Columns, AlignsByColumns) {
  EXPECT_EQ(left_aligned("词表", 6), "词表  ");
  EXPECT_EQ(right_aligned("词表", 6), "  词表");
  EXPECT_EQ(left_aligned("name", 6), "name  ");
  EXPECT_EQ(right_aligned("too long", 6), "too long");
}

TEST(Columns, ATableIsAsWideAsItsWidestCells) {
  EXPECT_EQ(aligned_table({{"run", "损失", ""}, {"红楼梦", "4.25", "*"}}),
            "run     损失\n"
            "红楼梦  4.25  *\n");
  EXPECT_EQ(aligned_table({}), "");
}

}  // namespace
}  // namespace inkstone::cli
