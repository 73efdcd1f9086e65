// RUN/command.json: the command that a run began with. The same command goes on with the run;
// another one is refused, with what differs.
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace inkstone::cli {

struct CommandRecord {
  std::string command;  // "train"
  // What was given, by option ("steps") or positional ("TEXT"). Paths are absolute.
  std::map<std::string, std::vector<std::string>> given;

  bool operator==(const CommandRecord&) const = default;
};

// What decides a run's outcome: all that was given but where the run lies and how it is shown.
CommandRecord record_of(const CLI::App& command);

Json to_json(const CommandRecord& record);
// Throws kInvalidData naming the key.
CommandRecord command_record_from_json(const Json& json);

// nullopt: the folder has none.
std::optional<CommandRecord> read_command_record(const std::filesystem::path& run);
void write_command_record(const CommandRecord& record, const std::filesystem::path& run);

// Throws kUsage, saying what differs, when the run began with another command.
void require_same_command(const CommandRecord& now, const std::filesystem::path& run);

// The words of a command line that is this command, without the program's name.
std::vector<std::string> words_of(const CommandRecord& record);

}  // namespace inkstone::cli
