// Checks of what an option is given. What they say is in the language that is set, and they put
// nothing into the help text but the words that an option takes.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/option_table.h"

namespace inkstone::cli {

// A whole number in the range.
CLI::Validator whole_number(int64_t low, int64_t high = int64_t{1} << 40);

// A number above 0; a number in the range.
CLI::Validator positive_number(int64_t high);
CLI::Validator number_from(double low, double high);
CLI::Validator number_in(const NumberRange& range);
// One number of the range, or two of it: LOW:HIGH.
CLI::Validator interval_in(const NumberRange& range);

// For transform(): typed_text().
CLI::Validator text_as_typed();

// One of the words, which the help text shows as {a,b}.
CLI::Validator one_of(std::vector<std::string> words);

// For transform(): one of the names, or its value as a number.
CLI::Validator one_of_numbered(std::vector<std::pair<std::string, int>> names);

template <typename Option>
CLI::Validator one_of_named(const std::vector<std::pair<std::string, Option>>& names) {
  std::vector<std::pair<std::string, int>> numbered;
  for (const auto& [name, option] : names) numbered.emplace_back(name, static_cast<int>(option));
  return one_of_numbered(std::move(numbered));
}

}  // namespace inkstone::cli
