#include "base/json.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace inkstone {
namespace {

constexpr size_t kMaxDepth = 512;
constexpr size_t kMaxMembers = 10'000;

// Nlohmann's parser keeps its own stack, but destruction and dumping of a deep document recurse;
// and an ordered object looks each new member up among all before it, which takes quadratic time.
void refuse_hostile_shape(std::string_view text) {
  std::vector<size_t> commas_of_level;  // of every bracket that is open
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (commas_of_level.size() == kMaxDepth) {
        fail(ErrorCode::kInvalidData, "JSON nested deeper than {} levels at byte {}", kMaxDepth, i);
      }
      // Arrays may be long: their count starts above the limit.
      commas_of_level.push_back(c == '{' ? 0 : kMaxMembers);
    } else if (c == ']' || c == '}') {
      if (!commas_of_level.empty()) commas_of_level.pop_back();
    } else if (c == ',' && !commas_of_level.empty()) {
      if (++commas_of_level.back() == kMaxMembers) {
        fail(ErrorCode::kInvalidData, "JSON object with more than {} members at byte {}",
             kMaxMembers, i);
      }
    }
  }
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object with '{}'",
         json_kind(object), key);
  }
  const auto at = object.find(std::string(key));
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

[[noreturn]] void fail_type(std::string_view key, const Json& value, const Message& expected) {
  fail(ErrorCode::kInvalidData, "'{}' is a JSON {}, expected {}", key, json_kind(value), expected);
}

}  // namespace

Message json_kind(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null: return marked("null");
    case Json::value_t::object: return marked("object");
    case Json::value_t::array: return marked("array");
    case Json::value_t::string: return marked("string");
    case Json::value_t::boolean: return marked("boolean");
    default: return json.is_number() ? marked("number") : json.type_name();
  }
}

std::vector<std::string> in_english(const std::vector<Message>& messages) {
  std::vector<std::string> texts;
  for (const Message& m : messages) texts.push_back(m.english());
  return texts;
}

Json parse_json(std::string_view text) {
  refuse_hostile_shape(text);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorCode::kInvalidData, "not valid JSON: {}", e.what());
  }
}

Json parse_json_object(std::string_view text) {
  Json json = parse_json(text);
  if (json.is_object()) return json;
  fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object", json_kind(json));
}

Json read_json(const std::filesystem::path& path, uint64_t limit_bytes) {
  const std::string text = read_file(path, limit_bytes);
  return with_context(message("reading '{}'", path.string()), [&] { return parse_json(text); });
}

void write_json(const std::filesystem::path& path, const Json& json) {
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::optional<int64_t> get_integer(const Json& object, std::string_view key, int64_t low,
                                   int64_t high) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) fail_type(key, *value, marked("an integer"));
  const bool too_large = value->is_number_unsigned() &&
                         value->get<uint64_t>() > uint64_t{INT64_MAX};
  if (too_large || value->get<int64_t>() < low || value->get<int64_t>() > high) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected {} to {}", key, value->dump(), low, high);
  }
  return value->get<int64_t>();
}

std::optional<double> get_number(const Json& object, std::string_view key, double low,
                                 double high) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) fail_type(key, *value, marked("a number"));
  const double number = value->get<double>();
  if (!(number >= low && number <= high)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected {} to {}", key, number, low, high);
  }
  return number;
}

std::optional<bool> get_boolean(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail_type(key, *value, marked("true or false"));
  return value->get<bool>();
}

std::optional<std::string> get_string(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail_type(key, *value, marked("a string"));
  return value->get<std::string>();
}

int64_t count_in(const Json& object, std::string_view key) {
  return required(get_integer(object, key, 0, INT64_MAX), key);
}

void fail_missing_key(std::string_view key) {
  fail(ErrorCode::kInvalidData, "'{}' is missing", key);
}

}  // namespace inkstone
