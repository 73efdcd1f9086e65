#include "base/lenient_json.h"

#include <algorithm>
#include <string_view>

namespace inkstone {
namespace {

// The value of four hexadecimal digits at text[at], or -1.
int hex_value(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (const char c : text.substr(at, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = 16 * value + digit;
  }
  return value;
}

// The code unit of the escape \uXXXX at text[at], or -1.
int escaped_unit(std::string_view text, size_t at) {
  return at < text.size() && text.substr(at, 2) == "\\u" ? hex_value(text, at + 2) : -1;
}

bool is_surrogate(int unit) { return unit >= 0xD800 && unit < 0xE000; }
bool is_pair(int lead, int trail) {
  return lead >= 0xD800 && lead < 0xDC00 && trail >= 0xDC00 && trail < 0xE000;
}

size_t count_digits(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of("0123456789", at), text.size()) -
         std::min(at, text.size());
}

// The bytes of the number that `text` begins with, as JSON or Python's json writes it; 0: none.
size_t number_size(std::string_view text) {
  for (const std::string_view name : {"NaN", "-Infinity", "Infinity"}) {
    if (text.starts_with(name)) return name.size();
  }
  const size_t sign = text.starts_with('-') ? 1 : 0, whole = count_digits(text, sign);
  if (whole == 0 || (whole > 1 && text[sign] == '0')) return 0;
  size_t size = sign + whole;
  if (text.substr(size).starts_with('.')) {
    const size_t part = count_digits(text, size + 1);
    if (part == 0) return 0;
    size += 1 + part;
  }
  if (size < text.size() && (text[size] == 'e' || text[size] == 'E')) {
    const bool is_signed = size + 1 < text.size() &&
                           (text[size + 1] == '+' || text[size + 1] == '-');
    const size_t power = count_digits(text, size + 1 + is_signed);
    if (power == 0) return 0;
    size += 1 + is_signed + power;
  }
  return size;
}

}  // namespace

int64_t repair_surrogates(std::string& json) {
  constexpr size_t kEscape_bytes = 6;
  int64_t repaired = 0;
  for (size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const int unit = escaped_unit(json, at);
    if (is_pair(unit, escaped_unit(json, at + kEscape_bytes))) {
      at += 2 * kEscape_bytes;
    } else if (is_surrogate(unit)) {
      json.replace(at + 2, 4, "FFFD");
      at += kEscape_bytes;
      ++repaired;
    } else {
      at += 2;
    }
  }
  return repaired;
}

void zero_numbers(std::string& json) {
  const auto stands_alone = [&json](size_t begin, size_t end) {
    constexpr std::string_view kBefore = ":,[ \t\n\r", kBehind = ",]} \t\n\r";
    return (begin == 0 || kBefore.find(json[begin - 1]) != kBefore.npos) &&
           (end == json.size() || kBehind.find(json[end]) != kBehind.npos);
  };
  for (size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\' ? 1 : 0;
      ++at;
      continue;
    }
    const size_t size = number_size(std::string_view(json).substr(at));
    if (size > 0 && stands_alone(at, at + size)) {
      json.replace(at, size, size, ' ');
      json[at] = '0';
    }
    at += std::max<size_t>(size, 1);
  }
}

}  // namespace inkstone
