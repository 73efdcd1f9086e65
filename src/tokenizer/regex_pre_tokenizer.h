// Split by any regular expression, matched by ICU.
#pragma once

#include <memory>
#include <string>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// The matches and what is between them are pieces (Hugging Face's behaviour "Isolated"). Lookbehind
// sees up to 256 bytes. Time is what ICU's backtracking takes.
class RegexPreTokenizer final : public PreTokenizer {
 public:
  // `pattern` in Oniguruma's syntax. Throws kUnsupported as make_pre_tokenizer.
  explicit RegexPreTokenizer(const std::string& pattern);
  ~RegexPreTokenizer() override;

  // Throws kUnsupported when matching exceeds ICU's limits of time or stack.
  void split(std::string_view text, const Take& take) const override;

  // Never: the expression may look anywhere.
  bool is_cut(std::string_view, size_t) const override { return false; }

 private:
  struct Compiled;
  class Matching;

  std::unique_ptr<const Compiled> compiled_;
};

// The expression that matches exactly `text`.
std::string quote_regex(std::string_view text);

// Oniguruma's syntax as Hugging Face's tokenizers use it (Ruby's) to ICU's: \s is White_Space, \h a
// hexadecimal digit, \p{^X} is \P{X}. Throws kUnsupported on what has no equal there or none is
// known: back references, \b, \G, \A, \z, POSIX brackets, quantifiers such as {1,3}+, flags other
// than i.
std::string to_icu_syntax(std::string_view pattern);

}  // namespace inkstone
