// The options of every command that reads text of any kind.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "inkstone/cleaning.h"
#include "inkstone/reading.h"
#include "inkstone/turns.h"

namespace inkstone::cli {

struct ReadingArguments {
  std::string format = "auto", delimiter;
  std::string records = "text", turns;  // turns: name or file of a template; empty: not given
  ReadOptions options;

  ReadOptions read_options() const;
  // nullopt: none was given. Throws as load_turn_template.
  std::optional<TurnTemplate> turn_template() const;
};

// A source by its name; standard input in the language that is set.
std::string shown_source(const std::string& source);

// Says what a user should know of the sources: guessed encodings that are not sure, headers and
// delimiters of tables. A few of them, then how many more there are.
void note_sources(const std::vector<SourceFacts>& sources);

// --format, --separator, --json-field, --csv-column, --delimiter, --no-header, --encoding.
void add_reading_options(CLI::App* command, ReadingArguments& arguments);

// --records, --template: of commands that make training data.
void add_records_options(CLI::App* command, ReadingArguments& arguments);

// --normalize, --convert: of commands that learn from text.
void add_writing_options(CLI::App* command, CleanOptions& clean);

}  // namespace inkstone::cli
