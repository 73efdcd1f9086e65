// What this machine can do: the yardsticks that speeds are reported against.
#pragma once

#include "kernels/backend.h"

namespace inkstone {

// Floating-point operations per second of matmul_nn at a GPT-2 shape (256 x 768 x 3072), best of a few runs in
// about 100 ms. operand: kF32 or kBF16.
double measure_gemm_peak_flops(Backend& backend, DType operand);

// Bytes per second of reading (sum_of_squares over 256 MiB), best of a few runs in about 100 ms.
double measure_read_bandwidth(Backend& backend);

}  // namespace inkstone
