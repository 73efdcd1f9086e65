// Words from the bytes of tokens: what the first and the last character of each is.
#include "train/word_bounds.h"

#include "base/utf8.h"
#include "corpus/clean/words.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone {
namespace {

bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// Whether a character that begins with this byte, the others of which are not there, is one of a
// word: 0xE2 to 0xE9 begin symbols, kana and Chinese characters, 0xEF and 0xF0 forms and pictures.
bool begins_letter(char byte) {
  const auto b = static_cast<uint8_t>(byte);
  return (b >= 0xC3 && b <= 0xE1) || (b >= 0xEA && b <= 0xED);
}

bool is_letter(std::string_view bytes, size_t at) {
  const Utf8Step step = decode_utf8(bytes, at);
  if (!step.ok) return begins_letter(bytes[at]);
  const CharClass kind = UnicodeClasses::instance()[step.code_point];
  return (kind == CharClass::kLetter || kind == CharClass::kNumber) &&
         !is_unspaced_letter(step.code_point);
}

// Where the last character begins; 0 if the bytes are none but continuation bytes.
size_t last_character(std::string_view bytes) {
  size_t at = bytes.size() - 1;
  while (at > 0 && is_continuation(bytes[at])) --at;
  return at;
}

}  // namespace

WordBounds::Edges WordBounds::edges_of(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto edge = [&](size_t at) {
    if (is_continuation(bytes[at])) return Edge::kRest;
    return is_letter(bytes, at) ? Edge::kLetter : Edge::kOther;
  };
  return {edge(0), edge(last_character(bytes))};
}

WordBounds::WordBounds(const Tokenizer& tokenizer) {
  const auto count = static_cast<TokenId>(tokenizer.vocab_size());
  edges_.reserve(static_cast<size_t>(count));
  for (TokenId id = 0; id < count; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    const bool special = bytes.size() > 1 && tokenizer.special_token(bytes) == id;
    edges_.push_back(special ? Edges{} : edges_of(bytes));
  }
}

bool WordBounds::joined(TokenId token, TokenId next) const {
  const auto count = static_cast<TokenId>(edges_.size());
  if (token < 0 || next < 0 || token >= count || next >= count) return false;
  const Edge last = edges_[static_cast<size_t>(token)].last,
             first = edges_[static_cast<size_t>(next)].first;
  return first == Edge::kRest || (first == Edge::kLetter && last == Edge::kLetter);
}

}  // namespace inkstone
