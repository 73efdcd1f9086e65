#include "cli/table_options.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/check.h"
#include "cli/validators.h"

namespace inkstone::cli {
namespace {

std::string flag_of(const OptionInfo& info) {
  const std::string name = std::string("--") + info.name;
  return info.letter == nullptr ? name : std::string("-") + info.letter + "," + name;
}

// Of each type of value one: the option without what all have.
struct Adder {
  CLI::App* command;
  const BoundOption& option;
  std::string flag, help;

  CLI::Option* operator()(int64_t* value) const {
    const auto range = std::get<WholeRange>(option.range);
    return command->add_option(flag, *value, help)->check(whole_number(range.low, range.high));
  }
  CLI::Option* operator()(uint64_t* value) const {
    return command->add_option(flag, *value, help)
        ->check(whole_number(0, std::numeric_limits<int64_t>::max()));
  }
  CLI::Option* operator()(double* value) const {
    return command->add_option(flag, *value, help)
        ->check(number_in(std::get<NumberRange>(option.range)));
  }
  CLI::Option* operator()(std::pair<double, double>* value) const {
    const auto range = std::get<NumberRange>(option.range);
    return command
        ->add_option_function<std::string>(
            flag, [=](const std::string& text) { parse_interval(text, range, *value); }, help)
        ->check(interval_in(range))
        ->default_str(value_text(option))
        ->type_name("P|LOW:HIGH");
  }
  CLI::Option* operator()(std::vector<double>* value) const {
    return command->add_option(flag, *value, help)->delimiter(',')->allow_extra_args(false);
  }
  CLI::Option* operator()(bool* value) const {
    return command->add_flag_callback(
        flag, [value, on = option.info.when_given] { *value = on; }, help);
  }
  CLI::Option* operator()(std::string* value) const {
    return command->add_option(flag, *value, help)->transform(text_as_typed());
  }
  CLI::Option* operator()(std::vector<std::string>* value) const {
    return command->add_option(flag, *value, help)->take_all()->transform(text_as_typed());
  }
  CLI::Option* operator()(const BoundChoice& choice) const {
    return command
        ->add_option_function<std::string>(
            flag, [choice](const std::string& name) { choice.set_name(name); }, help)
        ->check(one_of({choice.names.begin(), choice.names.end()}))
        ->default_str(std::string(choice.name()));
  }
};

// Numbers and names show their default; a switch is off, and texts are empty.
bool shows_default(const BoundOption& option) {
  return std::holds_alternative<int64_t*>(option.value) ||
         std::holds_alternative<uint64_t*>(option.value) ||
         std::holds_alternative<double*>(option.value);
}

}  // namespace

void add_table_option(CLI::App* command, const BoundOption& option) {
  const OptionInfo info = info_in(option.info, command->get_name());
  CLI::Option* added = std::visit(Adder{command, option, flag_of(info), info.help}, option.value);
  if (info.type != nullptr) added->type_name(info.type);
  if (info.group != nullptr) added->group(info.group);
  if (info.derived) {
    added->default_str("");
  } else if (shows_default(option)) {
    added->capture_default_str();
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
    if (is_option_of(option.info, command->get_name()) &&
        std::ranges::find(except, option.info.name) == except.end()) {
      add_table_option(command, option);
    }
  }
}

}  // namespace inkstone::cli
