// What is measured of a task's questions, and how sure it is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/thread_pool.h"
#include "evaluate/question.h"

namespace inkstone::evaluate {

// Of one request: log P(continuation | context) in nats; whether each of its tokens was the most
// probable in its place (of several the lowest id); and how many tokens that were.
struct Answer {
  double log_prob = 0;
  bool greedy = false;
  int64_t tokens = 0;
};

enum class Metric {
  kAcc,             // the choice of the largest log-probability is the answer; ties: the first
  kAccNorm,         // the same of the log-probability per character of the choice
  kAccPerToken,     // the same per token: llm.c's acc_norm
  kTargetAcc,       // the continuation is what greedy decoding writes
  kPerplexity,      // exp(-mean over the rows of the log-probability of a continuation)
  kWordPerplexity,  // exp(-log-probability / words), of the sums over all rows
  kBytePerplexity,  // the same of bytes
  kBitsPerByte,     // -log2-probability / bytes, of the sums
};

// lm-eval's name: "acc", "word_perplexity".
std::string_view metric_name(Metric metric);
bool higher_is_better(Metric metric);

// What a row adds: of accuracies 0 or 1, of perplexities nats, and what they are divided by.
struct Share {
  double value = 0;
  double weight = 1;
};
Share share_of(Metric metric, const Question& question, std::span<const Answer> answers);

enum class ErrorMethod {
  kNone,       // not given: of one row, or of a ratio of sums
  kMean,       // the sample's standard deviation over sqrt(n)
  kBootstrap,  // the standard deviation of the metric over resamplings of the rows
};

struct Estimate {
  double value = 0;
  std::optional<double> standard_error = {};
  ErrorMethod method = ErrorMethod::kNone;
};

// The metric over all rows (at least one). Of `resamplings` bootstraps (in thousands; 0: none) each
// thousand draws with Python's random of its own seed, 0, 1, ...: the same as lm-eval's to the
// rounding of sums. Standard errors are those that lm-eval gives: of accuracies by the mean, of
// kPerplexity by the bootstrap, of the ratios none.
Estimate estimate(Metric metric, std::span<const Share> shares, int64_t resamplings,
                  ThreadPool& pool);

}  // namespace inkstone::evaluate
