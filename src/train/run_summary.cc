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

RunMetrics read_run_metrics(const fs::path& run) {
  const fs::path file = run / "metrics.jsonl";
  return fs::exists(file) ? run_metrics_from_jsonl(read_file(file)) : RunMetrics();
}

std::vector<Sample> read_samples(const fs::path& run) {
  const fs::path file = run / "samples.jsonl";
  return fs::exists(file) ? samples_from_jsonl(read_file(file)) : std::vector<Sample>();
}

std::optional<Evaluation> RunMetrics::best() const {
  const auto found = std::ranges::min_element(evaluations, {}, &Evaluation::val_loss);
  return found == evaluations.end() ? std::nullopt : std::optional(*found);
}

std::optional<Evaluation> RunMetrics::at(int64_t wanted) const {
  const auto found = std::ranges::find(evaluations, wanted, &Evaluation::step);
  return found == evaluations.end() ? std::nullopt : std::optional(*found);
}

RunProgress read_run_progress(const fs::path& run) {
  const fs::path file = run / "last" / "trainer_state.json";
  if (!fs::exists(file)) return {};
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()), [&] {
    const TrainerState state = trainer_state_from_json(json);
    return RunProgress{.step = state.step,
                       .finished = state.stopped_early || state.step >= state.options.steps};
  });
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
