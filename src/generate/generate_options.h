// The table of the options of generating.
#pragma once

#include "base/option_table.h"
#include "inkstone/generator.h"

namespace inkstone {

const OptionTable<SamplingOptions>& sampling_options();
// With those of sampling, in the order in which the command line lists them.
const OptionTable<GenerateOptions>& generate_options();

// Throws kUsage naming the option.
void validate(const GenerateOptions& options);

}  // namespace inkstone
