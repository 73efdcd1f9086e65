#include "tokenizer/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <cstdint>
#include <limits>

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
    static icu::UnicodeSet unicode9(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status);
    unicode9.freeze();  // looked up by every character
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
    check(status);
    return icu::FilteredNormalizer2(*nfc, unicode9);
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

}  // namespace

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

}  // namespace inkstone
