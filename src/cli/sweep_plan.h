// What a sweep has to run next, by how far its runs have come: a pure function, so that a sweep
// that was killed goes on by looking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/sweep_spec.h"
#include "train/run_summary.h"

namespace inkstone::cli {

// How far a run has come.
struct RunState {
  int64_t step = 0;
  bool finished = false;
  bool failed = false;
  std::vector<Evaluation> evaluations;
};

struct Task {
  size_t run = 0;       // its place in runs_of
  int64_t stop_at = 0;  // steps; 0: to its end

  bool operator==(const Task&) const = default;
};

// Tasks that may be done in any order, side by side; what follows is known when they are done.
// Empty: the sweep is done. Of halving: the runs of the first rung that is not complete.
std::vector<Task> next_tasks(const SweepSpec& spec, const std::vector<SweepRun>& runs,
                             const std::vector<RunState>& states);

// Each point's loss at a rung: the mean over its seeds of the lowest validation loss up to there,
// per character where all runs say it, else per token. nullopt: a seed has failed, or has none.
std::vector<std::optional<double>> losses_at(const std::vector<SweepRun>& runs,
                                             const std::vector<RunState>& states, int64_t rung);

// How many of `points` points are at each rung.
std::vector<size_t> points_at_rungs(const SweepSpec& spec, size_t points);

struct SweepCost {
  int64_t runs = 0;        // that are begun
  int64_t steps = 0;       // of all together; 0: the options do not say how many a run has
  int64_t grid_steps = 0;  // if every run were trained to its end
};
SweepCost cost_of(const SweepSpec& spec);

}  // namespace inkstone::cli
