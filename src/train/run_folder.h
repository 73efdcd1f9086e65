// What a run's folder holds besides its checkpoints: run.json, and what was made of a text before
// training began. Layout: docs/formats.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "inkstone/trainer.h"

namespace inkstone {

// run.json: how training began.
struct RunDescription {
  TrainOptions options;
  std::string data_fingerprint;  // empty: of a run that an earlier version began
  // False: begun by a version that drew initial weights by the number of their row, not by its
  // name (docs/decisions/0019).
  bool weights_by_name = true;
};

Json to_json(const RunDescription& description);
// Throws kInvalidData naming the key.
RunDescription run_description_from_json(const Json& json);

bool has_run_description(const std::filesystem::path& run);
// With options.run = run, and the data folders inside the run found there, wherever it is now.
RunDescription read_run_description(const std::filesystem::path& run);
void write_run_description(const RunDescription& description);

// The run that a model's path names, or whose checkpoint it is; nullopt: it is no run's.
std::optional<std::filesystem::path> run_of_model(const std::filesystem::path& model);

// Removes what a killed process left half written, in a run that this process has locked.
void remove_unfinished(const std::filesystem::path& run);

// Throws kUsage unless the folder is absent, or training can begin there: nothing is in it but what
// is made of a text beforehand. Only looks: another process may be at work there.
void require_new_run(const std::filesystem::path& run);

}  // namespace inkstone
