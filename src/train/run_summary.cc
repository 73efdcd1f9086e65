#include "train/run_summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "train/checkpoint.h"
#include "train/options.h"
#include "train/run_folder.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

std::optional<double> number_of(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

void add_line(const nlohmann::json& line, RunMetrics& metrics) {
  if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) return;
  metrics.step = line["step"].get<int64_t>();
  metrics.elapsed_s = number_of(line, "elapsed_s").value_or(metrics.elapsed_s);
  if (const auto val_loss = number_of(line, "val_loss")) {
    metrics.evaluations.push_back(
        {.step = metrics.step,
         .val_loss = *val_loss,
         .val_nats_per_character = number_of(line, "val_nats_per_character"),
         .val_bits_per_byte = number_of(line, "val_bits_per_byte")});
  }
}

// Of the last checkpoint: a run that was resumed may have other options than it began with.
std::optional<TrainOptions> options_of_last(const fs::path& run) {
  const fs::path file = run / "last" / "trainer_state.json";
  if (!fs::exists(file)) return std::nullopt;
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()), [&] {
    TrainOptions options = trainer_state_from_json(json).options;
    place_in_run(options, run);
    return options;
  });
}

}  // namespace

Json to_json(const Evaluation& e) {
  Json json = {{"step", e.step}, {"val_loss", e.val_loss}};
  if (e.val_nats_per_character) json["val_nats_per_character"] = *e.val_nats_per_character;
  if (e.val_bits_per_byte) json["val_bits_per_byte"] = *e.val_bits_per_byte;
  return json;
}

RunMetrics run_metrics_from_jsonl(std::string_view text) {
  RunMetrics metrics;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    add_line(nlohmann::json::parse(text.substr(0, end), nullptr, false), metrics);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return metrics;
}

RunMetrics read_run_metrics(const fs::path& run) {
  const fs::path file = run / "metrics.jsonl";
  return fs::exists(file) ? run_metrics_from_jsonl(read_file(file)) : RunMetrics();
}

std::optional<Evaluation> RunMetrics::best() const {
  const auto found = std::ranges::min_element(evaluations, {}, &Evaluation::val_loss);
  return found == evaluations.end() ? std::nullopt : std::optional(*found);
}

std::optional<Evaluation> RunMetrics::at(int64_t wanted) const {
  const auto found = std::ranges::find(evaluations, wanted, &Evaluation::step);
  return found == evaluations.end() ? std::nullopt : std::optional(*found);
}

RunSummary read_run_summary(const fs::path& run) {
  if (!has_run_description(run)) {
    fail(ErrorCode::kNotFound,
         "there is no run at '{}': expected a folder with run.json, which `train -o` makes",
         run.string());
  }
  RunDescription description = read_run_description(run);
  RunSummary summary = {.options = options_of_last(run).value_or(std::move(description.options)),
                        .data_fingerprint = std::move(description.data_fingerprint),
                        .metrics = read_run_metrics(run)};
  with_context(message("reading the options of the run '{}'", run.string()), [&] {
    validate(summary.options);
    validate(summary.options.model);
  });
  return summary;
}

}  // namespace inkstone
