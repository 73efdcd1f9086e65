// The memory of this machine.
#pragma once

#include <cstdint>

namespace inkstone {

// Bytes that this process can still take before others suffer: what the system calls available, or
// what the process's control group (a container) has left, if that is less. 2^62 where the system
// does not say.
int64_t free_memory_bytes();

}  // namespace inkstone
