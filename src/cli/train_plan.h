// `train --plan` and `train --verify-resume`: what they find, shown.
#pragma once

#include <functional>

#include "inkstone/trainer.h"

namespace inkstone::cli {

// Return the exit status.
int show_plan(const TrainOptions& options, bool json);
int show_resume_check(const TrainOptions& options, bool json,
                      const std::function<bool()>& stop_requested);

}  // namespace inkstone::cli
