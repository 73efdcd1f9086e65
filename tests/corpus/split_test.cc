// Which documents validate, and where a single one is cut.
#include "corpus/prepare/split.h"

#include <random>

#include "base/hash.h"
#include "support.h"

namespace inkstone {
namespace {

constexpr uint64_t kTop = uint64_t{1} << 63;  // the hash of fraction 0.5

std::vector<bool> plan(double fraction, const std::vector<uint64_t>& hashes) {
  SplitPlanner planner(fraction);
  for (const uint64_t hash : hashes) planner.add(hash);
  return planner.finish();
}

using Flags = std::vector<bool>;

TEST(Split, TheHashDecides) {
  EXPECT_FALSE(hash_validates(0, 0));
  EXPECT_TRUE(hash_validates(0, 1e-15));
  EXPECT_FALSE(hash_validates(kTop, 0.5));
  EXPECT_TRUE(hash_validates(kTop - 1, 0.5));
  EXPECT_TRUE(hash_validates(UINT64_MAX, 1.0));
  EXPECT_FALSE(hash_validates(UINT64_MAX, 1 - 0x1.0p-53));
  EXPECT_EQ(plan(0.5, {kTop, 5, UINT64_MAX, kTop - 1}), (Flags{false, true, false, true}));
}

TEST(Split, TakesTheFractionOfManyDocuments) {
  const int64_t n = 100'000;
  int64_t validating = 0;
  for (int64_t i = 0; i < n; ++i)
    validating += hash_validates(hash64("document " + std::to_string(i)), 0.1) ? 1 : 0;
  // Five standard deviations of a binomial count: sqrt(n * 0.1 * 0.9) = 95.
  EXPECT_NEAR(static_cast<double>(validating), 10'000.0, 5 * 95.0);
}

TEST(Split, NeitherPartIsEmpty) {
  EXPECT_EQ(plan(0.1, {kTop + 2, kTop, kTop + 1}), (Flags{false, true, false}));
  EXPECT_EQ(plan(0.9, {3, 9, 5}), (Flags{true, false, true}));
  // Of equal documents, the first.
  EXPECT_EQ(plan(0.1, {kTop, kTop, kTop}), (Flags{true, false, false}));
  EXPECT_EQ(plan(0.9, {7, 7}), (Flags{false, true}));
  EXPECT_EQ(plan(0, {1, 2}), (Flags{false, false}));
  EXPECT_EQ(plan(0.1, {kTop}), Flags{false});
  EXPECT_EQ(plan(0.1, {}), Flags{});
}

TEST(Split, CutsWhatIsTooLongToValidateAsAWhole) {
  EXPECT_TRUE(is_cut(641'000, 641'009, 0.1));
  EXPECT_TRUE(is_cut(20'001, 100'000, 0.1));
  EXPECT_FALSE(is_cut(20'000, 100'000, 0.1));
  EXPECT_FALSE(is_cut(9'999, 10'000, 0.1));  // 999 characters would validate
  EXPECT_TRUE(is_cut(10'000, 10'010, 0.1));
  EXPECT_FALSE(is_cut(641'000, 641'009, 0));
  SplitPlanner planner(0.1);
  planner.add(kTop);
  planner.add(kTop);
  EXPECT_EQ(planner.finish(false), (Flags{false, false}));
}

TEST(Split, AddingDocumentsMovesNone) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> hashes(200);
  for (auto& hash : hashes) hash = random();
  const Flags before = plan(0.2, {hashes.begin(), hashes.begin() + 100}), after = plan(0.2, hashes);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(Split, CutsWhereNanoGptDoes) {
  EXPECT_EQ(training_characters(1'115'394, 0.1), 1'003'854);
  for (int64_t n = 2; n < 100'000; ++n) {
    // Python's int(n * 0.9) is this very arithmetic.
    ASSERT_EQ(training_characters(n, 0.1), static_cast<int64_t>(static_cast<double>(n) * 0.9)) << n;
  }
}

TEST(Split, CutsAtTheDecimalFraction) {
  // (1000 - permille) * n / 1000 in integers; 1 - 0.9 is 0.09999999999999998 in floating point.
  for (const int64_t n :
       std::vector<int64_t>{10, 99, 1000, 12345, 1'000'000'000, 987'654'321'000}) {
    for (int64_t permille = 0; permille < 1000; ++permille) {
      const double fraction = static_cast<double>(permille) / 1000;
      ASSERT_EQ(training_characters(n, fraction),
                std::max<int64_t>((1000 - permille) * n / 1000, 1))
          << n << " " << fraction;
    }
  }
}

TEST(Split, SomethingAlwaysTrains) {
  EXPECT_EQ(training_characters(1, 0.1), 1);
  EXPECT_EQ(training_characters(1, 0.999), 1);
  EXPECT_EQ(training_characters(2, 0.1), 1);
  EXPECT_EQ(training_characters(5, 0), 5);
}

}  // namespace
}  // namespace inkstone
