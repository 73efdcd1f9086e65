// Special tokens: texts that stand for one id and are matched before the pre-tokenizer sees the
// text.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// One of tokenizer.json's added_tokens.
struct SpecialToken {
  std::string text;
  TokenId id = 0;
  // Tokenizer.json's "special": left out of the output by skip_special_tokens.
  bool is_control = true;
  bool takes_left = false;   // "lstrip": the white space before it is its own, and has no ids
  bool takes_right = false;  // "rstrip": that behind it
  bool is_word = false;      // "single_word": not where a character of a word (\w) stands beside it

  bool looks_around() const { return takes_left || takes_right || is_word; }
};

class SpecialTokenTable {
 public:
  struct Match {
    size_t begin;
    size_t size_bytes;
    TokenId id;
  };

  // No text is empty or occurs twice.
  explicit SpecialTokenTable(std::vector<SpecialToken> tokens);

  // The leftmost special token in text[from..]; of several at one place the longest, with the white
  // space that it takes: before it not beyond `from`. text[0..from) is what stands before. As
  // Hugging Face's AddedVocabulary.
  std::optional<Match> find(std::string_view text, size_t from) const;

  // Of the longest token; 0 when there is none.
  size_t longest_bytes() const { return longest_bytes_; }

  // True when what stands beside a token decides about some of them.
  bool looks_around() const { return looks_around_; }

  std::optional<TokenId> id_of(std::string_view text) const;

  // In the order of their texts.
  std::span<const SpecialToken> all() const { return tokens_; }

 private:
  const SpecialToken* longest_at(std::string_view text, size_t at) const;
  size_t next_candidate(std::string_view text, size_t from) const;

  std::vector<SpecialToken> tokens_;
  size_t longest_bytes_ = 0;
  bool looks_around_ = false;
  std::array<bool, 256> starts_{};
  std::optional<char> only_start_;  // when all tokens start with the same byte
};

}  // namespace inkstone
