// The results of an evaluation as lm-eval's JSON.
#pragma once

#include <string>

#include "base/json.h"
#include "evaluate/evaluation.h"

namespace inkstone::evaluate {

// lm-eval's results file: "results" ({TASK: {"acc,none": ..., "acc_stderr,none": ...}}), "groups"
// and "group_subtasks" (of blimp), "configs", "versions", "n-shot", "higher_is_better",
// "n-samples", "config"; and "protocol", which it has not. A standard error that is not given is
// "N/A". `model`: what the user named.
Json results_json(const Evaluation& evaluation, const std::string& model);

}  // namespace inkstone::evaluate
