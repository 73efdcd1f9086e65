#include "base/option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"

namespace inkstone {
namespace {

using Interval = std::pair<double, double>;

bool contains(const WholeRange& range, int64_t value) {
  return value >= range.low && value <= range.high;
}

bool contains(const NumberRange& range, const Interval& interval) {
  return contains(range, interval.first) && contains(range, interval.second) &&
         interval.first <= interval.second;
}

std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(uint64_t value) { return std::to_string(value); }
std::string text_of(double value) { return fmt::format("{}", value); }
std::string text_of(bool value) { return value ? "on" : "off"; }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const Interval& value) {
  if (value.first == value.second) return text_of(value.first);
  return fmt::format("{}:{}", value.first, value.second);
}
template <typename T>
std::string text_of(const std::vector<T>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

// The value must lie in the option's range, if it has one of its kind.
template <typename Range, typename Value>
void check(const BoundOption& option, const Value& value, std::string_view dashes = "") {
  const auto* range = std::get_if<Range>(&option.range);
  if (range == nullptr || contains(*range, value)) return;
  fail(ErrorCode::kUsage, "{}{} is {}, expected {}", dashes, option.info.name, text_of(value),
       range_text(*range));
}

void validate(const BoundOption& option, std::string_view dashes) {
  if (option.info.only_in != nullptr && *option.info.only_in == '\0') dashes = "";
  if (auto* const* whole = std::get_if<int64_t*>(&option.value))
    check<WholeRange>(option, **whole, dashes);
  if (auto* const* number = std::get_if<double*>(&option.value))
    check<NumberRange>(option, **number, dashes);
  if (auto* const* interval = std::get_if<Interval*>(&option.value))
    check<NumberRange>(option, **interval, dashes);
}

// Nothing unless the whole text is a number.
template <typename Number>
std::optional<Number> parse(std::string_view text) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end ? std::optional(value) : std::nullopt;
}

[[noreturn]] void fail_text(const BoundOption& option, std::string_view text,
                            const Message& expected) {
  fail(ErrorCode::kUsage, "{} is '{}', expected {}", option.info.name, text, expected);
}

// Sets the value by a text. Of each type one; throws kUsage.
void read_text(const BoundOption& option, int64_t& value, std::string_view text) {
  const auto number = parse<int64_t>(text);
  if (!number || *number < 0) {
    fail(ErrorCode::kUsage, "{} is '{}', expected a whole number of 0 or more", option.info.name,
         text);
  }
  check<WholeRange>(option, *number);
  value = *number;
}

void read_text(const BoundOption& option, uint64_t& value, std::string_view text) {
  const auto number = parse<uint64_t>(text);
  if (!number) {
    fail(ErrorCode::kUsage, "{} is '{}', expected a whole number of 0 or more", option.info.name,
         text);
  }
  value = *number;
}

void read_text(const BoundOption& option, double& value, std::string_view text) {
  const auto number = parse<double>(text);
  if (!number) fail(ErrorCode::kUsage, "{} is '{}', expected a number", option.info.name, text);
  check<NumberRange>(option, *number);
  value = *number;
}

void read_text(const BoundOption& option, Interval& value, std::string_view text) {
  const auto& range = std::get<NumberRange>(option.range);
  if (parse_interval(text, range, value)) return;
  fail_text(option, text, interval_text(range));
}

void read_text(const BoundOption& option, bool& value, std::string_view text) {
  if (text != "on" && text != "off") fail_text(option, text, marked("on or off"));
  value = (text == "on") == option.info.when_given;
}

void read_text(const BoundOption&, std::string& value, std::string_view text) { value = text; }

void read_text(const BoundOption&, std::vector<std::string>& value, std::string_view text) {
  value = {std::string(text)};
}

void read_text(const BoundOption& option, std::vector<double>& value, std::string_view text) {
  const auto number = parse<double>(text);
  if (!number) fail(ErrorCode::kUsage, "{} is '{}', expected a number", option.info.name, text);
  value = {*number};
}

std::string choices_text(const BoundChoice& choice) {
  return fmt::format("{}", fmt::join(choice.names, ", "));
}

[[noreturn]] void fail_key(std::string_view key, const Message& expected) {
  fail(ErrorCode::kInvalidData, "'{}' is not {}", key, expected);
}

// Sets the value by what stands in a file. Of each type one; throws kInvalidData.
void read_json(const BoundOption& option, int64_t& value, const Json& object) {
  const auto& range = std::get<WholeRange>(option.range);
  const std::string key = key_of(option.info);
  value = get_integer(object, key, range.low, range.high).value_or(value);
}

void read_json(const BoundOption& option, uint64_t& value, const Json& object) {
  const std::string key = key_of(option.info);
  const Json& found = object.at(key);
  if (!found.is_number_unsigned()) fail_key(key, marked("a whole number of 0 or more"));
  value = found.get<uint64_t>();
}

double read_number(const NumberRange& range, const std::string& key, double value) {
  if (!contains(range, value)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected {}", key, text_of(value),
         range_text(range));
  }
  return value;
}

