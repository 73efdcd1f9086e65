// `inkstone tokenizer train | compare`.
#pragma once

#include "cli/command.h"

namespace inkstone::cli {

void add_tokenizer_train_command(CLI::App& group, Selection& selection);
void add_tokenizer_compare_command(CLI::App& group, Selection& selection);

}  // namespace inkstone::cli
