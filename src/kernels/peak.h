// What this machine can do: the yardsticks that speeds are reported against.
#pragma once

#include "kernels/backend.h"

namespace inkstone {

// Floating-point operations per second of matmul_nn, the best of three GPT-2 shapes (256 rows, 768
// and 3072 wide) in about 0.15 s. operand: kF32 or kBF16; the peak of bf16 is at least that of f32,
// to which operands could be widened.
double measure_gemm_peak_flops(Backend& backend, DType operand);

// Bytes per second of reading (sum_of_squares over 256 MiB), best of a few runs in about 100 ms.
double measure_read_bandwidth(Backend& backend);

}  // namespace inkstone
