// The cleaning of single characters: invalid UTF-8, line ends, control characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "inkstone/cleaning.h"

namespace inkstone {

struct CharacterOptions {
  InvalidText invalid = InvalidText::kReplace;
  bool line_ends = true;
  bool control_characters = true;
};

// LF, VT, FF, CR, U+0085, U+2028 and U+2029: the newline functions of Unicode 15, section 5.8. All
// of them end a line for a reader.
bool is_newline_function(uint32_t code_point);

// The position of the first character at or behind `at` (the start of a character) that
// clean_characters may have to change; text.size() if there is none. Near memory speed on ASCII.
size_t find_unclean_character(std::string_view text, size_t at = 0);

// Cleans `text` in place; `spare` lends its memory. What was done is added to `counts`.
//   invalid: as InvalidText says; kDrop leaves the bytes, and the caller looks at the count.
//   line_ends: the newline functions, and CR LF, become \n: GPT-2's vocabulary has a token for \n
//     alone.
//   control_characters: removed are U+0000 to U+001F but \t and the newline functions above (they
//     are line_ends' business), U+007F to U+009F but U+0085, and U+FEFF (a byte order mark,
//     wherever files were joined).
// A second call changes nothing, but for kKeep: bytes of an invalid sequence that stood around a
// removed character may then join. Cutting a text before an ASCII white space whose predecessor is
// none and cleaning the pieces gives what cleaning the text gives.
void clean_characters(std::string& text, std::string& spare, const CharacterOptions& options,
                      CharacterCounts& counts);

}  // namespace inkstone
