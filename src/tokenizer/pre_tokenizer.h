// Pre-tokenizers: they cut a text into the pieces inside which byte pairs may merge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tokenizer/unicode_classes.h"

namespace inkstone {

// The pieces are adjacent and cover the text. A maximal run of bytes that are not UTF-8 is a piece and cuts the
// text: what stands before and after it is cut as a text of its own. Immutable: safe from several threads.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Writes the ends of the pieces that start at text[at], in order, until `ends` is full or the text ends;
  // returns how many. at < text.size() is 0 or the end of an earlier piece; `ends` is not empty.
  virtual size_t split(std::string_view text, size_t at, std::span<size_t> ends) const = 0;

  // True when a piece begins at text[at] and the pieces before it are those of text[0..at), whatever follows
  // text and whatever comes before it: a long text may be encoded in two parts there. 0 < at < text.size().
  // False when it cannot be told.
  virtual bool is_cut(std::string_view text, size_t at) const = 0;
};

// GPT-2's: the leftmost matches of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (Radford et al. 2019; encoder.py), matched by hand. Time is linear in the text.
class Gpt2PreTokenizer final : public PreTokenizer {
 public:
  size_t split(std::string_view text, size_t at, std::span<size_t> ends) const override;

  // Before an ASCII white space character whose predecessor is no white space. A piece always begins there: only
  // a piece of white space, or one with a leading space, holds such a character, and as its first. The match
  // that ends there looks at nothing behind it (only \s+(?!\S) looks ahead, and it ends in white space).
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  struct Char {
    CharClass type;
    uint32_t size_bytes;
  };

  Char classify(std::string_view text, size_t at) const;
  size_t piece_end(std::string_view text, size_t at) const;
  size_t run_end(std::string_view text, size_t at, CharClass type) const;
  size_t white_space_end(std::string_view text, size_t at) const;

  const UnicodeClasses& classes_ = UnicodeClasses::instance();
};

// True for the six white space characters of ASCII.
bool is_ascii_white_space(char c);

// True when `text` ends in a character that is certainly no white space.
bool ends_in_ink(std::string_view text);

}  // namespace inkstone
