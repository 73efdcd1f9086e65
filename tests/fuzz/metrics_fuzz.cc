// RUN/metrics.jsonl on any bytes. Laws: no evaluation is better than the best, and the best is
// found at its step. Curves that are thinned keep their lowest validation loss and their end.
#include <algorithm>

#include "fuzz.h"
#include "train/run_summary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const RunMetrics metrics = run_metrics_from_jsonl(fuzz::as_text(data, size));
  fuzz::require(metrics.step >= 0 && metrics.elapsed_s >= 0, "nothing is below 0");
  const auto lowest = thinned_lowest(metrics.validation, 3);
  fuzz::require(lowest.size() <= 3 && lowest.empty() == metrics.validation.empty(), "thinned");
  const auto means = thinned_means(metrics.training, 2);
  fuzz::require(means.empty() || means.back().step == metrics.training.back().step, "the same end");
  const auto best = metrics.best();
  fuzz::require(best.has_value() == !metrics.evaluations.empty(), "a best one of any");
  if (!best) return 0;
  fuzz::require(
      std::ranges::none_of(metrics.evaluations,
                           [&](const Evaluation& e) { return e.val_loss < best->val_loss; }),
      "none is better than the best");
  fuzz::require(std::ranges::min(lowest, {}, &CurvePoint::loss).loss == best->val_loss,
                "the lowest stays");
  fuzz::require(metrics.at(best->step).has_value(), "the best is found at its step");
  return 0;
}
