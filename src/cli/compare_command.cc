// `inkstone compare`: what differs between runs, and how far each came.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/terminal/columns.h"
#include "train/options.h"
#include "train/run_summary.h"
#include "train/training_options.h"

namespace inkstone::cli {
namespace {

struct ComparedRun {
  std::string name;
  Json options;  // flat: {"model.layers": 4, "lr": 0.001, ...}
  std::optional<Evaluation> best;
  RunSummary summary;
};

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

ComparedRun compared_run(const std::string& name) {
  RunSummary summary = read_run_summary(name);
  return {.name = name,
          .options = effective_options(summary.options),
          .best = summary.metrics.best(),
          .summary = std::move(summary)};
}

// Those that can be read; of the others it is said why not. Throws the last one's error when none
// can.
std::vector<ComparedRun> readable_runs(const std::vector<std::string>& names) {
  std::vector<ComparedRun> runs;
  for (const std::string& name : names) {
    try {
      runs.push_back(compared_run(name));
    } catch (const Error& e) {
      if (runs.empty() && name == names.back()) throw;
      note(message("inkstone: left out: {}", e.message()));
    }
  }
  return runs;
}

std::vector<std::string> differing_options(const std::vector<ComparedRun>& runs) {
  const auto left_out = no_part_of_the_recipe();
  std::vector<std::string> keys;
  for (const ComparedRun& run : runs) {
    for (const auto& [key, value] : run.options.items()) {
      const auto has_same = [&, &k = key, &v = value](const ComparedRun& other) {
        return other.options.contains(k) && other.options[k] == v;
      };
      if (left_out.contains(key) || std::ranges::count(keys, key) > 0 ||
          std::ranges::all_of(runs, has_same)) {
        continue;
      }
      keys.push_back(key);
    }
  }
  return keys;
}

// How many bytes and characters an evaluation was of, by its losses of the same text; nullopt: it
// does not say.
std::optional<std::string> evaluated_text(const Evaluation& e) {
  if (!e.val_tokens || !e.val_nats_per_character || !e.val_bits_per_byte) return std::nullopt;
  const double nats = e.val_loss * static_cast<double>(*e.val_tokens);
  return fmt::format("{:.0f} {:.0f}", nats / *e.val_nats_per_character,
                     nats / std::log(2.0) / *e.val_bits_per_byte);
}

// Whether all that have a loss have it of one text, as far as can be told.
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

std::string option_text(const Json& options, const std::string& key) {
  if (!options.contains(key)) return "-";
  const Json& value = options[key];
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  if (!value.is_string()) return value.dump();
  return value.get<std::string>().empty() ? "-" : value.get<std::string>();
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

std::string table_of(const std::vector<ComparedRun>& runs) {
  const Row keys = differing_options(runs);
  const auto lowest = lowest_loss(runs);
  std::vector<Row> rows = {heading_row(keys)};
  for (const ComparedRun& run : runs) {
    const bool is_best = lowest && run.best && run.best->val_nats_per_character == lowest;
    rows.push_back(row_of(run, keys, is_best));
  }
  return aligned_table(rows);
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

int compare(const std::vector<std::string>& names, bool json) {
  const std::vector<ComparedRun> runs = readable_runs(names);
  if (json) {
    for (const ComparedRun& run : runs)
      print(run_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return kExitDone;
  }
  print(table_of(runs));
  if (!share_text(runs)) {
    note(
        marked("inkstone: note: these runs were not, or not surely, evaluated on the same text, so "
               "that their losses do not compare: `inkstone eval RUN FILE` measures each on one"));
  }
  return kExitDone;
}

}  // namespace

void add_compare_command(CLI::App& app, Selection& selection) {
  struct Arguments {
    std::vector<std::string> runs;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "compare",
      "Runs beside each other: options that differ, best losses (*: the lowest)",
      marked("  inkstone compare run wider_run\n"
             "  inkstone compare runs/* --json"),
      [a] { return compare(a->runs, a->json); });
  c->add_option("RUN", a->runs, "folders that `train -o` or `finetune -o` made")->required();
  c->add_flag("--json", a->json, "print a JSON object for each run");
}

}  // namespace inkstone::cli
