#include "tokenizer/special_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "base/utf8.h"
#include "tokenizer/nfc.h"
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

bool has_lesser_text(const SpecialToken& a, const SpecialToken& b) { return a.text < b.text; }

// True when the texts may share bytes of some text.
bool may_overlap(std::string_view a, std::string_view b) {
  for (size_t at = 0; at < a.size(); ++at) {
    if (a.substr(at).starts_with(b.substr(0, a.size() - at))) return true;
  }
  for (size_t at = 1; at < b.size(); ++at) {
    if (b.substr(at).starts_with(a.substr(0, b.size() - at))) return true;
  }
  return false;
}

// True when one search for all tokens certainly finds what two searches find.
bool is_one_search(std::span<const SpecialToken> tokens, bool is_nfc) {
  constexpr size_t kMostWork = 100'000'000;
  size_t bytes[2] = {0, 0};  // of those that are not normalized and of those that are
  for (const SpecialToken& token : tokens) bytes[token.is_normalized] += token.text.size();
  if (bytes[1] == 0) return true;
  if (is_nfc) return false;
  if (bytes[0] == 0) return true;
  if (bytes[0] > kMostWork / bytes[1]) return false;
  for (const SpecialToken& a : tokens) {
    if (a.looks_around()) return false;
    for (const SpecialToken& b : tokens) {
      if (a.is_normalized && !b.is_normalized && may_overlap(a.text, b.text)) return false;
    }
  }
  return true;
}

// The tokens that are looked for in one of two searches.
std::vector<SpecialToken> tokens_of(std::span<const SpecialToken> tokens, bool is_nfc,
                                    bool is_second) {
  if (is_one_search(tokens, is_nfc))
    return is_second ? std::vector<SpecialToken>()
                     : std::vector<SpecialToken>(tokens.begin(), tokens.end());
  std::vector<SpecialToken> chosen;
  for (const SpecialToken& token : tokens) {
    if (token.is_normalized != is_second) continue;
    chosen.push_back(token);
    if (is_second && is_nfc) chosen.back().text = to_nfc(token.text);
  }
  return chosen;
}

using TakePart = std::function<void(std::string_view part, size_t begin)>;

void split_by(const SpecialTokenMatcher& matcher, std::string_view text, const TakePart& take_part,
              const SpecialTokenTable::TakeToken& take_token) {
  size_t at = 0;
  for (size_t from = 0;;) {
    const auto match = matcher.find(text, from, at);
    if (!match) break;
    if (match->begin > at) take_part(text.substr(at, match->begin - at), at);
    if (match->begin < match->end) take_token(match->id, match->begin);
    from = match->token_end;
    at = match->end;
  }
  if (at < text.size()) take_part(text.substr(at), at);
}

}  // namespace

SpecialTokenMatcher::SpecialTokenMatcher(std::vector<SpecialToken> tokens)
    : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), has_lesser_text);
  const auto has_same_text = [](const SpecialToken& a, const SpecialToken& b) {
    return a.text == b.text;
  };
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), has_same_text), tokens_.end());
  for (const SpecialToken& token : tokens_) starts_[static_cast<uint8_t>(token.text[0])] = true;
  if (!tokens_.empty() && tokens_.front().text[0] == tokens_.back().text[0]) {
    only_start_ = tokens_.front().text[0];
  }
}

// Narrows the sorted list byte by byte to the tokens that agree with the text so far; a token that
// ends there is first among them.
const SpecialToken* SpecialTokenMatcher::longest_at(std::string_view text, size_t at) const {
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

size_t SpecialTokenMatcher::next_candidate(std::string_view text, size_t from) const {
  if (only_start_) return std::min(text.find(*only_start_, from), text.size());
  while (from < text.size() && !starts_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

std::optional<SpecialTokenMatcher::Match> SpecialTokenMatcher::find(std::string_view text,
                                                                    size_t from,
                                                                    size_t lowest) const {
  if (tokens_.empty()) return std::nullopt;
  for (size_t at = next_candidate(text, from); at < text.size();) {
    const SpecialToken* token = longest_at(text, at);
    const size_t end = at + (token != nullptr ? token->text.size() : 1);
    const bool in_a_word = token != nullptr && token->is_word &&
                           (is_of_a_word(character_before(text, at)) ||
                            is_of_a_word(character_at(text, end)));
    if (token != nullptr && !in_a_word) {
      const size_t begin = token->takes_left ? white_space_begin(text, at, lowest) : at;
      return Match{.begin = begin,
                   .end = token->takes_right ? white_space_end(text, end) : end,
                   .token_end = end,
                   .id = token->id};
    }
    at = next_candidate(text, end);
  }
  return std::nullopt;
}

SpecialTokenTable::SpecialTokenTable(std::vector<SpecialToken> tokens, bool is_nfc)
    : tokens_(std::move(tokens)),
      is_nfc_(is_nfc),
      first_(tokens_of(tokens_, is_nfc, false)),
      second_(tokens_of(tokens_, is_nfc, true)) {
  std::sort(tokens_.begin(), tokens_.end(), has_lesser_text);
  needs_whole_text_ = !second_.all().empty();
  for (const SpecialToken& token : tokens_) {
    longest_bytes_ = std::max(longest_bytes_, token.text.size());
    needs_whole_text_ = needs_whole_text_ || token.looks_around();
  }
}

void SpecialTokenTable::split(std::string_view text, const TakeText& take_text,
                              const TakeToken& take_token) const {
  const auto take_rest = [&](std::string_view part, size_t begin) {
    if (second_.all().empty()) return take_text(part);
    const std::string normal = is_nfc_ ? to_nfc(part) : "";
    split_by(
        second_, is_nfc_ ? std::string_view(normal) : part,
        [&](std::string_view rest, size_t) { take_text(rest); },
        [&](TokenId id, size_t at) { take_token(id, begin + at); });
  };
  split_by(first_, text, take_rest, take_token);
}

std::optional<TokenId> SpecialTokenTable::id_of(std::string_view text) const {
  const auto at = std::lower_bound(
      tokens_.begin(), tokens_.end(), text,
      [](const SpecialToken& t, std::string_view s) { return t.text < s; });
  if (at == tokens_.end() || at->text != text) return std::nullopt;
  return at->id;
}

}  // namespace inkstone
