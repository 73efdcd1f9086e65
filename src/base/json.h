// JSON from outside: parsing with errors that name the place. Configuration-sized files only.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/message.h"

namespace inkstone {

using Json = nlohmann::ordered_json;

// Parses text; throws kInvalidData with line and column. Nesting deeper than 512 levels is refused,
// and so are objects of more than 10,000 members, which an ordered object would take quadratic time
// for.
Json parse_json(std::string_view text);

// The same; kInvalidData unless it is an object.
Json parse_json_object(std::string_view text);

// What kind of value it is: "object", "number".
Message json_kind(const Json& json);

// The same messages without their translations, as files have them.
std::vector<std::string> in_english(const std::vector<Message>& messages);

// read_file and parse_json; errors name the file.
Json read_json(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 30);

// Writes it atomically, indented by two spaces, with a final newline.
void write_json(const std::filesystem::path& path, const Json& json);

// The member `key` of an object. nullopt: absent or null. Throws kInvalidData when the type is
// wrong or the number lies outside [low, high]: "'n_layer' is -3, expected 1 to 1000".
std::optional<int64_t> get_integer(const Json& object, std::string_view key, int64_t low,
                                   int64_t high);
std::optional<double> get_number(const Json& object, std::string_view key, double low, double high);
std::optional<bool> get_boolean(const Json& object, std::string_view key);
std::optional<std::string> get_string(const Json& object, std::string_view key);

// The member `key`, which must be there: an integer from 0 on.
int64_t count_in(const Json& object, std::string_view key);

// The value, or kInvalidData "'n_layer' is missing".
template <typename T>
T required(std::optional<T> value, std::string_view key);

[[noreturn]] void fail_missing_key(std::string_view key);

template <typename T>
T required(std::optional<T> value, std::string_view key) {
  if (!value) fail_missing_key(key);
  return *std::move(value);
}

}  // namespace inkstone
