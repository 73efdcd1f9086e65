#include "evaluate/rows.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/lenient_json.h"

namespace inkstone::evaluate {
namespace {

std::string names_of(const Json& object) {
  std::string names;
  for (const auto& member : object.items()) {
    names += (names.empty() ? "" : ", ") + member.key();
  }
  return names.empty() ? "{}" : names;
}

[[noreturn]] void fail_kind(std::string_view key, const Json& found, const Message& expected) {
  fail(ErrorCode::kInvalidData, "'{}' is a JSON {}, expected {}", key, json_kind(found), expected);
}

// Python's json writes halves of surrogates, which JSON does not allow.
Json parse_line(std::string_view line) {
  std::string lenient(line);
  repair_surrogates(lenient);
  return parse_json(lenient);
}

Row parse_row(const std::string& source, int64_t number, std::string_view line) {
  return with_context(message("'{}', line {}", source, number), [&] {
    Json json = parse_line(line);
    if (json.is_object()) return Row(source, number, std::move(json));
    fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object for each row",
         json_kind(json));
  });
}

// Files of tables that are often met where JSON lines are expected, by their first bytes.
void refuse_other_formats(std::string_view bytes, const std::string& source) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kOthers = {
      {{"PAR1", "Parquet"},
       {"ARROW1", "Arrow"},
       {"\x1F\x8B", "gzip"},
       {"\x28\xB5\x2F\xFD", "Zstandard"},
       {"PK\x03\x04", "ZIP"}}};
  for (const auto& [magic, name] : kOthers) {
    if (!bytes.starts_with(magic)) continue;
    fail(ErrorCode::kUnsupported,
         "'{}' is a {} file, expected JSON lines; unpack a compressed one, and convert others with "
         "Python: datasets.Dataset.from_parquet(FILE).to_json('rows.jsonl'), or "
         "pandas.read_parquet(FILE).to_json('rows.jsonl', orient='records', lines=True)",
         source, name);
  }
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Message Row::place() const { return message("'{}', line {}", source_, line_); }

const Json& Row::at(std::string_view key) const {
  const auto found = json_.find(key);
  if (found != json_.end()) return *found;
  fail(ErrorCode::kInvalidData, "the key '{}' is missing (found: {})", key, names_of(json_));
}

const std::string& Row::text(std::string_view key) const {
  const Json& value = at(key);
  if (!value.is_string()) fail_kind(key, value, marked("a text"));
  return value.get_ref<const std::string&>();
}

std::vector<std::string> Row::texts(std::string_view key) const {
  const Json& value = at(key);
  const bool is_list = value.is_array() && !value.empty() &&
                       std::ranges::all_of(value, [](const Json& j) { return j.is_string(); });
  if (!is_list) fail_kind(key, value, marked("a list of texts, not empty"));
  return value.get<std::vector<std::string>>();
}

int64_t Row::number(std::string_view key) const {
  const Json& value = at(key);
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) fail_kind(key, value, marked("a whole number"));
  const std::string& text = value.get_ref<const std::string&>();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  fail(ErrorCode::kInvalidData, "'{}' is '{}', expected a whole number", key, text);
}

Row Row::inner(std::string_view key) const {
  const Json& value = at(key);
  if (!value.is_object()) fail_kind(key, value, marked("an object"));
  return Row(source_, line_, value);
}

std::vector<Row> parse_rows(std::string_view bytes, const std::string& source) {
  refuse_other_formats(bytes, source);
  std::vector<Row> rows;
  int64_t number = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', at), bytes.size());
    const std::string_view line = bytes.substr(at, end - at);
    ++number;
    if (!is_blank(line)) rows.push_back(parse_row(source, number, line));
    at = end + 1;
  }
  if (rows.empty()) fail(ErrorCode::kInvalidData, "'{}' has no row, expected JSON lines", source);
  return rows;
}

std::vector<Row> read_rows(const std::string& path) {
  return parse_rows(MappedFile(path).text(), path);
}

std::vector<Row> read_rows(const std::vector<std::string>& paths) {
  std::vector<Row> all;
  for (const std::string& path : paths) std::ranges::move(read_rows(path), std::back_inserter(all));
  return all;
}

}  // namespace inkstone::evaluate
