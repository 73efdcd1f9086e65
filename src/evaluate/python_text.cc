#include "evaluate/python_text.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringoptions.h>
#include <unicode/stringpiece.h>
#include <unicode/ucasemap.h>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"

namespace inkstone::evaluate {
namespace {

// Length in bytes of the white space that `text` begins with; 0: none.
size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  const Utf8Step step = decode_utf8(text, 0);
  return step.ok && is_python_space(step.code_point) ? static_cast<size_t>(step.size_bytes) : 0;
}

// The same of the white space that it ends with.
size_t trailing_space(std::string_view text) {
  if (text.empty()) return 0;
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  const std::string_view last = text.substr(at);
  return leading_space(last) == last.size() ? last.size() : 0;
}

// One of ICU's mappings of case, for no particular language.
template <typename Map>
std::string mapped(std::string_view text, const Map& map) {
  std::string result;
  icu::StringByteSink<std::string> sink(&result, static_cast<int32_t>(text.size()));
  UErrorCode status = U_ZERO_ERROR;
  map(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, status);
  INK_CHECK(U_SUCCESS(status), "mapping the case of a text");
  return result;
}

}  // namespace

bool is_python_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string_view python_rstrip(std::string_view text) {
  while (const size_t space = trailing_space(text)) text.remove_suffix(space);
  return text;
}

std::string_view python_lstrip(std::string_view text) {
  while (const size_t space = leading_space(text)) text.remove_prefix(space);
  return text;
}

std::string_view python_strip(std::string_view text) { return python_rstrip(python_lstrip(text)); }

std::string python_capitalize(std::string_view text) {
  return mapped(text, [](icu::StringPiece in, icu::ByteSink& out, UErrorCode& status) {
    icu::CaseMap::utf8ToTitle("", U_TITLECASE_WHOLE_STRING | U_TITLECASE_NO_BREAK_ADJUSTMENT,
                              nullptr, in, out, nullptr, status);
  });
}

std::string python_lower(std::string_view text) {
  return mapped(text, [](icu::StringPiece in, icu::ByteSink& out, UErrorCode& status) {
    icu::CaseMap::utf8ToLower("", 0, in, out, nullptr, status);
  });
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string_view::npos;) {
    result.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
  }
  return result.append(text.substr(at));
}

int64_t count_split_words(std::string_view text) {
  int64_t runs = 0;
  bool inside = false;
  while (!text.empty()) {
    const size_t space = leading_space(text);
    runs += space > 0 && !inside;
    inside = space > 0;
    text.remove_prefix(space > 0 ? space : static_cast<size_t>(decode_utf8(text, 0).size_bytes));
  }
  return runs + 1;
}

size_t byte_of_character(std::string_view text, int64_t number) {
  size_t at = 0;
  for (int64_t i = 0; i < number && at <= text.size(); ++i) {
    at += at < text.size() ? static_cast<size_t>(decode_utf8(text, at).size_bytes) : 1;
  }
  if (number >= 0 && at <= text.size()) return at;
  fail(ErrorCode::kInvalidData, "found the place {}, expected 0 to {}, the characters of the text",
       number, count_characters(text));
}

}  // namespace inkstone::evaluate