void read_json(const BoundOption& option, double& value, const Json& object) {
  const std::string key = key_of(option.info);
  const auto& range = std::get<NumberRange>(option.range);
  if (const auto found = get_number(object, key, range.low, range.high))
    value = read_number(range, key, *found);
}

void read_json(const BoundOption& option, Interval& value, const Json& object) {
  const std::string key = key_of(option.info);
  const auto& range = std::get<NumberRange>(option.range);
  const Json& found = object.at(key);
  const bool is_pair = found.is_array() && found.size() == 2 && found[0].is_number() &&
                       found[1].is_number();
  if (!is_pair && !found.is_number()) fail_key(key, marked("a number or two"));
  const Interval read = is_pair ? Interval(found[0].get<double>(), found[1].get<double>())
                                : Interval(found.get<double>(), found.get<double>());
  if (!contains(range, read)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected {}", key, text_of(read), range_text(range));
  }
  value = read;
}

void read_json(const BoundOption& option, bool& value, const Json& object) {
  const bool was = value == option.info.when_given;
  const bool is = get_boolean(object, key_of(option.info)).value_or(was);
  value = is == option.info.when_given;
}

void read_json(const BoundOption& option, std::string& value, const Json& object) {
  value = get_string(object, key_of(option.info)).value_or(value);
}

// A list whose items are all of one type.
template <typename T>
void read_list(std::vector<T>& values, const Json& list, const std::string& key,
               bool (Json::*is_item)() const noexcept, const Message& expected) {
  const auto fits = [&](const Json& item) { return (item.*is_item)(); };
  if (!list.is_array() || !std::ranges::all_of(list, fits)) fail_key(key, expected);
  values = list.get<std::vector<T>>();
}

void read_json(const BoundOption& option, std::vector<std::string>& value, const Json& object) {
  const std::string key = key_of(option.info);
  read_list(value, object.at(key), key, &Json::is_string, marked("a list of texts"));
}

void read_json(const BoundOption& option, std::vector<double>& value, const Json& object) {
  const std::string key = key_of(option.info);
  read_list(value, object.at(key), key, &Json::is_number, marked("a list of numbers"));
}

void read_json(const BoundOption& option, const BoundChoice& choice, const Json& object) {
  const std::string key = key_of(option.info);
  const auto name = get_string(object, key);
  if (!name || choice.set_name(*name)) return;
  fail(ErrorCode::kInvalidData, "'{}' is '{}', expected one of {}", key, *name,
       choices_text(choice));
}

template <typename Value>
Json json_of(const BoundOption& option, const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value == option.info.when_given;
  } else if constexpr (std::is_same_v<Value, Interval>) {
    if (value.first == value.second) return value.first;
    return Json::array({value.first, value.second});
  } else {
    return value;
  }
}

}  // namespace

Message range_text(const WholeRange& range) {
  if (range.high == std::numeric_limits<int64_t>::max()) return message("{} or more", range.low);
  return message("{} to {}", range.low, range.high);
}

Message range_text(const NumberRange& r) {
  const bool has_end = r.high < NumberRange::kNoLimit;
  if (!has_end && r.above_low) return message("a number above {}", r.low);
  if (!has_end) return message("{} or more", r.low);
  if (r.above_low && r.below_high) return message("a number above {} and below {}", r.low, r.high);
  if (r.above_low) return message("a number above {} and at most {}", r.low, r.high);
  if (r.below_high) return message("{} to below {}", r.low, r.high);
  return message("{} to {}", r.low, r.high);
}

