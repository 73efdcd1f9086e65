#include "tokenizer/special_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "base/utf8.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone {
namespace {

// A character beside a place; none at the text's ends and before bytes that are none.
using Place = std::optional<Utf8Step>;

Place character_at(std::string_view text, size_t at) {
  if (at >= text.size()) return std::nullopt;
  const Utf8Step step = decode_utf8(text, at);
  return step.ok ? Place(step) : std::nullopt;
}

Place character_before(std::string_view text, size_t at) {
  constexpr size_t kLongest_bytes = 4;
  for (size_t size = 1; size <= std::min(kLongest_bytes, at); ++size) {
    const Place found = character_at(text.substr(0, at), at - size);
    if (found && static_cast<size_t>(found->size_bytes) == size) return found;
  }
  return std::nullopt;
}

bool is_white_space(const Place& place) {
  return place && UnicodeClasses::instance()[place->code_point] == CharClass::kWhiteSpace;
}

// \w of Unicode (UTS 18, Annex C): alphabetic, marks, decimal digits, connectors, joiners.
bool is_of_a_word(const Place& place) {
  if (!place) return false;
  const auto c = static_cast<UChar32>(place->code_point);
  constexpr uint32_t kCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || (U_GET_GC_MASK(c) & kCategories) != 0 ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

size_t white_space_begin(std::string_view text, size_t at, size_t lowest) {
  for (Place before; at > lowest && is_white_space(before = character_before(text, at));) {
    at -= static_cast<size_t>(before->size_bytes);
  }
  return std::max(at, lowest);
}

size_t white_space_end(std::string_view text, size_t at) {
  for (Place next; is_white_space(next = character_at(text, at));)
    at += static_cast<size_t>(next->size_bytes);
  return at;
}

}  // namespace

SpecialTokenTable::SpecialTokenTable(std::vector<SpecialToken> tokens)
    : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text < b.text; });
  for (const SpecialToken& token : tokens_) {
    starts_[static_cast<uint8_t>(token.text[0])] = true;
    longest_bytes_ = std::max(longest_bytes_, token.text.size());
    looks_around_ = looks_around_ || token.looks_around();
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
  for (size_t at = next_candidate(text, from); at < text.size();) {
    const SpecialToken* token = longest_at(text, at);
    const size_t end = at + (token != nullptr ? token->text.size() : 1);
    const bool in_a_word = token != nullptr && token->is_word &&
                           (is_of_a_word(character_before(text, at)) ||
                            is_of_a_word(character_at(text, end)));
    if (token != nullptr && !in_a_word) {
      const size_t begin = token->takes_left ? white_space_begin(text, at, from) : at;
      return Match{begin, (token->takes_right ? white_space_end(text, end) : end) - begin,
                   token->id};
    }
    at = next_candidate(text, end);
  }
  return std::nullopt;
}

std::optional<TokenId> SpecialTokenTable::id_of(std::string_view text) const {
  const auto at = std::lower_bound(
      tokens_.begin(), tokens_.end(), text,
      [](const SpecialToken& t, std::string_view s) { return t.text < s; });
  if (at == tokens_.end() || at->text != text) return std::nullopt;
  return at->id;
}

}  // namespace inkstone
