// `inkstone compare`: what differs between runs, and how far each came.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/terminal/columns.h"
#include "train/options.h"
#include "train/run_summary.h"

namespace inkstone::cli {
namespace {

struct ComparedRun {
  std::string name;
  Json options;  // flat: {"model.layers": 4, "lr": 0.001, ...}
  int64_t parameters = 0, tokens = 0;
  std::optional<Evaluation> best;
  RunSummary summary;
};

// Where data lies, what is reported and when: these do not change what is learnt.
constexpr std::array<std::string_view, 9> kNoPartOfTheRecipe = {
    "data",          "device", "eval_every", "eval_tokens", "sample_every",
    "sample_prompt", "keep",   "log_every",  "save_every"};

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

ComparedRun compared_run(const std::string& name) {
  RunSummary summary = read_run_summary(name);
  const TrainOptions& o = summary.options;
  const int64_t window = o.context > 0 ? o.context : o.model.context;
  return {.name = name,
          .options = flat(to_json(o)),
          .parameters = o.model.parameter_count(),
          .tokens = summary.metrics.step * tokens_per_step(o, window),
          .best = summary.metrics.best(),
          .summary = std::move(summary)};
}

std::vector<std::string> differing_options(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : runs.front().options.items()) {
    if (std::ranges::count(kNoPartOfTheRecipe, key) > 0) continue;
    if (!std::ranges::all_of(
            runs, [&, &k = key, &v = value](const auto& run) { return run.options[k] == v; })) {
      keys.push_back(key);
    }
  }
  return keys;
}

// Whether all were evaluated on the same tokens.
bool share_evaluation(const std::vector<ComparedRun>& runs) {
  std::set<std::string> evaluated;
  for (const ComparedRun& run : runs) {
    evaluated.insert(run.summary.data_fingerprint + " " + run.options.at("eval_tokens").dump() +
                     run.options.at("weights").dump());
  }
  return evaluated.size() == 1 && !runs.front().summary.data_fingerprint.empty();
}

// The measure that shows which run is best: per character where vocabularies may differ. Nothing is
// best where a run lacks it.
std::optional<double> measure(const ComparedRun& run, bool same_tokens) {
  if (!run.best) return std::nullopt;
  return same_tokens ? run.best->val_loss : run.best->val_nats_per_character;
}

std::optional<double> best_measure(const std::vector<ComparedRun>& runs, bool same_tokens) {
  double least = std::numeric_limits<double>::infinity();
  for (const ComparedRun& run : runs) {
    const auto own = measure(run, same_tokens);
    if (!own) return std::nullopt;
    least = std::min(least, *own);
  }
  return least;
}

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4f}", *value) : "-";
}

std::string option_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
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
  for (const std::string& key : keys) row.push_back(option_text(run.options.at(key)));
  row.insert(row.end(), {std::to_string(run.parameters),
                         fmt::format("{}/{}", metrics.step, run.summary.options.steps),
                         std::to_string(run.tokens), duration_text(metrics.elapsed_s)});
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

std::string table_of(const std::vector<ComparedRun>& runs, bool same_tokens) {
  const Row keys = differing_options(runs);
  const auto best = best_measure(runs, same_tokens);
  std::vector<Row> rows = {heading_row(keys)};
  for (const ComparedRun& run : runs)
    rows.push_back(row_of(run, keys, best && measure(run, same_tokens) == best));
  return aligned_table(rows);
}

Json run_json(const ComparedRun& run) {
  const RunMetrics& metrics = run.summary.metrics;
  Json json = {{"run", run.name},
               {"parameters", run.parameters},
               {"step", metrics.step},
               {"tokens", run.tokens},
               {"elapsed_s", metrics.elapsed_s},
               {"data_fingerprint", run.summary.data_fingerprint},
               {"options", run.options}};
  if (run.best) json["best"] = to_json(*run.best);
  if (!metrics.evaluations.empty()) json["last"] = to_json(metrics.evaluations.back());
  return json;
}

int compare(const std::vector<std::string>& names, bool json) {
  std::vector<ComparedRun> runs;
  for (const std::string& name : names) runs.push_back(compared_run(name));
  if (json) {
    for (const ComparedRun& run : runs) {
      print(run_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    }
    return kExitDone;
  }
  const bool same_tokens = share_evaluation(runs);
  print(table_of(runs, same_tokens));
  if (!same_tokens) {
    note(
        marked("inkstone: note: these runs were not evaluated on the same tokens; losses per "
               "character and per byte still compare where the held-out text is the same, and "
               "`inkstone eval RUN FILE` measures each on one text"));
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
  CLI::App* c = add_command(app, selection, "compare",
                            "Runs beside each other: options that differ, best losses",
                            marked("  inkstone compare run wider_run\n"
                                   "  inkstone compare runs/* --json"),
                            [a] { return compare(a->runs, a->json); });
  c->add_option("RUN", a->runs, "folders that `train -o` or `finetune -o` made")->required();
  c->add_flag("--json", a->json, "print a JSON object for each run");
}

}  // namespace inkstone::cli
