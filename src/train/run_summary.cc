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

std::optional<double> number_of(const nlohmann::json& line, const char* key, double low = -1e9) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  const double number = found->get<double>();
  return number >= low && number <= 1e9 ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> count_of(const nlohmann::json& line, const char* key) {
  constexpr double kMost = 0x1p53;
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number_integer()) return std::nullopt;
  const double number = found->get<double>();
  return number >= 0 && number <= kMost ? std::optional(static_cast<int64_t>(number))
                                        : std::nullopt;
}

void add_line(const nlohmann::json& line, RunMetrics& metrics) {
  const auto step = line.is_object() ? count_of(line, "step") : std::nullopt;
  if (!step) return;
  metrics.step = *step;
  metrics.tokens = count_of(line, "tokens");
  metrics.elapsed_s = number_of(line, "elapsed_s", 0).value_or(metrics.elapsed_s);
  if (const auto val_loss = number_of(line, "val_loss")) {
    metrics.evaluations.push_back(
        {.step = metrics.step,
         .val_loss = *val_loss,
         .val_tokens = count_of(line, "val_tokens"),
         .val_nats_per_character = number_of(line, "val_nats_per_character"),
         .val_bits_per_byte = number_of(line, "val_bits_per_byte")});
  }
}

// A run that was resumed may have other options in its last checkpoint than it began with.
RunSummary summary_of(const fs::path& run) {
  const fs::path file = run / "last" / "trainer_state.json";
  if (!fs::exists(file)) {
    RunDescription description = read_run_description(run);
    return {.run = run,
            .options = std::move(description.options),
            .data_fingerprint = std::move(description.data_fingerprint),
            .metrics = {}};
  }
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()), [&] {
    TrainerState state = trainer_state_from_json(json);
    place_in_run(state.options, run);
    return RunSummary{.run = run,
                      .options = std::move(state.options),
                      .data_fingerprint = std::move(state.data_fingerprint),
                      .metrics = {}};
  });
}

// They were valid when the run began.
void require_valid(const TrainOptions& options) {
  try {
    validate(options);
    validate(options.model);
  } catch (const Error& e) {
    throw Error(ErrorCode::kInvalidData,
                message("the options of the run '{}': {}", options.run.string(), e.message()));
  }
}

}  // namespace

Json to_json(const Evaluation& e) {
  Json json = {{"step", e.step}, {"val_loss", e.val_loss}};
  if (e.val_tokens) json["val_tokens"] = *e.val_tokens;
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

RunSummary read_run_summary(const fs::path& path) {
  const auto run = run_of_model(path);
  if (!run && fs::exists(path / "command.json")) {
    fail(ErrorCode::kNotFound,
         "the run '{0}' has not begun to train: go on with train --resume {0}", path.string());
  }
  if (!run) {
    fail(ErrorCode::kNotFound,
         "there is no run at '{}': expected a folder with run.json, which `train -o` makes",
         path.string());
  }
  RunSummary summary = summary_of(*run);
  require_valid(summary.options);
  summary.metrics = read_run_metrics(*run);
  return summary;
}

}  // namespace inkstone
