// Working memory of the CPU kernels.
#pragma once

#include <cstdint>

namespace inkstone::cpu {

// Memory of the calling thread for `floats` float32, 64-byte aligned, kept between calls, its
// content undefined. A later call on the same thread may move it: one user at a time. Allocates
// only when asked for more than ever before.
float* thread_scratch(int64_t floats);

}  // namespace inkstone::cpu
