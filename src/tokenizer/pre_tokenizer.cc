#include "tokenizer/pre_tokenizer.h"

#include "base/utf8.h"

namespace inkstone {
namespace {

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

}  // namespace

PreTokenizer::PreTokenizer() : classes_(UnicodeClasses::instance()) {
  for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = classes_[c];
}

PreTokenizer::Char PreTokenizer::classify(std::string_view text, size_t at) const {
  const uint8_t byte = byte_at(text, at);
  if (byte < 0x80) return {ascii_[byte], 1};
  const Utf8Step step = decode_utf8(text, at);
  return {step.ok ? classes_[step.code_point] : CharClass::kInvalid,
          static_cast<uint32_t>(step.size_bytes)};
}

size_t PreTokenizer::run_end(std::string_view text, size_t at, CharClass type) const {
  while (at < text.size()) {
    const uint8_t byte = byte_at(text, at);
    if (byte < 0x80) {
      if (ascii_[byte] != type) return at;
      ++at;
      continue;
    }
    const Char next = classify(text, at);
    if (next.type != type) return at;
    at += next.size_bytes;
  }
  return at;
}

// \s+(?!\S)|\s+: a run that ends the text is one piece; otherwise its last character is left for
// the next piece, unless it is alone.
size_t PreTokenizer::white_space_end(std::string_view text, size_t at) const {
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

size_t PreTokenizer::piece_end(std::string_view text, size_t at) const {
  const char c = text[at];
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

}  // namespace inkstone
