#include "tokenizer/class_pre_tokenizer.h"

#include <unicode/uchar.h>

#include "base/utf8.h"
#include "tokenizer/invalid_run.h"

namespace inkstone {
namespace {

// Hugging Face's tokenizers know the punctuation of Unicode 8, of which two characters have become
// others since.
bool is_unicode8_punctuation(UChar32 c) {
  if (c == 0x166D || c == 0x111C9) return true;
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] <= 8 && (U_GET_GC_MASK(c) & U_GC_P_MASK) != 0;
}

}  // namespace

bool ClassPreTokenizer::is_member(uint32_t code_point) const {
  if (members_ == Class::kNumber)
    return UnicodeClasses::instance()[code_point] == CharClass::kNumber;
  const auto c = static_cast<UChar32>(code_point);
  if (c < 0x80) return u_isgraph(c) && !u_isalnum(c);
  return is_unicode8_punctuation(c);
}

size_t ClassPreTokenizer::piece_end(std::string_view text, size_t at) const {
  if (const size_t end = invalid_run_end(text, at); end > at) return end;
  const bool inside = is_member(decode_utf8(text, at).code_point);
  for (size_t length = 0; at < text.size() && !(inside && length == max_length_); ++length) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok || is_member(step.code_point) != inside) break;
    at += static_cast<size_t>(step.size_bytes);
  }
  return at;
}

void ClassPreTokenizer::split(std::string_view text, const Take& take) const {
  split_by_piece_end(text, take, [&](size_t at) { return piece_end(text, at); });
}

bool ClassPreTokenizer::is_cut(std::string_view text, size_t at) const {
  const auto before = static_cast<uint8_t>(text[at - 1]), after = static_cast<uint8_t>(text[at]);
  if (before >= 0x80 || after >= 0x80) return false;
  return is_member(before) != is_member(after);
}

}  // namespace inkstone
