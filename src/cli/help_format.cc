#include "cli/help_format.h"

#include <utility>

#include "base/message.h"
#include "cli/terminal/columns.h"

namespace inkstone::cli {
namespace {

// What a help text shows of CLI11's own words.
constexpr const char* kLabels[] = {marked("Usage"), marked("OPTIONS"), marked("SUBCOMMAND"),
                                   marked("REQUIRED")};
[[maybe_unused]] constexpr const char* kTranslatedWhereShown[] = {
    marked("Positionals"), marked("Options"), marked("Print this help message and exit"),
    marked("Display program version information and exit")};

// "NAME: what": the two parts.
std::pair<std::string, std::string> divided(const std::string& text) {
  const size_t at = text.find(": ");
  if (at == std::string::npos) return {"", text};
  return {text.substr(0, at), text.substr(at + 2)};
}

std::string without_ending(const std::string& text, std::string_view ending) {
  return text.ends_with(ending) ? text.substr(0, text.size() - ending.size()) : text;
}

// A text of CLI11's that begins with a heading and a colon, which in Chinese is another one.
std::string with_colon(std::string text, const std::string& heading) {
  if (text.starts_with(heading + ":"))
    text.replace(0, heading.size() + 1, localized("{}:", heading));
  return text;
}

// Of "Could not convert: --lr = abc".
Message no_conversion(const std::string& text) {
  const auto [name, rest] = divided(text);
  const size_t at = rest.find(" = ");
  if (at == std::string::npos) return message("{} takes no value of its own", name);
  return message("{} is '{}', expected a number", rest.substr(0, at), rest.substr(at + 3));
}

}  // namespace

HelpFormatter::HelpFormatter() {
  for (const char* word : kLabels) label(word, translated(word));
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  // CLI11 puts an empty line between groups of options, but none before the first.
  const std::string before = is_positional || group == "Options" ? "\n" : "";
  std::string text = before + localized("{}:", Message(group)) + "\n";
  for (const CLI::Option* option : options) text += make_option(option, is_positional);
  return text;
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  return with_colon(Formatter::make_usage(app, std::move(name)), get_label("Usage"));
}

std::string HelpFormatter::make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const {
  return with_colon(Formatter::make_subcommands(app, mode), "\n" + group_of_commands());
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return translated(app->get_description()) + "\n";
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return row(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  return row(make_option_name(option, is_positional) + make_option_opts(option),
             option->get_description());
}

std::string HelpFormatter::row(const std::string& name, const std::string& description) const {
  std::string text = left_aligned("  " + name, column_width_);
  if (!description.empty() && text_columns("  " + name) >= column_width_)
    text.append("\n").append(column_width_, ' ');
  return text + translated(description) + "\n";
}

std::string group_of_commands() { return translated(marked("Subcommands")); }

Message refusal(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto [name, rest] = divided(text);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    return message("'{}' is not expected here", rest);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const std::string missing = without_ending(text, " is required");
    return missing == "A subcommand" ? message("a subcommand is required")
                                     : message("{} is required", missing);
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) return no_conversion(text);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return rest.starts_with("At Most") ? message("{} is given several times, expected once", name)
                                       : message("{} needs a value", name);
  }
  // What our own checks say (cli/validators.h), in the language already.
  return name.empty() ? Message(text) : message("{}: {}", name, rest);
}

}  // namespace inkstone::cli
