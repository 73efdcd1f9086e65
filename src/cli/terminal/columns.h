// Aligning text by the columns that it takes on a terminal: a Chinese character takes two.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace inkstone::cli {

// Columns of a line of text. What is not UTF-8 counts as U+FFFD.
size_t text_columns(std::string_view text);

// As much of a line as fits into so many columns, cut between characters.
std::string within_columns(std::string_view text, size_t columns);

// Filled up with blanks to so many columns, or longer.
std::string left_aligned(std::string_view text, size_t columns);
std::string right_aligned(std::string_view text, size_t columns);

}  // namespace inkstone::cli
