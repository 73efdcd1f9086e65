// Runs beside each other: for `compare` and `sweep`.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/run_summary.h"

namespace inkstone::cli {

struct ComparedRun {
  std::string name;
  Json options;  // flat: {"model.layers": 4, "lr": 0.001, ...}
  std::optional<Evaluation> best;
  RunSummary summary;
};

// Throws as read_run_summary.
ComparedRun compared_run(const std::string& name);

// Names of those options, of what decides the outcome, in which not all runs are equal.
std::vector<std::string> differing_options(const std::vector<ComparedRun>& runs);

// The runs' places, those that differ in their seed alone together: same options, same data. In the
// order of the first of each.
std::vector<std::vector<size_t>> seed_groups(const std::vector<ComparedRun>& runs);

// Standard deviation of a sample; 0 of one value.
struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread_of(const std::vector<double>& values);

// Whether all that have a loss have it of one text, as far as can be told.
bool share_text(const std::vector<ComparedRun>& runs);

// A line per run: its name, the options that differ, how far it came, its best losses, "*" at the
// lowest of several.
std::string comparison_table(const std::vector<ComparedRun>& runs);
// A line per group of several seeds: mean and standard deviation of their best losses. "": there is
// none.
std::string seeds_table(const std::vector<ComparedRun>& runs);
Json run_json(const ComparedRun& run);

// How an option is shown; "-" where the run has none.
std::string option_text(const Json& options, const std::string& key);

}  // namespace inkstone::cli
