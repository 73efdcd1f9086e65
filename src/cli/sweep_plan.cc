#include "cli/sweep_plan.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>

namespace inkstone::cli {
namespace {

bool all_say_characters(const std::vector<RunState>& states) {
  return std::ranges::all_of(states, [](const RunState& state) {
    return std::ranges::all_of(state.evaluations, [](const Evaluation& e) {
      return e.val_nats_per_character.has_value();
    });
  });
}

std::optional<double> lowest_up_to(const RunState& state, int64_t rung, bool per_character) {
  std::optional<double> lowest;
  for (const Evaluation& e : state.evaluations) {
    if (e.step > rung) continue;
    const double loss = per_character ? *e.val_nats_per_character : e.val_loss;
    if (!lowest || loss < *lowest) lowest = loss;
  }
  return lowest;
}

size_t point_count(const std::vector<SweepRun>& runs) {
  return runs.empty() ? 0 : runs.back().point + 1;
}

// Runs of these points, which ascend, that have not come to the rung; the last rung is a run's end.
std::vector<Task> tasks_to(int64_t rung, bool is_last, const std::vector<size_t>& points,
                           const std::vector<SweepRun>& runs, const std::vector<RunState>& states) {
  std::vector<Task> tasks;
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunState& state = states[i];
    if (!std::ranges::binary_search(points, runs[i].point)) continue;
    if (state.failed || state.finished || (!is_last && state.step >= rung)) continue;
    tasks.push_back({.run = i, .stop_at = is_last ? 0 : rung});
  }
  return tasks;
}

size_t promoted_of(size_t points, int64_t factor) {
  const auto f = static_cast<size_t>(factor);
  return std::max<size_t>(1, (points + f - 1) / f);
}

// The points with the lowest loss, in their own order; those without a loss never.
std::vector<size_t> best_of(const std::vector<size_t>& points, size_t most, int64_t rung,
                            const std::vector<SweepRun>& runs,
                            const std::vector<RunState>& states) {
  const auto losses = losses_at(runs, states, rung);
  std::vector<std::pair<double, size_t>> ranked;
  for (const size_t point : points) {
    if (losses[point]) ranked.emplace_back(*losses[point], point);
  }
  std::ranges::sort(ranked);
  ranked.resize(std::min(ranked.size(), most));
  std::vector<size_t> best;
  for (const auto& [loss, point] : ranked) best.push_back(point);
  std::ranges::sort(best);
  return best;
}

}  // namespace

std::vector<std::optional<double>> losses_at(const std::vector<SweepRun>& runs,
                                             const std::vector<RunState>& states, int64_t rung) {
  const bool per_character = all_say_characters(states);
  std::vector<std::optional<double>> losses(point_count(runs), 0.0);
  std::vector<int64_t> seeds(losses.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    auto& sum = losses[runs[i].point];
    ++seeds[runs[i].point];
    const auto lowest = lowest_up_to(states[i], rung, per_character);
    sum = sum && lowest && !states[i].failed ? std::optional(*sum + *lowest) : std::nullopt;
  }
  for (size_t point = 0; point < losses.size(); ++point) {
    if (losses[point]) *losses[point] /= static_cast<double>(seeds[point]);
  }
  return losses;
}

std::vector<Task> next_tasks(const SweepSpec& spec, const std::vector<SweepRun>& runs,
                             const std::vector<RunState>& states) {
  std::vector<size_t> points(point_count(runs));
  std::iota(points.begin(), points.end(), size_t{0});
  const std::vector<int64_t> whole = {std::numeric_limits<int64_t>::max()};
  const auto& rungs = spec.method == SweepMethod::kHalving ? spec.rungs : whole;
  for (size_t r = 0; r < rungs.size(); ++r) {
    auto tasks = tasks_to(rungs[r], r + 1 == rungs.size(), points, runs, states);
    if (!tasks.empty()) return tasks;
    points = best_of(points, promoted_of(points.size(), spec.factor), rungs[r], runs, states);
  }
  return {};
}

std::vector<size_t> points_at_rungs(const SweepSpec& spec, size_t points) {
  std::vector<size_t> counts;
  for (size_t r = 0; r < spec.rungs.size(); ++r) {
    counts.push_back(points);
    points = promoted_of(points, spec.factor);
  }
  return counts;
}

SweepCost cost_of(const SweepSpec& spec) {
  const auto points = static_cast<int64_t>(points_of(spec).size());
  const auto seeds = static_cast<int64_t>(spec.seeds.size());
  SweepCost cost = {.runs = points * seeds};
  if (spec.method != SweepMethod::kHalving) {
    int64_t steps = 0;
    const std::string given = spec.fixed_value("steps");
    std::from_chars(given.data(), given.data() + given.size(), steps);
    cost.steps = cost.grid_steps = cost.runs * steps;
    return cost;
  }
  int64_t before = 0;
  const auto counts = points_at_rungs(spec, static_cast<size_t>(points));
  for (size_t r = 0; r < counts.size(); ++r) {
    cost.steps += static_cast<int64_t>(counts[r]) * seeds * (spec.rungs[r] - before);
    before = spec.rungs[r];
  }
  cost.grid_steps = cost.runs * before;
  return cost;
}

}  // namespace inkstone::cli
