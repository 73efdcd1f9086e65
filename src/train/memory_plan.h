// What the tensors of a run take.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inkstone/training_plan.h"
#include "model/network.h"

namespace inkstone {

// Of a run with these options in windows of `window` tokens.
std::vector<MemoryPart> memory_parts(const Network& network, const TrainOptions& options,
                                     int64_t window);
int64_t sum_of(std::span<const MemoryPart> parts);

}  // namespace inkstone
