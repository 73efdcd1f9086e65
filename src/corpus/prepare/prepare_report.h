// report.json of a prepared folder. Its keys are described in docs/data.md.
#pragma once

#include <filesystem>

#include "corpus/prepare/prepare.h"

namespace inkstone {

// Writes folder/report.json. The tokenizer must have been saved into the folder.
void write_prepare_report(const std::filesystem::path& folder, const PrepareOptions& options,
                          const Tokenizer& tokenizer, const PrepareReport& report);

}  // namespace inkstone
