// What losses are divided by: words, and whether a text has any.
#pragma once

#include <cstdint>
#include <string_view>

namespace inkstone::cli {

// What stands between white space.
int64_t count_words(std::string_view text);

// Letters of a text, and those of them that are written without blanks between words.
struct Letters {
  int64_t all = 0, unspaced = 0;

  void add(std::string_view text);
  // Of text without blanks between words there is nothing to say of words.
  bool have_blanks_between_words() const { return 2 * unspaced <= all; }
};

}  // namespace inkstone::cli
