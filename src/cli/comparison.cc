#include "cli/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/message.h"
#include "cli/command.h"
#include "cli/terminal/columns.h"
#include "train/options.h"
#include "train/training_options.h"

namespace inkstone::cli {
namespace {

// Where data lies and where work is done, what is reported and when: these do not change what is
// learnt.
std::set<std::string> no_part_of_the_recipe() {
  std::set<std::string> keys = {"data", "device"};
  TrainOptions any;
  for (const BoundOption& option : training_options().bind(any))
    if (!option.info.affects_result) keys.insert(key_of(option.info));
  return keys;
}

Json flat(const Json& options) {
  Json result = Json::object();
  for (const auto& [key, value] : options.items()) {
    if (!value.is_object()) {
      result[key] = value;
      continue;
    }
    for (const auto& [inner, inner_value] : value.items()) result[key + "." + inner] = inner_value;
  }
  return result;
}

// Without those that had no effect.
Json effective_options(const TrainOptions& o) {
  Json options = flat(to_json(o));
  TrainOptions copy = o;
  for (const BoundOption& option : training_options().bind(copy))
    if (!option.in_effect) options.erase(key_of(option.info));
  return options;
}

// How many bytes and characters an evaluation was of, by its losses of the same text; nullopt: it
// does not say.
std::optional<std::string> evaluated_text(const Evaluation& e) {
  if (!e.val_tokens || !e.val_nats_per_character || !e.val_bits_per_byte) return std::nullopt;
  const double nats = e.val_loss * static_cast<double>(*e.val_tokens);
  return fmt::format("{:.0f} {:.0f}", nats / *e.val_nats_per_character,
                     nats / std::log(2.0) / *e.val_bits_per_byte);
}

// The lowest loss per character of several that compare.
std::optional<double> lowest_loss(const std::vector<ComparedRun>& runs) {
  std::vector<double> losses;
  for (const ComparedRun& run : runs) {
    if (run.best && run.best->val_nats_per_character)
      losses.push_back(*run.best->val_nats_per_character);
  }
  if (losses.size() < 2 || !share_text(runs)) return std::nullopt;
  return std::ranges::min(losses);
}

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

using Row = std::vector<std::string>;

Row heading_row(const Row& keys) {
  Row row = {translated(marked("run"))};
  row.insert(row.end(), keys.begin(), keys.end());
  for (const char* heading :
       {marked("parameters"), marked("step"), marked("tokens"), marked("time"), marked("best step"),
        marked("nats/token"), marked("nats/character"), marked("bits/byte")}) {
    row.push_back(translated(heading));
  }
  row.push_back("");
  return row;
}

Row row_of(const ComparedRun& run, const Row& keys, bool is_best) {
  const RunMetrics& metrics = run.summary.metrics;
  Row row = {run.name};
  for (const std::string& key : keys) row.push_back(option_text(run.options, key));
  row.insert(row.end(), {std::to_string(run.summary.options.model.parameter_count()),
                         fmt::format("{}/{}", metrics.step, run.summary.options.steps),
                         metrics.tokens ? std::to_string(*metrics.tokens) : "-",
                         duration_text(metrics.elapsed_s)});
  if (const auto& best = run.best) {
    row.insert(row.end(),
               {std::to_string(best->step), number_text(best->val_loss),
                number_text(best->val_nats_per_character), number_text(best->val_bits_per_byte)});
  } else {
    row.insert(row.end(), 4, "-");
  }
  row.push_back(is_best ? "*" : "");
  return row;
}

// What two seeds of one experiment have in common, as a key.
std::string experiment_of(const ComparedRun& run) {
  Json options = run.options;
  options.erase("seed");
  for (const std::string& key : no_part_of_the_recipe()) options.erase(key);
  return options.dump() + run.summary.data_fingerprint;
}

// Mean and standard deviation of a measure over the runs that have it.
std::string mean_text(const std::vector<const Evaluation*>& best,
                      const std::function<std::optional<double>(const Evaluation&)>& measure) {
  std::vector<double> values;
  for (const Evaluation* evaluation : best) {
    if (const auto value = measure(*evaluation)) values.push_back(*value);
  }
  if (values.empty()) return "-";
  const Spread spread = spread_of(values);
  return fmt::format("{:.4f} ± {:.4f}", spread.mean, spread.deviation);
}

Row seeds_row(const std::vector<ComparedRun>& runs, const std::vector<size_t>& group,
              const Row& keys) {
  std::vector<const Evaluation*> best;
  for (const size_t i : group) {
    if (runs[i].best) best.push_back(&*runs[i].best);
  }
  Row row = {runs[group.front()].name};
  for (const std::string& key : keys) row.push_back(option_text(runs[group.front()].options, key));
  row.push_back(std::to_string(best.size()));
  row.push_back(mean_text(best, [](const Evaluation& e) { return std::optional(e.val_loss); }));
  row.push_back(mean_text(best, [](const Evaluation& e) { return e.val_nats_per_character; }));
  row.push_back(mean_text(best, [](const Evaluation& e) { return e.val_bits_per_byte; }));
  return row;
}

}  // namespace

ComparedRun compared_run(const std::string& name) {
  RunSummary summary = read_run_summary(name);
  return {.name = name,
          .options = effective_options(summary.options),
          .best = summary.metrics.best(),
          .summary = std::move(summary)};
}

std::vector<std::string> differing_options(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> keys;             // in the order in which they come up
  std::map<std::string, size_t> like_first;  // in how many runs they are as in the first
  for (const ComparedRun& run : runs) {
    const Json& first = runs.front().options;
    for (const auto& [key, value] : run.options.items()) {
      const auto [count, is_new] = like_first.try_emplace(key, 0);
      if (is_new) keys.push_back(key);
      if (first.contains(key) && first[key] == value) ++count->second;
    }
  }
  const auto left_out = no_part_of_the_recipe();
  std::erase_if(keys, [&](const std::string& key) {
    return left_out.contains(key) || like_first[key] == runs.size();
  });
  return keys;
}

bool share_text(const std::vector<ComparedRun>& runs) {
  std::set<std::string> texts;
  for (const ComparedRun& run : runs) {
    if (!run.best) continue;
    const auto text = evaluated_text(*run.best);
    if (!text) return false;
    texts.insert(*text);
  }
  return texts.size() <= 1;
}

std::vector<std::vector<size_t>> seed_groups(const std::vector<ComparedRun>& runs) {
  std::vector<std::vector<size_t>> groups;
  std::map<std::string, size_t> known;
  std::map<std::string, int> seen;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string experiment = experiment_of(runs[i]);
    // A run that is named twice is no other seed.
    const int same = seen[experiment + option_text(runs[i].options, "seed")]++;
    const auto [at, is_new] = known.try_emplace(fmt::format("{} {}", experiment, same),
                                                groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(i);
  }
  return groups;
}

Spread spread_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Spread spread;
  for (const double value : values) spread.mean += value / n;
  if (values.size() < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / (n - 1));
  return spread;
}