Message interval_text(const NumberRange& range) {
  return message("one number or LOW:HIGH, each {}", range_text(range));
}

bool contains(const NumberRange& range, double value) {
  const bool from_low = range.above_low ? value > range.low : value >= range.low;
  const bool to_high = range.below_high ? value < range.high : value <= range.high;
  return from_low && to_high;
}

bool BoundChoice::set_name(std::string_view name) const {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return false;
  set(static_cast<size_t>(found - names.begin()));
  return true;
}

void validate(std::span<const BoundOption> options, std::string_view dashes) {
  for (const BoundOption& option : options) validate(option, dashes);
}

const BoundOption* find_option(std::span<const BoundOption> options, std::string_view name) {
  const auto found = std::ranges::find_if(
      options, [&](const BoundOption& option) { return option.info.name == name; });
  return found == options.end() ? nullptr : &*found;
}

bool is_option_of(const OptionInfo& info, std::string_view command) {
  return info.only_in == nullptr || info.only_in == command;
}

OptionInfo info_in(const OptionInfo& info, std::string_view command) {
  OptionInfo own = info;
  if (info.in.command == nullptr || info.in.command != command) return own;
  if (info.in.help != nullptr) own.help = info.in.help;
  if (info.in.value != nullptr) own.derived = *info.in.value == '\0';
  return own;
}

void set_defaults_of(std::string_view command, std::span<const BoundOption> options) {
  for (const BoundOption& option : options) {
    const OptionInCommand& in = option.info.in;
    if (in.command != nullptr && in.command == command && in.value != nullptr && *in.value != '\0')
      set_text(option, in.value);
  }
}

void set_number(const BoundOption& option, std::string_view text) {
  if (std::holds_alternative<int64_t*>(option.value) ||
      std::holds_alternative<double*>(option.value)) {
    return set_text(option, text);
  }
  fail(ErrorCode::kUsage, "{} takes no number", option.info.name);
}

void set_text(const BoundOption& option, std::string_view text) {
  if (const auto* choice = std::get_if<BoundChoice>(&option.value)) {
    if (choice->set_name(text)) return;
    fail_text(option, text, message("one of {}", choices_text(*choice)));
  }
  const auto set = [&]<typename Held>(const Held& held) {
    if constexpr (std::is_pointer_v<Held>) read_text(option, *held, text);
  };
  std::visit(set, option.value);
}

bool parse_interval(std::string_view text, const NumberRange& range, Interval& interval) {
  const size_t colon = std::min(text.find(':'), text.size());
  const auto low = parse<double>(text.substr(0, colon));
  const auto high = colon == text.size() ? low : parse<double>(text.substr(colon + 1));
  if (!low || !high || !contains(range, Interval(*low, *high))) return false;
  interval = {*low, *high};
  return true;
}

std::string value_text(const BoundOption& option) {
  const auto text = [&]<typename Held>(const Held& held) {
    if constexpr (!std::is_pointer_v<Held>) {
      return std::string(held.name());
    } else if constexpr (std::is_same_v<Held, bool*>) {
      return text_of(*held == option.info.when_given);
    } else {
      return text_of(*held);
    }
  };
  return std::visit(text, option.value);
}

std::string key_of(const OptionInfo& info) {
  std::string key = info.name;
  std::ranges::replace(key, '-', '_');
  return key;
}

Json to_json(std::span<const BoundOption> options) {
  Json object = Json::object();
  for (const BoundOption& option : options) {
    const auto write = [&]<typename Held>(const Held& held) -> Json {
      if constexpr (std::is_pointer_v<Held>) {
        return json_of(option, *held);
      } else {
        return std::string(held.name());
      }
    };
    object[key_of(option.info)] = std::visit(write, option.value);
  }
  return object;
}

void from_json(std::span<const BoundOption> options, const Json& object) {
  for (const BoundOption& option : options) {
    if (!object.contains(key_of(option.info))) {
      if (option.info.default_before != nullptr) set_text(option, option.info.default_before);
      continue;
    }
    const auto read = [&]<typename Held>(const Held& held) {
      if constexpr (std::is_pointer_v<Held>) {
        read_json(option, *held, object);
      } else {
        read_json(option, held, object);
      }
    };
    std::visit(read, option.value);
  }
}

}  // namespace inkstone
