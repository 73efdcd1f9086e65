#include "cli/validators.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/message.h"
#include "cli/command.h"

namespace inkstone::cli {
namespace {

// nullopt for anything but a number from the first character to the last.
template <typename Number>
std::optional<Number> parsed(const std::string& text) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end ? std::optional(value) : std::nullopt;
}

std::string not_among(const std::string& text, const std::vector<std::string>& words) {
  return localized("found '{}', expected one of {}", text, fmt::join(words, ", "));
}

}  // namespace

CLI::Validator whole_number(int64_t low, int64_t high) {
  const auto check = [low, high](std::string& text) {
    const auto value = parsed<int64_t>(text);
    if (value && *value >= low && *value <= high) return std::string();
    if (high >= int64_t{1} << 40)
      return localized("found '{}', expected a whole number of {} or more", text, low);
    return localized("found '{}', expected a whole number from {} to {}", text, low, high);
  };
  return {check, ""};
}

CLI::Validator positive_number(int64_t high) {
  const auto check = [high](std::string& text) {
    const auto value = parsed<double>(text);
    if (value && *value > 0 && *value <= static_cast<double>(high)) return std::string();
    return localized("found '{}', expected a number above 0 and at most {}", text, high);
  };
  return {check, ""};
}

CLI::Validator number_from(double low, double high) {
  const auto check = [low, high](std::string& text) {
    const auto value = parsed<double>(text);
    if (value && *value >= low && *value <= high) return std::string();
    return localized("found '{}', expected a number from {} to {}", text, low, high);
  };
  return {check, ""};
}

CLI::Validator number_in(const NumberRange& range) {
  const auto check = [range](std::string& text) {
    const auto value = parsed<double>(text);
    if (value && contains(range, *value)) return std::string();
    return localized("found '{}', expected {}", text, range_text(range));
  };
  return {check, ""};
}

CLI::Validator interval_in(const NumberRange& range) {
  const auto check = [range](std::string& text) {
    std::pair<double, double> interval;
    if (parse_interval(text, range, interval)) return std::string();
    return localized("found '{}', expected {}", text, interval_text(range));
  };
  return {check, ""};
}

CLI::Validator text_as_typed() {
  const auto decode = [](std::string& text) {
    text = typed_text(text);
    return std::string();
  };
  return {decode, ""};
}

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string shown = fmt::format("{{{}}}", fmt::join(words, ","));
  const auto check = [words = std::move(words)](std::string& text) {
    return std::ranges::count(words, text) > 0 ? std::string() : not_among(text, words);
  };
  return {check, shown};
}

CLI::Validator one_of_numbered(std::vector<std::pair<std::string, int>> names) {
  const auto check = [names = std::move(names)](std::string& text) {
    std::vector<std::string> words;
    for (const auto& [name, number] : names) {
      words.push_back(name);
      if (text != name && text != std::to_string(number)) continue;
      text = std::to_string(number);
      return std::string();
    }
    return not_among(text, words);
  };
  return {check, ""};
}

}  // namespace inkstone::cli