std::string option_text(const Json& options, const std::string& key) {
  if (!options.contains(key)) return "-";
  const Json& value = options[key];
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  if (!value.is_string()) return value.dump();
  return value.get<std::string>().empty() ? "-" : value.get<std::string>();
}

std::string comparison_table(const std::vector<ComparedRun>& runs) {
  const Row keys = differing_options(runs);
  const auto lowest = lowest_loss(runs);
  std::vector<Row> rows = {heading_row(keys)};
  for (const ComparedRun& run : runs) {
    const bool is_best = lowest && run.best && run.best->val_nats_per_character == lowest;
    rows.push_back(row_of(run, keys, is_best));
  }
  return aligned_table(rows);
}

std::string seeds_table(const std::vector<ComparedRun>& runs) {
  Row keys = differing_options(runs);
  std::erase(keys, "seed");
  Row heading = {translated(marked("first run"))};
  heading.insert(heading.end(), keys.begin(), keys.end());
  for (const char* name :
       {marked("seeds"), marked("nats/token"), marked("nats/character"), marked("bits/byte")})
    heading.push_back(translated(name));
  std::vector<Row> rows = {heading};
  for (const auto& group : seed_groups(runs)) {
    if (group.size() > 1) rows.push_back(seeds_row(runs, group, keys));
  }
  return rows.size() > 1 ? aligned_table(rows) : "";
}

Json run_json(const ComparedRun& run) {
  const RunMetrics& metrics = run.summary.metrics;
  Json json = {{"run", run.name},
               {"parameters", run.summary.options.model.parameter_count()},
               {"step", metrics.step},
               {"elapsed_s", metrics.elapsed_s},
               {"data_fingerprint", run.summary.data_fingerprint},
               {"options", run.options}};
  if (metrics.tokens) json["tokens"] = *metrics.tokens;
  if (run.best) json["best"] = to_json(*run.best);
  if (!metrics.evaluations.empty()) json["last"] = to_json(metrics.evaluations.back());
  return json;
}

}  // namespace inkstone::cli
