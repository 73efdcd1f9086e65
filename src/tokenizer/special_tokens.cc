#include "tokenizer/special_tokens.h"

#include <algorithm>

namespace inkstone {

SpecialTokenTable::SpecialTokenTable(std::vector<SpecialToken> tokens)
    : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text < b.text; });
  for (const SpecialToken& token : tokens_) {
    starts_[static_cast<uint8_t>(token.text[0])] = true;
    longest_bytes_ = std::max(longest_bytes_, token.text.size());
  }
  if (!tokens_.empty() && tokens_.front().text[0] == tokens_.back().text[0]) {
    only_start_ = tokens_.front().text[0];
  }
}

// Narrows the sorted list byte by byte to the tokens that agree with the text so far; a token that
// ends there is first among them.
const SpecialToken* SpecialTokenTable::longest_at(std::string_view text, size_t at) const {
  const SpecialToken* longest = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();
  for (size_t depth = 0; low != high; ++depth) {
    if (low->text.size() == depth) longest = &*low++;
    if (at + depth >= text.size()) break;
    const uint8_t byte = static_cast<uint8_t>(text[at + depth]);
    const auto byte_of = [depth](const SpecialToken& t) {
      return static_cast<uint8_t>(t.text[depth]);
    };
    low = std::lower_bound(low, high, byte,
                           [&](const SpecialToken& t, uint8_t b) { return byte_of(t) < b; });
    high = std::upper_bound(low, high, byte,
                            [&](uint8_t b, const SpecialToken& t) { return b < byte_of(t); });
  }
  return longest;
}

size_t SpecialTokenTable::next_candidate(std::string_view text, size_t from) const {
  if (only_start_) return std::min(text.find(*only_start_, from), text.size());
  while (from < text.size() && !starts_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

std::optional<SpecialTokenTable::Match> SpecialTokenTable::find(std::string_view text,
                                                                size_t from) const {
  if (tokens_.empty()) return std::nullopt;
  for (size_t at = next_candidate(text, from); at < text.size();
       at = next_candidate(text, at + 1)) {
    if (const SpecialToken* token = longest_at(text, at))
      return Match{at, token->text.size(), token->id};
  }
  return std::nullopt;
}

std::optional<TokenId> SpecialTokenTable::id_of(std::string_view text) const {
  const auto at =
      std::lower_bound(tokens_.begin(), tokens_.end(), text,
                       [](const SpecialToken& t, std::string_view s) { return t.text < s; });
  if (at == tokens_.end() || at->text != text) return std::nullopt;
  return at->id;
}

}  // namespace inkstone
