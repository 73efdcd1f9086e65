// What this machine can do: the yardsticks that speeds are reported against.
#pragma once

#include "kernels/backend.h"

namespace inkstone {

// Floating-point operations per second of matmul_nn, the best product of GPT-2's shapes (256 and
// 1024 rows, 768 and 3072 wide) in about 0.2 s. operand: kF32 or kBF16; the peak of bf16 is at
// least that of f32, to which operands could be widened.
double measure_gemm_peak_flops(Backend& backend, DType operand);

// The fastest that products were ever seen in this process. Beside a busy neighbour, or on a
// machine that changes its clock, one measurement falls short of what other moments allow: so it is
// made again now and then, and work that was quicker still raises it. No rate is above it.
class GemmPeak {
 public:
  // Measures.
  GemmPeak(Backend& backend, DType operand);
  void measure_again();
  // Work did so many operations per second.
  void saw(double flops_per_s);
  double flops_per_s() const { return best_; }

 private:
  Backend* backend_;
  DType operand_;
  double best_ = 0;
};

// Bytes per second of reading (sum_of_squares over 256 MiB), best of a few runs in about 100 ms.
double measure_read_bandwidth(Backend& backend);

}  // namespace inkstone
