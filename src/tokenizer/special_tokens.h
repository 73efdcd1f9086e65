// Special tokens: texts that stand for one id and are matched before the pre-tokenizer sees the
// text.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/option_table.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// As options call them.
inline constexpr ChoiceNames<SpecialTokens, 3> kSpecialTokensNames = {
    {{SpecialTokens::kAsText, "text"},
     {SpecialTokens::kAllow, "allow"},
     {SpecialTokens::kRefuse, "refuse"}}};

// One of tokenizer.json's added_tokens.
struct SpecialToken {
  std::string text;
  TokenId id = 0;
  // Tokenizer.json's "special": left out of the output by skip_special_tokens.
  bool is_control = true;
  bool takes_left = false;   // "lstrip": the white space before it is its own, and has no ids
  bool takes_right = false;  // "rstrip": that behind it
  bool is_word = false;      // "single_word": not where a character of a word (\w) stands beside it

  // "normalized": looked for in the normalised text that the tokens without it leave.
  bool is_normalized = false;

  bool looks_around() const { return takes_left || takes_right || is_word; }
};

// Finds tokens that are looked for together.
class SpecialTokenMatcher {
 public:
  struct Match {
    size_t begin, end;  // with the white space that the token takes
    size_t token_end;
    TokenId id;
  };

  // No text is empty. Of tokens with the same text (in NFC) the first counts.
  explicit SpecialTokenMatcher(std::vector<SpecialToken> tokens);

  // The leftmost token that begins in text[from..); of several at one place the longest. The white
  // space that it takes before it begins at `lowest` at the earliest.
  std::optional<Match> find(std::string_view text, size_t from, size_t lowest) const;

  // In the order of their texts.
  std::span<const SpecialToken> all() const { return tokens_; }

 private:
  const SpecialToken* longest_at(std::string_view text, size_t at) const;
  size_t next_candidate(std::string_view text, size_t from) const;

  std::vector<SpecialToken> tokens_;
  std::array<bool, 256> starts_{};
  std::optional<char> only_start_;  // when all tokens start with the same byte
};

// As Hugging Face's AddedVocabulary, which searches twice: for the tokens that are not normalized,
// then for the others in what is left. Here once, when that comes to the same.
class SpecialTokenTable {
 public:
  using Match = SpecialTokenMatcher::Match;
  using TakeText = std::function<void(std::string_view)>;
  using TakeToken = std::function<void(TokenId id, size_t begin)>;

  // No text is empty or occurs twice. is_nfc: the text is normalised before the second search.
  SpecialTokenTable(std::vector<SpecialToken> tokens, bool is_nfc);

  // Passes the special tokens of `text`, and what stands between them, in order. A token may begin
  // in the white space that the one before takes; if it takes white space too, all of it is gone by
  // then, and it is no token.
  void split(std::string_view text, const TakeText& take_text, const TakeToken& take_token) const;

  // The leftmost special token that begins in text[from..), unless needs_whole_text().
  std::optional<Match> find(std::string_view text, size_t from) const {
    return first_.find(text, from, from);
  }

  // True when it cannot be told from a token's own text whether it is one, or where it ends.
  bool needs_whole_text() const { return needs_whole_text_; }

  // Of the longest token; 0 when there is none.
  size_t longest_bytes() const { return longest_bytes_; }

  std::optional<TokenId> id_of(std::string_view text) const;

  // In the order of their texts.
  std::span<const SpecialToken> all() const { return tokens_; }

 private:
  std::vector<SpecialToken> tokens_;
  bool is_nfc_;
  size_t longest_bytes_ = 0;
  bool needs_whole_text_ = false;
  SpecialTokenMatcher first_, second_;
};

}  // namespace inkstone
