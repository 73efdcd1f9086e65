// Options of a table as options of a command.
#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string_view>

#include "base/option_table.h"

namespace inkstone::cli {

// --NAME with its help text, its default (what the struct has now) and its range, as the command
// has them. The struct must outlive the command.
void add_table_option(CLI::App* command, const BoundOption& option);
// One by its name, which the table must have; all that the command takes, but some.
void add_table_option(CLI::App* command, std::span<const BoundOption> options,
                      std::string_view name);
void add_table_options(CLI::App* command, std::span<const BoundOption> options,
                       std::initializer_list<std::string_view> except = {});

}  // namespace inkstone::cli
