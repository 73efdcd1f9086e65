// Finding a learning rate by trying them all.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inkstone/trainer.h"

namespace inkstone {

// Step t (0-based) of S is done at the rate low * (high / low)^(t / (S - 1)).
struct RateRamp {
  double low = 1e-6, high = 1;  // 0 < low < high
  int64_t steps = 200;          // at least 20
};

struct RateFinding {
  struct Point {
    double lr = 0;
    double loss = 0;      // of the step, before it: nats per token
    double smoothed = 0;  // mean over the steps around
  };
  std::vector<Point> points;  // up to where training diverged
  double lowest_lr = 0;       // where the smoothed loss is lowest
  double steepest_lr = 0;     // where it falls fastest with the logarithm of the rate
  double suggested_lr = 0;    // for TrainOptions::lr; how it was chosen: docs/experimenting.md
};

// Trains in memory with the options' model, data, batch and optimiser at ever larger rates (Smith
// 2015, arXiv:1506.01186), and ends where the loss rises again for good. Muon's rate rises with lr
// as the options say. Writes nothing; options.run, steps and schedule do not matter. The same
// options give the same numbers for every number of threads. Throws kUsage as validate() and for a
// ramp out of range; kInvalidData when the loss never fell. When observer.stop_requested says so it
// ends at once, with what there is, if that says anything.
RateFinding find_learning_rate(const TrainOptions& options, const RateRamp& ramp = {},
                               const TrainObserver& observer = {});

// What these steps say. Of fewer than three steps: nullopt.
std::optional<RateFinding> rate_finding(const std::vector<double>& rates,
                                        const std::vector<double>& losses);

}  // namespace inkstone
