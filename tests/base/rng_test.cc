#include "base/rng.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace inkstone {
namespace {

using Block = std::array<uint32_t, 4>;

// Random123 1.14, tests/kat_vectors, lines "philox4x32 10".
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32(0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32(UINT64_MAX, UINT64_MAX, UINT64_MAX),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, IsAFunctionOfSeedStreamSubstreamAndIndex) {
  const Random random(1, RandomStream::kDropout, 2);
  EXPECT_EQ(random.bits(7), Random(1, RandomStream::kDropout, 2).bits(7));
  std::set<uint64_t> values = {random.bits(7),
                               random.bits(8),
                               random.bits(uint64_t{1} << 63),
                               Random(2, RandomStream::kDropout, 2).bits(7),
                               Random(1, RandomStream::kSampling, 2).bits(7),
                               Random(1, RandomStream::kDropout, 3).bits(7)};
  EXPECT_EQ(values.size(), 6u);
}

// What was trained or sampled with one version must come out of the next: these values are fixed.
TEST(Random, TheAddressesStayTheSame) {
  const Random random(42, RandomStream::kSampling, 5);
  const Block block = philox4x32(42, 9, (uint64_t{4} << 56) ^ 5);
  EXPECT_EQ(random.block(9), block);
  EXPECT_EQ(random.bits(9), block[0] | (uint64_t{block[1]} << 32));
  EXPECT_EQ(random.uniform(9), static_cast<double>(random.bits(9) >> 11) / 9007199254740992.0);
}

// The bounds below are five standard errors of the statistic, so that a right generator with an
// unlucky seed fails once in a million; the seed is fixed.
constexpr int kCount = 200'000;
constexpr double kSigmas = 5;

TEST(Random, UniformHasTheMomentsOfTheUniformDistribution) {
  const Random random(3, RandomStream::kInitialisation);
  double sum = 0, sum_of_squares = 0, product = 0, previous = random.uniform(kCount);
  for (int i = 0; i < kCount; ++i) {
    const double x = random.uniform(i);
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    sum_of_squares += x * x;
    product += (x - 0.5) * (previous - 0.5);
    previous = x;
  }
  // Variances of x, x^2 and of the product of two: 1/12, 4/45 and 1/144.
  EXPECT_NEAR(sum / kCount, 0.5, kSigmas * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(sum_of_squares / kCount, 1.0 / 3, kSigmas * std::sqrt(4.0 / 45 / kCount));
  EXPECT_NEAR(product / kCount, 0, kSigmas * std::sqrt(1.0 / 144 / kCount));
}

TEST(Random, BelowIsUniform) {
  const Random random(4, RandomStream::kDataOrder);
  for (const uint64_t n : {uint64_t{1}, uint64_t{2}, uint64_t{10}, uint64_t{1000}}) {
    std::vector<int> counts(n);
    for (int i = 0; i < kCount; ++i) {
      const uint64_t value = random.below(n, i);
      ASSERT_LT(value, n);
      ++counts[value];
    }
    // Pearson's chi-square has mean n - 1 and variance 2 (n - 1).
    const double expected = static_cast<double>(kCount) / static_cast<double>(n);
    double chi_square = 0;
    for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
    const auto freedom = static_cast<double>(n - 1);
    EXPECT_NEAR(chi_square, freedom, kSigmas * std::sqrt(2 * freedom) + 1e-9) << n;
  }
  EXPECT_GT(random.below(UINT64_MAX, 1), UINT64_MAX / 1000);  // the whole range is reached
}

TEST(Random, NormalHasTheMomentsOfTheNormalDistribution) {
  const Random random(5, RandomStream::kInitialisation, 1);
  std::array<double, 5> moments{};
  int beyond_two = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal(i);
    ASSERT_TRUE(std::isfinite(x));
    double power = 1;
    for (double& moment : moments) {
      moment += power / kCount;
      power *= x;
    }
    beyond_two += std::abs(x) > 2;
  }
  // Var(x^k) = E x^2k - (E x^k)^2: 1, 2, 15, 96.
  EXPECT_NEAR(moments[1], 0, kSigmas * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(moments[2], 1, kSigmas * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(moments[3], 0, kSigmas * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(moments[4], 3, kSigmas * std::sqrt(96.0 / kCount));
  const double p = std::erfc(2 / std::sqrt(2.0));
  EXPECT_NEAR(beyond_two, p * kCount, kSigmas * std::sqrt(p * (1 - p) * kCount));
}

TEST(Random, StreamsAreNotCorrelated) {
  const Random a(6, RandomStream::kDropout, 0), b(6, RandomStream::kDropout, 1);
  double product = 0;
  for (int i = 0; i < kCount; ++i) product += (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5);
  EXPECT_NEAR(product / kCount, 0, kSigmas * std::sqrt(1.0 / 144 / kCount));
}

}  // namespace
}  // namespace inkstone
