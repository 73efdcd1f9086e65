// Options that `generate` and `chat` share.
#pragma once

#include <optional>
#include <string>

#include "cli/command.h"
#include "inkstone/generator.h"

namespace inkstone::cli {

struct GenerateArguments {
  GenerateOptions options;
  ComputeArguments compute;
  std::optional<uint64_t> seed;
};

void add_generate_options(CLI::App* command, GenerateArguments& arguments);

// The model and the tokenizer that lies beside it.
Generator load_generator(const std::string& model, const GenerateArguments& arguments);

}  // namespace inkstone::cli
