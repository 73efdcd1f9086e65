// GPT-2's pre-tokenizer: cuts a text into the pieces inside which byte pairs may merge.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/unicode_classes.h"

namespace inkstone {

// The leftmost matches of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (Radford et al. 2019; encoder.py), matched by hand. The pieces are adjacent and cover the text. A
// maximal run of bytes that are not UTF-8 is a piece and cuts the text: what stands before and
// after it is cut as a text of its own (so no space joins it, and white space before it is one
// piece).
class PreTokenizer {
 public:
  PreTokenizer();

  // End of the piece that starts at text[at], at < text.size(); above `at`. `at` must be where an
  // earlier piece ended, or 0. Time is linear in the piece (of white space: in the run, at most
  // twice per character).
  size_t piece_end(std::string_view text, size_t at) const;

 private:
  struct Char {
    CharClass type;
    uint32_t size_bytes;
  };

  Char classify(std::string_view text, size_t at) const;
  size_t run_end(std::string_view text, size_t at, CharClass type) const;
  size_t white_space_end(std::string_view text, size_t at) const;

  std::array<CharClass, 128> ascii_;
  const UnicodeClasses& classes_;
};

}  // namespace inkstone
