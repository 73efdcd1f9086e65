// What training would take, and whether it can be gone on with: found out without a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inkstone/message.h"
#include "inkstone/trainer.h"

namespace inkstone {

struct MemoryPart {
  Message name;
  int64_t bytes = 0;
};

struct TrainingPlan {
  TrainOptions options;  // with the model's shape, and the micro-batch below
  // What the run's tensors take, part by part, and what the machine has free for them.
  std::vector<MemoryPart> memory;
  int64_t memory_bytes = 0, free_bytes = 0;
  bool fits = true;
  // Not the batch that was asked for: the largest part of it that fits, as many times as make the
  // same tokens a step.
  bool batch_is_smaller = false;
  int64_t tokens_per_step = 0;
  // Of a step, the median of a few that were done; 0 where they do not fit.
  double step_s = 0;
  // Of all steps and evaluations.
  double seconds = 0;
  double epochs = 0;
};

// Does a few steps of options (with the largest micro-batch that fits) and forgets them. Writes
// nothing. free_bytes: in place of what the machine has. Throws what train() throws.
TrainingPlan plan_training(const TrainOptions& options,
                           std::optional<int64_t> free_bytes = std::nullopt);

struct ResumeCheck {
  int64_t steps = 0;  // of both runs
  // Files of the last checkpoint that differ; empty: they are the same to the byte.
  std::vector<std::string> differing;
  bool interrupted = false;  // nothing is known: it was asked to stop
};

// Trains `steps` steps (even, at least 2) twice: at once, and stopped in the middle and resumed;
// and compares what both end in. In `scratch`, which must not exist and is removed again.
// stop_requested is asked after every step.
ResumeCheck verify_resume(const TrainOptions& options, const std::filesystem::path& scratch,
                          int64_t steps = 10, const std::function<bool()>& stop_requested = {});

}  // namespace inkstone
