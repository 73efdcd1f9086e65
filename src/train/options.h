// Training options as text and JSON.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "inkstone/trainer.h"

namespace inkstone {

// "cosine", "linear", "constant", "wsd". Parsing another name throws kUsage.
std::string_view schedule_name(Schedule schedule);
Schedule parse_schedule(std::string_view name);

Json to_json(const ModelConfig& config);
// Every option but the run folder, which is where the JSON lies. Numbers come back exactly.
Json to_json(const TrainOptions& options);
// The data folders of such an object: "data" is their list, or the one folder of an earlier
// version's run.
std::vector<std::filesystem::path> data_folders_from_json(const Json& options);
// Throws kInvalidData naming the key. Takes what earlier versions wrote too.
TrainOptions train_options_from_json(const Json& json);

}  // namespace inkstone
