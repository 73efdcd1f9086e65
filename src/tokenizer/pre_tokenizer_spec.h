// Which pre-tokenizer a tokenizer.json asks for: plain data, from which the pre-tokenizer is made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// The steps cut one after the other, each within the pieces of the one before. No step: the text is
// one piece.
struct PreTokenizerSpec {
  enum class Kind {
    kGpt2,  // ByteLevel with its regular expression, or the same as a Split
    // Split by `pattern`, Oniguruma's syntax: the matches and what is between them are pieces.
    kRegex,
    kString,       // Split by the exact text `pattern`
    kDigits,       // numbers (\p{N})
    kPunctuation,  // the punctuation of ASCII, symbols too, and \p{P} of Unicode 8
  };
  struct Step {
    Kind kind = Kind::kGpt2;
    std::string pattern;  // of kRegex and kString
    // Of kDigits and kPunctuation: a run is one piece, not each of its characters.
    bool is_grouped = false;
    bool operator==(const Step&) const = default;
  };

  std::vector<Step> steps = {Step{}};
  bool add_prefix_space = false;  // ByteLevel's: a text that starts with no space gets one
  bool operator==(const PreTokenizerSpec&) const = default;

  bool is_gpt2() const { return *this == PreTokenizerSpec{}; }
};

// The regular expressions of cl100k_base, Llama 3, Qwen2 and o200k_base are matched by hand, in
// linear time; any other by ICU. Throws kUnsupported on an expression that ICU does not read as
// Oniguruma does, naming it. A text for which ICU's limits of time or stack do not suffice makes
// split() throw kUnsupported, naming the expression.
std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const PreTokenizerSpec& spec);

// True when every text is the concatenation of the expression's matches, so that what is between
// them cannot be lost: of those matched by hand.
bool covers_every_text(const std::string& pattern);

}  // namespace inkstone
