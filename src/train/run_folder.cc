#include "train/run_folder.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "train/checkpoint.h"
#include "train/options.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kDescription = "run.json";
// What the command line makes of a text before it trains.
constexpr std::array<std::string_view, 4> kMadeBefore = {"command.json", "tokenizer", "data",
                                                         "text"};

bool is_made_before(std::string_view name) {
  return std::find(kMadeBefore.begin(), kMadeBefore.end(), name) != kMadeBefore.end();
}

// As temporary_beside names it: "tokenizer.4711-0.tmp".
bool is_unfinished(std::string_view name) {
  if (!name.ends_with(".tmp")) return false;
  const auto of = [&](std::string_view whole) {
    return name.starts_with(whole) && name.substr(whole.size()).starts_with('.');
  };
  return of(kDescription) || std::any_of(kMadeBefore.begin(), kMadeBefore.end(), of);
}

}  // namespace

Json to_json(const RunDescription& d) {
  return {{"program", "inkstone"},
          {"data_fingerprint", d.data_fingerprint},
          {"weights_by_name", d.weights_by_name},
          {"options", to_json(d.options)}};
}

RunDescription run_description_from_json(const Json& json) {
  if (!json.is_object()) fail(ErrorCode::kInvalidData, "found no JSON object");
  const auto options = json.find("options");
  if (options == json.end()) fail_missing_key("options");
  return {train_options_from_json(*options), get_string(json, "data_fingerprint").value_or(""),
          get_boolean(json, "weights_by_name").value_or(false)};
}

bool has_run_description(const fs::path& run) { return fs::exists(run / kDescription); }

RunDescription read_run_description(const fs::path& run) {
  const fs::path file = run / kDescription;
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()), [&] {
    RunDescription description = run_description_from_json(json);
    place_in_run(description.options, run);
    return description;
  });
}

void write_run_description(const RunDescription& description) {
  write_json(description.options.run / kDescription, to_json(description));
}

std::optional<fs::path> run_of_model(const fs::path& model) {
  if (has_run_description(model)) return model;
  // RUN/checkpoints/step-N, by whatever link.
  const fs::path run = fs::weakly_canonical(model).parent_path().parent_path();
  return has_run_description(run) ? std::optional(run) : std::nullopt;
}

void remove_unfinished(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(run)) {
    if (!is_unfinished(entry.path().filename().string())) continue;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

void require_new_run(const fs::path& run) {
  if (!fs::exists(run)) return;
  if (!fs::is_directory(run)) fail(ErrorCode::kUsage, "'{}' is not a folder", run.string());
  if (has_run_description(run) && !has_checkpoint(run)) {
    fail(ErrorCode::kUsage,
         "the run folder '{}' is not empty: it holds a run without a checkpoint; begin that one "
         "anew with --resume {}, or choose another -o",
         run.string(), run.string());
  }
  for (const auto& entry : fs::directory_iterator(run)) {
    const std::string name = entry.path().filename().string();
    if (is_made_before(name) || is_unfinished(name)) continue;
    if (has_checkpoint(run)) {
      fail(ErrorCode::kUsage,
           "the run folder '{0}' is not empty: it holds '{1}'; choose another -o, or go on with "
           "--resume {0}",
           run.string(), name);
    }
    fail(ErrorCode::kUsage, "the run folder '{}' is not empty: it holds '{}'; choose another -o",
         run.string(), name);
  }
}

}  // namespace inkstone
