// How much of the prompts a pass takes.
#include "generate/pace.h"

#include "support.h"

namespace inkstone {
namespace {

TEST(Pace, WhereNothingIsWrittenAPassIsNotLimited) {
  Pace pace(512, 30);
  EXPECT_EQ(pace.prompt_rows(0), 512);
  pace.measured(512, 1e6);
  EXPECT_EQ(pace.prompt_rows(0), 512);
}

TEST(Pace, BesideWhatIsWrittenItKeepsToTheTime) {
  Pace pace(512, 30);
  EXPECT_EQ(pace.prompt_rows(8), 16);  // nothing is known yet
  pace.measured(100, 50);              // 2 rows a millisecond
  EXPECT_EQ(pace.prompt_rows(8), 60 - 8);
  EXPECT_EQ(pace.prompt_rows(60), 16);  // prompts go on
  for (int pass = 0; pass < 50; ++pass) pace.measured(100, 10);
  EXPECT_NEAR(static_cast<double>(pace.prompt_rows(10)), 300 - 10, 1);
  for (int pass = 0; pass < 50; ++pass) pace.measured(100, 0.1);
  EXPECT_EQ(pace.prompt_rows(10), 512);
}

// They are limited by reading the weights, and say nothing of what more rows would take.
TEST(Pace, PassesOfFewRowsTellNothing) {
  Pace pace(512, 30);
  pace.measured(100, 50);
  for (int pass = 0; pass < 50; ++pass) pace.measured(1, 10);
  EXPECT_EQ(pace.prompt_rows(1), 59);
  EXPECT_EQ(Pace(5, 30).prompt_rows(1), 5);
}

}  // namespace
}  // namespace inkstone
