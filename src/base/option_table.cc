#include "base/option_table.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

template <typename Number>
void require(const OptionInfo& info, Number value, Number low, Number high) {
  if (value >= low && value <= high) return;
  fail(ErrorCode::kUsage, "{} is {}, expected {} to {}", info.name, value, low, high);
}

void check(const BoundOption& option, int64_t value) {
  const auto* range = std::get_if<WholeRange>(&option.range);
  if (range == nullptr) return;
  if (value < range->low && range->high == kNoLimit)
    fail(ErrorCode::kUsage, "{} is {}, expected {} or more", option.info.name, value, range->low);
  require(option.info, value, range->low, range->high);
}

void check(const BoundOption& option, double value) {
  if (const auto* range = std::get_if<NumberRange>(&option.range))
    require(option.info, value, range->low, range->high);
}

void validate(const BoundOption& option) {
  if (auto* const* whole = std::get_if<int64_t*>(&option.value)) check(option, **whole);
  if (auto* const* number = std::get_if<double*>(&option.value)) check(option, **number);
}

// True if the whole text is a number.
template <typename Number>
bool parse(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

std::string key_of(const OptionInfo& info) {
  std::string key = info.name;
  std::ranges::replace(key, '-', '_');
  return key;
}

void read_texts(std::vector<std::string>& texts, const Json& object, const std::string& key) {
  if (!object.contains(key)) return;
  const Json& list = object.at(key);
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!list.is_array() || !std::ranges::all_of(list, is_text))
    fail(ErrorCode::kInvalidData, "'{}' is not a list of texts", key);
  texts = list.get<std::vector<std::string>>();
}

}  // namespace

void validate(std::span<const BoundOption> options) {
  for (const BoundOption& option : options) validate(option);
}

const BoundOption* find_option(std::span<const BoundOption> options, std::string_view name) {
  const auto found = std::ranges::find_if(
      options, [&](const BoundOption& option) { return option.info.name == name; });
  return found == options.end() ? nullptr : &*found;
}

void set_number(const BoundOption& option, std::string_view text) {
  if (auto* const* whole = std::get_if<int64_t*>(&option.value)) {
    int64_t value = 0;
    if (!parse(text, value) || value < 0) {
      fail(ErrorCode::kUsage, "{} is '{}', expected a whole number of 0 or more", option.info.name,
           text);
    }
    check(option, value);
    **whole = value;
  } else if (auto* const* number = std::get_if<double*>(&option.value)) {
    double value = 0;
    if (!parse(text, value))
      fail(ErrorCode::kUsage, "{} is '{}', expected a number", option.info.name, text);
    check(option, value);
    **number = value;
  } else {
    fail(ErrorCode::kUsage, "{} takes no number", option.info.name);
  }
}

Json to_json(std::span<const BoundOption> options) {
  Json object = Json::object();
  for (const BoundOption& option : options) {
    Json& value = object[key_of(option.info)];
    if (const auto* flag = std::get_if<bool*>(&option.value)) {
      value = **flag == option.info.when_given;
    } else {
      std::visit([&](const auto* held) { value = *held; }, option.value);
    }
  }
  return object;
}

void from_json(std::span<const BoundOption> options, const Json& object) {
  for (const BoundOption& option : options) {
    const std::string key = key_of(option.info);
    if (const auto* whole = std::get_if<WholeRange>(&option.range)) {
      auto& value = *std::get<int64_t*>(option.value);
      value = get_integer(object, key, whole->low, whole->high).value_or(value);
    } else if (const auto* range = std::get_if<NumberRange>(&option.range)) {
      auto& value = *std::get<double*>(option.value);
      value = get_number(object, key, range->low, range->high).value_or(value);
    } else if (auto* const* flag = std::get_if<bool*>(&option.value)) {
      const bool value = get_boolean(object, key).value_or(**flag == option.info.when_given);
      **flag = value == option.info.when_given;
    } else {
      read_texts(*std::get<std::vector<std::string>*>(option.value), object, key);
    }
  }
}

}  // namespace inkstone
