// Words of any language, as the quality rules and MinHash count them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace inkstone {

// True for letters of scripts that are written without spaces between words: Han, kana, Bopomofo,
// Thai, Lao, Khmer, Burmese. Each counts as a word of its own, for cutting such text into words
// takes a dictionary. Fixed ranges of blocks, the same whatever the version of ICU.
constexpr bool is_unspaced_letter(uint32_t c) {
  if (c < 0x0E00) return false;
  return (c <= 0x0EFF) ||                                                 // Thai, Lao
         (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||  // Burmese, Khmer
         (c >= 0x2E80 && c <= 0x2FDF) ||
         (c >= 0x3005 && c <= 0x3007) ||  // radicals, iteration marks
         (c >= 0x3041 && c <= 0x312F) || (c >= 0x31A0 && c <= 0x31FF) ||  // kana, Bopomofo
         (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||  // Han
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF66 && c <= 0xFF9F) ||  // Han, half-width kana
         (c >= 0x20000 && c <= 0x3FFFF);                                  // Han
}

struct Word {
  uint64_t hash = 0;  // of its bytes
  uint32_t characters = 0;
  bool unspaced = false;  // one letter of a script without spaces
  bool has_letter = false;
};

// The words of a text, into `words` (which is emptied first): what stands between white space,
// where an unspaced letter is a word of its own, and what is left beside one is a word only if it
// holds a letter or a digit (so that the comma in Chinese text is none, while "--" between spaces
// is one). Any bytes are allowed.
void split_words(std::string_view text, std::vector<Word>& words);

}  // namespace inkstone
