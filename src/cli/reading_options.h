// The options of every command that reads text of any kind.
#pragma once

#include <string>

#include "cli/command.h"
#include "corpus/read/document_source.h"

namespace inkstone::cli {

struct ReadingArguments {
  std::string format = "auto";
  ReadOptions options;

  ReadOptions read_options() const;
};

// --format, --json-field, --csv-column, --encoding.
void add_reading_options(CLI::App* command, ReadingArguments& arguments);

}  // namespace inkstone::cli
