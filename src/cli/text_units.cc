#include "cli/text_units.h"

#include "base/utf8.h"
#include "corpus/clean/words.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone::cli {

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos;
    words += !space && !inside;
    inside = !space;
  }
  return words;
}

void Letters::add(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    at += static_cast<size_t>(step.size_bytes);
    if (!step.ok || UnicodeClasses::instance()[step.code_point] != CharClass::kLetter) continue;
    ++all;
    unspaced += is_unspaced_letter(step.code_point);
  }
}

}  // namespace inkstone::cli
