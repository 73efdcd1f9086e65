// Where a text of several documents is divided.
#pragma once

#include <string>

#include "corpus/read/byte_source.h"

namespace inkstone {

// Throws kUsage when `separator` is no regular expression. "" and the two words below are allowed.
void check_separator(const std::string& separator);

// The text with a line "<|endoftext|>" wherever `separator` divides it, as a stream:
//   "blank": between blank lines (of any number, which go; blank: nothing but white space).
//   "line":  after each line; blank ones go.
//   else a regular expression of ICU's, looked for in each line: a line in which it is found
//   divides
//     and goes; where what it finds is empty, as with (?=...), the line begins the next document.
// `read` gives UTF-8. What it gives passes unchanged for "". Throws kUsage when the expression
// takes too long on a line.
ReadBytes divide_text(ReadBytes read, const std::string& separator);

}  // namespace inkstone
