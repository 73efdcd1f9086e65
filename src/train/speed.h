// How fast a run trains.
#pragma once

#include <cstdint>

#include "kernels/peak.h"

namespace inkstone {

// Times the steps, and nothing between them, and compares them with what the machine can do.
class Speed {
 public:
  // Of a step. flops: those of its matrix products.
  struct Work {
    double tokens = 0, flops = 0;
  };
  struct Rate {
    double tokens_per_s = 0;
    double gemm_fraction = 0;  // at most 1
  };

  // Measures the machine's peak.
  Speed(Backend& backend, DType compute, const Work& of_step);

  // A step may end before the device has done its work: the last one before take() waits for it.
  void step_begins();
  void step_ends();
  // A moment in which the run does something else: the peak is measured again, now and then.
  void pause();
  // Of the steps since the last call.
  Rate take();

 private:
  GemmPeak peak_;
  Work work_;
  double begin_s_ = 0, seconds_ = 0, measured_s_ = 0;
  int64_t steps_ = 0;
};

}  // namespace inkstone
