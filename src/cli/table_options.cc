#include "cli/table_options.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "cli/validators.h"

namespace inkstone::cli {
namespace {

std::string flag_of(const OptionInfo& info) {
  const std::string name = std::string("--") + info.name;
  return info.letter == nullptr ? name : std::string("-") + info.letter + "," + name;
}

}  // namespace

void add_table_option(CLI::App* command, const BoundOption& option) {
  const std::string flag = flag_of(option.info), help = option.info.help;
  if (auto* const* whole = std::get_if<int64_t*>(&option.value)) {
    const auto range = std::get<WholeRange>(option.range);
    command->add_option(flag, **whole, help)
        ->check(whole_number(range.low, range.high))
        ->capture_default_str();
  } else if (auto* const* number = std::get_if<double*>(&option.value)) {
    const auto range = std::get<NumberRange>(option.range);
    command->add_option(flag, **number, help)
        ->check(number_from(range.low, range.high))
        ->capture_default_str();
  } else if (auto* const* is_on = std::get_if<bool*>(&option.value)) {
    command->add_flag_callback(
        flag, [value = *is_on, on = option.info.when_given] { *value = on; }, help);
  } else {
    command->add_option(flag, *std::get<std::vector<std::string>*>(option.value), help)
        ->take_all()
        ->transform(text_as_typed());
  }
}

void add_table_option(CLI::App* command, std::span<const BoundOption> options,
                      std::string_view name) {
  const BoundOption* option = find_option(options, name);
  INK_CHECK(option != nullptr, "no such option");
  add_table_option(command, *option);
}

void add_table_options(CLI::App* command, std::span<const BoundOption> options,
                       std::initializer_list<std::string_view> except) {
  for (const BoundOption& option : options) {
    if (std::ranges::find(except, option.info.name) == except.end())
      add_table_option(command, option);
  }
}

}  // namespace inkstone::cli
