// Training options as text and JSON.
#pragma once

#include <string_view>

#include "base/json.h"
#include "inkstone/trainer.h"

namespace inkstone {

// "cosine", "linear", "constant", "wsd". Parsing another name throws kUsage.
std::string_view schedule_name(Schedule schedule);
Schedule parse_schedule(std::string_view name);

Json to_json(const ModelConfig& config);
// Every option but the run folder, which is where the JSON lies. Numbers come back exactly.
Json to_json(const TrainOptions& options);
// Throws kInvalidData naming the key.
TrainOptions train_options_from_json(const Json& json);

}  // namespace inkstone
