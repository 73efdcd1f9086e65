// A run that ends in time: what is planned, and what the clock says later.
#pragma once

#include <cstdint>
#include <vector>

#include "train/checkpoint.h"

namespace inkstone {

// For so many training tokens, from the quickest to the one that learns most in the end.
std::vector<Recipe> recipes_for(int64_t training_tokens);

// The steps that a run can have in all if from here on it keeps the pace that was planned. At least
// those that it has done. Without a limit of seconds: its steps.
int64_t steps_by_the_clock(const TrainerState& state);

}  // namespace inkstone
