// report.json of a prepared folder. Its keys are described in docs/data.md.
#pragma once

#include <filesystem>

#include "base/json.h"
#include "inkstone/prepare.h"

namespace inkstone {

// The options that decide what is written: they stand in the report.
Json prepare_options_json(const PrepareOptions& options);

// Writes folder/report.json. The tokenizer must have been saved into the folder.
void write_prepare_report(const std::filesystem::path& folder, const PrepareOptions& options,
                          const Tokenizer& tokenizer, const PrepareReport& report);

}  // namespace inkstone
