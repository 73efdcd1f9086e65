#include "tokenizer/normalizing_encoder.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <limits>
#include <string>

#include "base/error.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

void check(UErrorCode status) {
  if (U_FAILURE(status)) fail(ErrorCode::kInternal, "ICU's NFC failed: {}", u_errorName(status));
}

// Hugging Face's tokenizers normalise by Unicode 9 (unicode-normalization-alignments 0.1.12):
// characters that are younger stay where they are and as they are.
const icu::Normalizer2& unicode9_nfc() {
  static const icu::FilteredNormalizer2 kNfc = [] {
    UErrorCode status = U_ZERO_ERROR;
    static const icu::UnicodeSet kUnicode9(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status);
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
    check(status);
    return icu::FilteredNormalizer2(*nfc, kUnicode9);
  }();
  return kNfc;
}

// `text` is valid UTF-8.
void append_nfc(std::string_view text, std::string& out) {
  if (text.size() > std::numeric_limits<int32_t>::max()) {
    fail(ErrorCode::kUnsupported, "a text of {} bytes cannot be normalised (NFC), at most 2 GiB",
         text.size());
  }
  UErrorCode status = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(&out);
  unicode9_nfc().normalizeUTF8(0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr,
                               status);
  check(status);
}

std::string to_nfc(std::string_view text) {
  std::string out;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    const auto size = static_cast<size_t>(step.size_bytes);
    if (!step.ok) {
      append_nfc(text.substr(begin, at - begin), out);
      out += text.substr(at, size);
      begin = at + size;
    }
    at += size;
  }
  append_nfc(text.substr(begin), out);
  return out;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<uint8_t>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

void NormalizingEncoder::encode(std::string_view text, EncodeScratch& scratch,
                                std::vector<TokenId>& out) const {
  const bool changes = is_nfc_ && !is_ascii(text);
  const bool lacks_space = add_prefix_space_ && !text.empty() && text[0] != ' ';
  if (!changes && !lacks_space) return encoder_->encode(text, scratch, out);
  std::string changed = lacks_space ? " " : "";
  changed += changes ? to_nfc(text) : std::string(text);
  encoder_->encode(changed, scratch, out);
}

}  // namespace inkstone
