#include "evaluate/metric.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "evaluate/python_random.h"

namespace inkstone::evaluate {
namespace {

// Resamplings that share a seed, as lm-eval divides them.
constexpr int64_t kResamplingsPerSeed = 1000;

// The choice of the largest score; of equal ones the first.
int64_t best_choice(std::span<const Answer> answers, const std::function<double(size_t)>& divisor) {
  size_t best = 0;
  const auto score = [&](size_t i) { return answers[i].log_prob / divisor(i); };
  for (size_t i = 1; i < answers.size(); ++i) {
    if (score(i) > score(best)) best = i;
  }
  return static_cast<int64_t>(best);
}

double sum_of(std::span<const Share> shares) {
  double sum = 0;
  for (const Share& share : shares) sum += share.value;
  return sum;
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// With n - 1.
double sample_deviation(std::span<const double> values) {
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::vector<double> values_of(std::span<const Share> shares) {
  std::vector<double> values;
  for (const Share& share : shares) values.push_back(share.value);
  return values;
}

double standard_error_of_mean(std::span<const Share> shares) {
  return sample_deviation(values_of(shares)) / std::sqrt(static_cast<double>(shares.size()));
}

// exp(-mean) of n values drawn with replacement.
double resampled_perplexity(std::span<const double> values, PythonRandom& random) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[random.choice(values.size())];
  return std::exp(-sum / static_cast<double>(values.size()));
}

double bootstrapped_error(std::span<const Share> shares, int64_t resamplings, ThreadPool& pool) {
  const std::vector<double> values = values_of(shares);
  std::vector<double> perplexities(static_cast<size_t>(resamplings));
  pool.parallel_each(resamplings / kResamplingsPerSeed, [&](int64_t seed, int) {
    PythonRandom random(static_cast<uint32_t>(seed));
    for (int64_t i = 0; i < kResamplingsPerSeed; ++i) {
      perplexities[static_cast<size_t>(seed * kResamplingsPerSeed + i)] = resampled_perplexity(
          values, random);
    }
  });
  return sample_deviation(perplexities);
}

ErrorMethod error_method(Metric metric) {
  switch (metric) {
    case Metric::kAcc:
    case Metric::kAccNorm:
    case Metric::kAccPerToken:
    case Metric::kTargetAcc: return ErrorMethod::kMean;
    case Metric::kPerplexity: return ErrorMethod::kBootstrap;
    case Metric::kWordPerplexity:
    case Metric::kBytePerplexity:
    case Metric::kBitsPerByte: break;
  }
  return ErrorMethod::kNone;
}

double value_of(Metric metric, std::span<const Share> shares) {
  double weight = 0;
  for (const Share& share : shares) weight += share.weight;
  const double mean = sum_of(shares) / weight;
  if (metric == Metric::kBitsPerByte) return -mean / std::log(2.0);
  return higher_is_better(metric) ? mean : std::exp(-mean);
}

}  // namespace

std::string_view metric_name(Metric metric) {
  switch (metric) {
    case Metric::kAcc:
    case Metric::kTargetAcc: return "acc";
    case Metric::kAccNorm:
    case Metric::kAccPerToken: return "acc_norm";
    case Metric::kPerplexity: return "perplexity";
    case Metric::kWordPerplexity: return "word_perplexity";
    case Metric::kBytePerplexity: return "byte_perplexity";
    case Metric::kBitsPerByte: return "bits_per_byte";
  }
  return "?";
}

bool higher_is_better(Metric metric) { return error_method(metric) == ErrorMethod::kMean; }

Share share_of(Metric metric, const Question& question, std::span<const Answer> answers) {
  const auto is_best = [&](const std::function<double(size_t)>& divisor) {
    return Share{best_choice(answers, divisor) == question.answer ? 1.0 : 0.0};
  };
  switch (metric) {
    case Metric::kAcc: return is_best([](size_t) { return 1.0; });
    case Metric::kAccNorm:
      return is_best([&](size_t i) {
        return static_cast<double>(
            count_characters(question.continuation(static_cast<int64_t>(i))));
      });
    case Metric::kAccPerToken:
      return is_best([&](size_t i) { return static_cast<double>(answers[i].tokens); });
    case Metric::kTargetAcc: return {answers[0].greedy ? 1.0 : 0.0};
    case Metric::kPerplexity: return {answers[0].log_prob};
    case Metric::kWordPerplexity: return {answers[0].log_prob, static_cast<double>(question.words)};
    case Metric::kBytePerplexity:
    case Metric::kBitsPerByte: return {answers[0].log_prob, static_cast<double>(question.bytes)};
  }
  return {};
}

Estimate estimate(Metric metric, std::span<const Share> shares, int64_t resamplings,
                  ThreadPool& pool) {
  INK_CHECK(!shares.empty() && resamplings % kResamplingsPerSeed == 0, "an estimate");
  Estimate result = {.value = value_of(metric, shares)};
  const ErrorMethod method = shares.size() > 1 ? error_method(metric) : ErrorMethod::kNone;
  if (method == ErrorMethod::kMean) result.standard_error = standard_error_of_mean(shares);
  if (method == ErrorMethod::kBootstrap && resamplings > 0) {
    result.standard_error = bootstrapped_error(shares, resamplings, pool);
  }
  if (result.standard_error) result.method = method;
  return result;
}

}  // namespace inkstone::evaluate
