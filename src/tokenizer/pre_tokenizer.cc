#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/utf8.h"

namespace inkstone {
namespace {

// The last white space character of Unicode (U+3000, the ideographic space). Above it nothing is.
constexpr uint32_t kLastWhiteSpace = 0x3000;

// Bytes from 0x80 on are kInvalid here: they need decoding.
constexpr std::array<CharClass, 256> kByteClasses = [] {
  std::array<CharClass, 256> classes{};
  for (size_t b = 0; b < 256; ++b) {
    const bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z'),
               digit = b >= '0' && b <= '9';
    const bool space = b == ' ' || (b >= '\t' && b <= '\r');
    classes[b] = b >= 0x80 ? CharClass::kInvalid
                 : letter  ? CharClass::kLetter
                 : digit   ? CharClass::kNumber
                 : space   ? CharClass::kWhiteSpace
                           : CharClass::kOther;
  }
  return classes;
}();

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// Length of 's 't 'm 'd 're 've 'll at text[at] == '\'', else 0. Lower case ASCII only.
size_t contraction_size(std::string_view text, size_t at) {
  if (at + 1 >= text.size()) return 0;
  const char first = text[at + 1];
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (at + 2 >= text.size()) return 0;
  const char second = text[at + 2];
  const bool three = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                     (first == 'l' && second == 'l');
  return three ? 3 : 0;
}

bool joins_a_space(CharClass type) {
  return type != CharClass::kWhiteSpace && type != CharClass::kInvalid;
}

bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// How many of the eight bytes, from the first on, are ASCII letters: the high bit of each byte that
// is none, in bulk.
size_t leading_letters(uint64_t bytes) {
  constexpr uint64_t kEach = 0x0101010101010101, kHigh = 0x80 * kEach;
  const uint64_t lower = (bytes | 0x20 * kEach) & ~kHigh;
  const uint64_t from_a = lower + (0x80 - 'a') * kEach, above_z = lower + (0x80 - 'z' - 1) * kEach;
  const uint64_t others = ~(from_a & ~above_z & ~bytes) & kHigh;
  return others == 0 ? 8 : static_cast<size_t>(std::countr_zero(others)) / 8;
}

// Most pieces are ASCII words: eight bytes at a time.
size_t letters_end(std::string_view text, size_t at) {
  while (at + 8 <= text.size()) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data() + at, 8);
    const size_t letters = leading_letters(bytes);
    at += letters;
    if (letters < 8) break;
  }
  return at;
}

}  // namespace

// Two and three bytes are most of what is not ASCII, and worth a way of their own: 0xE1..0xEF but
// 0xED have neither overlong forms nor surrogates.
inline Gpt2PreTokenizer::Char Gpt2PreTokenizer::classify(std::string_view text, size_t at) const {
  const uint8_t byte = byte_at(text, at);
  if (byte < 0x80) return {kByteClasses[byte], 1};
  if (byte < 0xC2 || byte > 0xF4) return {CharClass::kInvalid, 1};  // begins no character
  const uint8_t second = at + 1 < text.size() ? byte_at(text, at + 1) : 0;
  if (byte < 0xE0) {
    if (!is_continuation(second)) return {CharClass::kInvalid, 1};
    return {classes_[(byte & 0x1Fu) << 6 | (second & 0x3Fu)], 2};
  }
  if (byte > 0xE0 && byte < 0xF0 && byte != 0xED) {
    if (!is_continuation(second)) return {CharClass::kInvalid, 1};
    const uint8_t third = at + 2 < text.size() ? byte_at(text, at + 2) : 0;
    if (!is_continuation(third)) return {CharClass::kInvalid, 2};
    return {classes_[(byte & 0x0Fu) << 12 | (second & 0x3Fu) << 6 | (third & 0x3Fu)], 3};
  }
  const Utf8Step step = decode_utf8(text, at);
  return {step.ok ? classes_[step.code_point] : CharClass::kInvalid,
          static_cast<uint32_t>(step.size_bytes)};
}

inline size_t Gpt2PreTokenizer::run_end(std::string_view text, size_t at, CharClass type) const {
  if (type == CharClass::kLetter) at = letters_end(text, at);
  while (at < text.size()) {
    const CharClass byte_class = kByteClasses[byte_at(text, at)];
    if (byte_class == type && type != CharClass::kInvalid) {
      ++at;
      continue;
    }
    if (byte_class != CharClass::kInvalid) return at;
    const Char next = classify(text, at);
    if (next.type != type) return at;
    at += next.size_bytes;
  }
  return at;
}

// \s+(?!\S)|\s+: a run that ends the text is one piece; otherwise its last character is left for
// the next piece, unless it is alone.
size_t Gpt2PreTokenizer::white_space_end(std::string_view text, size_t at) const {
  const size_t begin = at;
  size_t last = at;
  while (at < text.size()) {
    const Char next = classify(text, at);
    if (next.type == CharClass::kInvalid) return at;
    if (next.type != CharClass::kWhiteSpace) return last == begin ? at : last;
    last = at;
    at += next.size_bytes;
  }
  return at;
}

inline size_t Gpt2PreTokenizer::piece_end(std::string_view text, size_t at) const {
  const char c = text[at];
  // An ASCII word, perhaps behind a space, is what most pieces are.
  const size_t word = at + (c == ' ' ? 1 : 0);
  if (word < text.size() && kByteClasses[byte_at(text, word)] == CharClass::kLetter) {
    return run_end(text, word + 1, CharClass::kLetter);
  }
  if (c == '\'') {
    if (const size_t size = contraction_size(text, at); size != 0) return at + size;
  }
  Char first = classify(text, at);
  if (c == ' ' && at + 1 < text.size()) {
    const Char second = classify(text, at + 1);
    if (joins_a_space(second.type)) {
      first = second;
      ++at;
    }
  }
  if (first.type == CharClass::kWhiteSpace) return white_space_end(text, at);
  return run_end(text, at + first.size_bytes, first.type);
}

void Gpt2PreTokenizer::split(std::string_view text, const Take& take) const {
  split_by_piece_end(text, take, [&](size_t at) { return piece_end(text, at); });
}

bool Gpt2PreTokenizer::is_cut(std::string_view text, size_t at) const {
  return is_ascii_white_space(text[at]) && ends_in_ink(text.substr(0, at));
}

bool is_ascii_white_space(char c) {
  return kByteClasses[static_cast<uint8_t>(c)] == CharClass::kWhiteSpace;
}

bool ends_in_ink(std::string_view text) {
  if (text.empty()) return false;
  const uint8_t last = byte_at(text, text.size() - 1);
  if (last < 0x80) return last > 0x20 && last < 0x7F;
  size_t lead = text.size() - 1;
  const size_t lowest = text.size() - std::min<size_t>(text.size(), 4);
  while (lead > lowest && is_continuation(byte_at(text, lead))) --lead;
  const Utf8Step step = decode_utf8(text, lead);
  return step.ok && lead + static_cast<size_t>(step.size_bytes) == text.size() &&
         step.code_point > kLastWhiteSpace;
}

}  // namespace inkstone
