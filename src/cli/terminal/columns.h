// Aligning text by the columns that it takes on a terminal: a Chinese character takes two.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace inkstone::cli {

// Columns of a line of text. What is not UTF-8 counts as U+FFFD.
size_t text_columns(std::string_view text);

// As much of a line as fits into so many columns, cut between characters.
std::string within_columns(std::string_view text, size_t columns);

// Filled up with blanks to so many columns, or longer.
std::string left_aligned(std::string_view text, size_t columns);
std::string right_aligned(std::string_view text, size_t columns);

// Lines of cells, two blanks apart, as wide as their widest; the first column stands to the left,
// the others to the right. All rows have the same number of cells, the first one of some width.
std::string aligned_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace inkstone::cli
