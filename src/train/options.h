// Training options as text and JSON.
#pragma once

#include <filesystem>

#include "base/json.h"
#include "inkstone/trainer.h"

namespace inkstone {

// Tokens of an optimiser step: batch x accumulate x window. Throws kUsage, naming all three, when
// that is more than a step can have, or when all the steps' windows cannot be numbered.
int64_t tokens_per_step(const TrainOptions& options, int64_t window);

Json to_json(const ModelConfig& config);
// Every option but the run folder, which is where the JSON lies: data folders inside it are
// written as they are seen from there, so that it can be moved. Numbers come back exactly.
Json to_json(const TrainOptions& options);
// Throws kInvalidData naming the key. Takes what earlier versions wrote too. Data folders come back
// as they were written: see place_in_run.
TrainOptions train_options_from_json(const Json& json);
// Sets options.run, and finds in it the data folders that were written relative to it.
void place_in_run(TrainOptions& options, const std::filesystem::path& run);

}  // namespace inkstone
