#include "corpus/load/mixture.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "corpus_support.h"

namespace inkstone {
namespace {

const std::vector<std::vector<double>> kMixtures = {
    {1}, {1, 1}, {0.7, 0.3}, {3, 1, 2}, {2e-6, 1}, {1, 1e-5, 1}, {5, 0.01, 0.3, 2, 2, 7, 0.5}};

TEST(Mixture, IndicesOfEachSourceHaveNoGap) {
  for (const auto& weights : kMixtures) {
    for (const uint64_t seed : {0, 1, 1337}) {
      const Mixture mixture(weights, seed);
      std::vector<int64_t> next(weights.size());
      for (int64_t i = 0; i < 20'000; ++i) {
        const auto [source, index] = mixture.draw(i);
        ASSERT_LT(source, weights.size());
        ASSERT_EQ(index, next[source]++) << i;
      }
    }
  }
}

// Of any stretch, the share to within one window per source.
TEST(Mixture, EveryStretchHasTheShares) {
  for (const auto& weights : kMixtures) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const Mixture mixture(weights, 7);
    for (const int64_t first : {int64_t{0}, int64_t{12'345}, int64_t{1} << 40}) {
      std::vector<int64_t> counts(weights.size());
      for (int64_t n = 1; n <= 20'000; ++n) {
        ++counts[mixture.draw(first + n - 1).source];
        for (size_t k = 0; k < weights.size(); ++k) {
          const double expected = static_cast<double>(n) * weights[k] / sum;
          ASSERT_NEAR(static_cast<double>(counts[k]), expected, static_cast<double>(weights.size()))
              << n << " " << k;
        }
      }
    }
  }
}

TEST(Mixture, DependsOnSeedAndIndexAlone) {
  const std::vector<double> weights = {0.7, 0.3}, scaled = {7, 3};
  const Mixture a(weights, 3), same(scaled, 3), other(weights, 4);
  int64_t different = 0;
  for (int64_t i = 999; i >= 0; --i) {
    EXPECT_EQ(a.draw(i).source, same.draw(i).source);
    EXPECT_EQ(a.draw(i).index, same.draw(i).index);
    different += a.draw(i).source != other.draw(i).source;
  }
  EXPECT_GT(different, 0);
}

TEST(Mixture, RefusesWhatCannotBeMixed) {
  for (const std::vector<double>& weights : {std::vector<double>{},
                                             {0, 1},
                                             {1, 0},
                                             {-1, 2},
                                             {1e-7, 1},
                                             {1, std::numeric_limits<double>::quiet_NaN()}}) {
    EXPECT_EQ(test::thrown_by([&] { Mixture(weights, 1); }).code(), ErrorCode::kInternal);
  }
  const std::vector<double> one = {1};
  EXPECT_EQ(test::thrown_by([&] { Mixture(one, 1).draw(-1); }).code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace inkstone
