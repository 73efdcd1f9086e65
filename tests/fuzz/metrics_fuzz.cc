// RUN/metrics.jsonl on any bytes. Laws: no evaluation is better than the best, and the best is
// found at its step.
#include <algorithm>

#include "fuzz.h"
#include "train/run_summary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const RunMetrics metrics = run_metrics_from_jsonl(fuzz::as_text(data, size));
  fuzz::require(metrics.step >= 0 && metrics.elapsed_s >= 0, "nothing is below 0");
  const auto best = metrics.best();
  fuzz::require(best.has_value() == !metrics.evaluations.empty(), "a best one of any");
  if (!best) return 0;
  fuzz::require(
      std::ranges::none_of(metrics.evaluations,
                           [&](const Evaluation& e) { return e.val_loss < best->val_loss; }),
      "none is better than the best");
  fuzz::require(metrics.at(best->step).has_value(), "the best is found at its step");
  return 0;
}
