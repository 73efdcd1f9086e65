// The learning rate as a function of the step.
#pragma once

#include <cstdint>

#include "inkstone/trainer.h"

namespace inkstone {

// Learning rate of step `step` (0-based) of options.steps; formulas: inkstone::Schedule.
double learning_rate(const TrainOptions& options, int64_t step);

}  // namespace inkstone
