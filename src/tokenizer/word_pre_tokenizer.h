// The pre-tokenizers of OpenAI's cl100k_base and o200k_base, and of Llama 3 and Qwen2, matched by
// hand.
#pragma once

#include <optional>
#include <string_view>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// What the family has in common, as leftmost matches of
//   WORD | \p{N}{1,max_digits} |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
// where WORD is, with C for (?i:'s|'t|'re|'ve|'m|'ll|'d) and P for [^\r\n\p{L}\p{N}]?,
//   C | P\p{L}+                                                      not cased
//   P[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+C? |
//   P[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*C?    cased, with [\r\n/]* above
// Oniguruma's (?i:s) holds U+017F too, the long s.
struct WordRules {
  bool is_cased = false;
  int max_digits = 3;  // 3 or 1
};

// The rules that `pattern` spells; nullopt when it is another regular expression.
std::optional<WordRules> find_word_rules(std::string_view pattern);

class WordPreTokenizer final : public PreTokenizer {
 public:
  explicit WordPreTokenizer(WordRules rules) : rules_(rules) {}

  void split(std::string_view text, const Take& take) const override;

  // Before an ASCII space or tab behind what is no white space, and before any ASCII white space
  // behind an ASCII letter or digit: only line ends may follow something else within a piece, and
  // they follow no such character.
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  size_t piece_end(std::string_view text, size_t at) const;
  size_t word_end(std::string_view text, size_t at) const;
  size_t cased_word_end(std::string_view text, size_t at) const;
  size_t numbers_end(std::string_view text, size_t at) const;
  size_t others_end(std::string_view text, size_t at) const;

  WordRules rules_;
};

}  // namespace inkstone
