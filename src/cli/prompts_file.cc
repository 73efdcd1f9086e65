#include "cli/prompts_file.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/lenient_json.h"

namespace inkstone::cli {
namespace {

struct Line {
  int64_t number;
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    if (end > at) lines.push_back({number, text.substr(at, end - at)});
    at = end + 1;
  }
  return lines;
}

// A line that Python's json wrote need not be JSON.
Json parse_line(std::string_view line) {
  try {
    return parse_json(line);
  } catch (const Error&) {
    std::string lenient(line);
    repair_surrogates(lenient);
    zero_numbers(lenient);
    if (lenient == line) throw;
    return parse_json(lenient);
  }
}

std::string prompt_of(std::string_view line) {
  const Json json = parse_line(line);
  if (json.is_string()) return json.get<std::string>();
  if (!json.is_object()) {
    fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object with \"prompt\"",
         json_kind(json));
  }
  return required(get_string(json, "prompt"), "prompt");
}

std::optional<std::string> prompt_if_any(std::string_view line) {
  try {
    return prompt_of(line);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool begins_an_object(const Line& line) { return line.text.starts_with('{'); }

bool has_object(const Line& line) {
  return begins_an_object(line) && prompt_if_any(line.text).has_value();
}

}  // namespace

PromptsFile parse_prompts(std::string_view text, bool named_json) {
  const std::vector<Line> lines = lines_of(text);
  PromptsFile file;
  const auto object = std::ranges::find_if(lines, has_object);
  file.is_json = named_json ||
                 (object != lines.end() && std::ranges::all_of(lines, begins_an_object));
  if (!file.is_json && object != lines.end()) file.object_line = object->number;
  for (const Line& line : lines) {
    try {
      file.prompts.push_back(
          {line.number, file.is_json ? prompt_of(line.text) : std::string(line.text)});
    } catch (const Error& e) {
      file.bad.push_back({line.number, e.message()});
    }
  }
  return file;
}

bool is_named_json(std::string_view path) {
  constexpr std::array kNames = {".jsonl", ".ndjson", ".json"};
  return std::ranges::any_of(kNames, [&](const char* name) { return path.ends_with(name); });
}

}  // namespace inkstone::cli
