#include "train/speed.h"

#include <algorithm>

#include "base/clock.h"

namespace inkstone {

Speed::Speed(Backend& backend, DType compute, const Work& of_step)
    : peak_(backend, compute), work_(of_step), measured_s_(seconds_now()) {}

void Speed::pause() {
  constexpr double kSeconds = 30;  // a measurement takes a fifth of a second
  if (seconds_now() - measured_s_ < kSeconds) return;
  peak_.measure_again();
  measured_s_ = seconds_now();
}

void Speed::step_begins() { begin_s_ = seconds_now(); }

void Speed::step_ends() {
  seconds_ += seconds_now() - begin_s_;
  ++steps_;
}

Speed::Rate Speed::take() {
  const double seconds = std::max(1e-9, seconds_), steps = static_cast<double>(steps_);
  const double flops_per_s = steps * work_.flops / seconds;
  peak_.saw(flops_per_s);
  seconds_ = 0;
  steps_ = 0;
  return {.tokens_per_s = steps * work_.tokens / seconds,
          .gemm_fraction = flops_per_s / peak_.flops_per_s()};
}

}  // namespace inkstone
