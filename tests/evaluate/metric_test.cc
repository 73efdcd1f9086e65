// Scores and their errors: by hand, and as lm-eval 0.4.13 computes them from the same numbers.
#include "evaluate/metric.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/thread_pool.h"

namespace inkstone::evaluate {
namespace {

Question choices(std::vector<std::string> texts, int64_t answer) {
  return {.contexts = {"?"}, .continuations = std::move(texts), .answer = answer};
}

double value(Metric metric, const Question& question, const std::vector<Answer>& answers) {
  return share_of(metric, question, answers).value;
}

TEST(Metrics, TheFirstOfEqualChoicesWins) {
  EXPECT_EQ(value(Metric::kAcc, choices({"a", "b", "c"}, 1), {{-3}, {-2}, {-2}}), 1);
  EXPECT_EQ(value(Metric::kAcc, choices({"a", "b", "c"}, 2), {{-3}, {-2}, {-2}}), 0);
}

TEST(Metrics, AccNormDividesByCharactersAndLlmcByTokens) {
  const Question question = choices({"\u00E9\u00E9\u00E9\u00E9", "ab"}, 0);  // 8 bytes, 4 and 2
  const std::vector<Answer> answers = {{-10, false, 2}, {-6, false, 1}};
  EXPECT_EQ(value(Metric::kAcc, question, answers), 0);
  EXPECT_EQ(value(Metric::kAccNorm, question, answers), 1);      // -2.5 against -3
  EXPECT_EQ(value(Metric::kAccPerToken, question, answers), 1);  // -5 against -6
}

TEST(Metrics, ATargetIsRightWhenGreedyDecodingWritesIt) {
  const Question question = choices({"word"}, 0);
  EXPECT_EQ(value(Metric::kTargetAcc, question, {{-1, true}}), 1);
  EXPECT_EQ(value(Metric::kTargetAcc, question, {{-1, false}}), 0);
}

TEST(Metrics, RatiosAreOfSums) {
  ThreadPool pool(2);
  const std::vector<Share> shares = {{-4 * std::log(2.0), 1}, {-2 * std::log(2.0), 5}};
  EXPECT_DOUBLE_EQ(estimate(Metric::kBitsPerByte, shares, 1000, pool).value, 1);
  EXPECT_DOUBLE_EQ(estimate(Metric::kBytePerplexity, shares, 1000, pool).value, 2);
  EXPECT_FALSE(estimate(Metric::kWordPerplexity, shares, 1000, pool).standard_error);
}

TEST(Metrics, TheErrorOfAMeanIsTheSamples) {
  ThreadPool pool(1);
  const std::vector<Share> shares = {{1}, {0}, {0}, {1}, {0}};
  const Estimate acc = estimate(Metric::kAcc, shares, 0, pool);
  EXPECT_DOUBLE_EQ(acc.value, 0.4);
  EXPECT_DOUBLE_EQ(*acc.standard_error, std::sqrt(0.3 / 5));  // 1.2 / (n - 1), over n
  EXPECT_FALSE(estimate(Metric::kAcc, {{{1}}}, 0, pool).standard_error) << "of one row";
}

// lm_eval.api.metrics.bootstrap_stderr(perplexity, [-1.5, -0.25, -3.0, -2.0, -0.5], 3000).
TEST(Metrics, TheBootstrapIsLmEvals) {
  const std::vector<Share> shares = {{-1.5}, {-0.25}, {-3.0}, {-2.0}, {-0.5}};
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Estimate perplexity = estimate(Metric::kPerplexity, shares, 3000, pool);
    EXPECT_DOUBLE_EQ(perplexity.value, std::exp(1.45));
    EXPECT_NEAR(*perplexity.standard_error, 2.288415333423153, 1e-12);
    EXPECT_EQ(perplexity.method, ErrorMethod::kBootstrap);
    EXPECT_FALSE(estimate(Metric::kPerplexity, shares, 0, pool).standard_error);
  }
}

}  // namespace
}  // namespace inkstone::evaluate
