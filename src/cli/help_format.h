// How --help looks, and what a command line is refused for.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "inkstone/message.h"

namespace inkstone::cli {

// CLI11's layout in the language that is set: what options and commands are said to be is looked up
// in the catalogue, and aligned by the columns that it takes.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;

 private:
  std::string row(const std::string& name, const std::string& description) const;
};

// The group of commands, as CLI11 calls it, in the language that is set.
std::string group_of_commands();

// CLI11's error in our words: it only speaks English.
Message refusal(const CLI::ParseError& error);

}  // namespace inkstone::cli
