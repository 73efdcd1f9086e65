// Text as Python's str treats it: lm-eval states its tasks in these terms. Every text is UTF-8, and
// lengths and places count code points unless they say bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace inkstone::evaluate {

// str.isspace of one character, which is also what \s of `re` matches: Unicode's white space, and
// the separators U+001C to U+001F besides.
bool is_python_space(uint32_t code_point);

// str.strip, str.lstrip and str.rstrip without arguments. Bytes that are no UTF-8 are no white
// space.
std::string_view python_strip(std::string_view text);
std::string_view python_lstrip(std::string_view text);
std::string_view python_rstrip(std::string_view text);

// str.capitalize: the first character in title case, all others in lower case.
std::string python_capitalize(std::string_view text);
// str.lower.
std::string python_lower(std::string_view text);

// str.replace: from left to right, without looking at what was put in.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// len(re.split(r"\s+", text)): the runs of white space, and one.
int64_t count_split_words(std::string_view text);

// The byte at which the code point of this number begins; text.size() for the number of all of
// them. Throws kInvalidData for one that is not there.
size_t byte_of_character(std::string_view text, int64_t number);

}  // namespace inkstone::evaluate
