#include "inkstone/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "train/options.h"
#include "train/session.h"
#include "train/starting_model.h"

namespace inkstone {
namespace {

// Of the steps of a ramp, on either side of the one whose smoothed loss it is.
constexpr int64_t kStepsPerWindow = 40;
// Times the lowest loss: from there on it does not come back.
constexpr double kDiverged = 1.5;

std::vector<double> rates_of(const RateRamp& ramp) {
  std::vector<double> rates;
  for (int64_t t = 0; t < ramp.steps; ++t) {
    const double part = static_cast<double>(t) / static_cast<double>(ramp.steps - 1);
    rates.push_back(ramp.low * std::pow(ramp.high / ramp.low, part));
  }
  return rates;
}

void require_ramp(const RateRamp& ramp) {
  constexpr int64_t kFewest = 20, kMost = 1'000'000;
  if (!(ramp.low > 0 && ramp.low < ramp.high && ramp.high < 1e9)) {
    fail(ErrorCode::kUsage, "the rates go from {} to {}, expected numbers above 0, the larger last",
         ramp.low, ramp.high);
  }
  if (ramp.steps < kFewest || ramp.steps > kMost) {
    fail(ErrorCode::kUsage, "--steps is {}, expected {} to {} to find a learning rate", ramp.steps,
         kFewest, kMost);
  }
}

double mean_of(const std::vector<double>& values, size_t begin, size_t end) {
  return std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(begin),
                         values.begin() + static_cast<std::ptrdiff_t>(end), 0.0) /
         static_cast<double>(end - begin);
}

size_t window_of(size_t steps) { return std::max<size_t>(1, steps / kStepsPerWindow); }

// Whether the mean of the last window lies far above the lowest of one.
bool has_diverged(const std::vector<double>& losses, size_t window) {
  if (losses.size() < 2 * window) return false;
  double lowest = mean_of(losses, 0, window);
  for (size_t end = window; end <= losses.size(); ++end)
    lowest = std::min(lowest, mean_of(losses, end - window, end));
  return mean_of(losses, losses.size() - window, losses.size()) > kDiverged * lowest;
}

}  // namespace

std::optional<RateFinding> rate_finding(const std::vector<double>& rates,
                                        const std::vector<double>& losses) {
  if (losses.size() < 3) return std::nullopt;
  const size_t window = window_of(rates.size());
  RateFinding finding;
  for (size_t i = 0; i < losses.size(); ++i) {
    const size_t begin = i - std::min(i, window);
    const size_t end = std::min(losses.size(), i + window + 1);
    finding.points.push_back(
        {.lr = rates[i], .loss = losses[i], .smoothed = mean_of(losses, begin, end)});
  }
  const auto& p = finding.points;
  const auto lowest = static_cast<size_t>(
      std::ranges::min_element(p, {}, &RateFinding::Point::smoothed) - p.begin());
  size_t steepest = 0;
  double most = 0;
  for (size_t i = window; i + window <= lowest; ++i) {
    const double fall = p[i - window].smoothed - p[i + window].smoothed;
    if (fall > most) most = fall, steepest = i;
  }
  finding.lowest_lr = p[lowest].lr;
  finding.steepest_lr = p[steepest].lr;
  finding.suggested_lr = finding.lowest_lr / 4;
  return most > 0 ? std::optional(finding) : std::nullopt;
}

RateFinding find_learning_rate(const TrainOptions& options, const RateRamp& ramp,
                               const TrainObserver& observer) {
  validate(options);
  require_ramp(ramp);
  TrainerState state;
  state.options = options;
  DataSets data(options);
  Model model = starting_model(state.options, data, observer);
  const TrainObserver nobody;
  Session session(std::move(state), std::move(model), std::move(data), nobody);
  const std::vector<double> rates = rates_of(ramp);
  const size_t window = window_of(rates.size());
  const std::vector<double> losses = session.try_rates(
      rates, [&](const std::vector<double>& so_far) {
        const bool stopped = observer.stop_requested && observer.stop_requested();
        return stopped || has_diverged(so_far, window);
      });
  auto finding = rate_finding(rates, losses);
  if (!finding) {
    fail(ErrorCode::kInvalidData,
         "the loss fell at no rate from {} to {} ({} steps): there is nothing to suggest", ramp.low,
         ramp.high, losses.size());
  }
  return *std::move(finding);
}

}  // namespace inkstone
