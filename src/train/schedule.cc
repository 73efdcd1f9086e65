#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace inkstone {

double learning_rate(const TrainOptions& o, int64_t step) {
  if (step < o.warmup) return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  // 0 at the first step after the warm-up, 1 at the end.
  const auto span = static_cast<double>(std::max<int64_t>(1, o.steps - o.warmup));
  const double done = std::min(1.0, static_cast<double>(step - o.warmup) / span);
  switch (o.schedule) {
    case Schedule::kConstant: return o.lr;
    case Schedule::kLinear: return o.lr + done * (o.min_lr - o.lr);
    case Schedule::kCosine:
      return o.min_lr + 0.5 * (1 + std::cos(std::numbers::pi * done)) * (o.lr - o.min_lr);
    case Schedule::kWsd: break;
  }
  const auto decay_steps = std::max(1.0, o.decay_fraction * static_cast<double>(o.steps));
  const double into_decay = static_cast<double>(step) -
                            (static_cast<double>(o.steps) - decay_steps);
  return into_decay <= 0 ? o.lr
                         : o.lr + std::min(1.0, into_decay / decay_steps) * (o.min_lr - o.lr);
}

}  // namespace inkstone
