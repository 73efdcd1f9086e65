#include "corpus/clean/convert_chinese.h"

#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

using Transliteration = std::unique_ptr<icu::Transliterator>;

// An instance of our own: those of ICU's registry share their rules, and a lock with them.
Transliteration open_transliteration(ChineseConversion conversion) {
  const bool simplifies = conversion == ChineseConversion::kSimplified;
  const icu::UnicodeString id(simplifies ? "Hant-Hans" : "Hans-Hant");
  UErrorCode error = U_ZERO_ERROR;
  const Transliteration shared(icu::Transliterator::createInstance(id, UTRANS_FORWARD, error));
  Transliteration own;
  if (U_SUCCESS(error) && shared) {
    icu::UnicodeString rules;
    shared->toRules(rules, true);
    UParseError where{};
    own.reset(icu::Transliterator::createFromRules(id, rules, UTRANS_FORWARD, where, error));
  }
  if (U_FAILURE(error) || !own) {
    fail(ErrorCode::kUnsupported,
         "this system's ICU cannot convert between traditional and simplified Chinese ({})",
         u_errorName(error));
  }
  return own;
}

bool is_ascii_byte(char c) { return static_cast<uint8_t>(c) < 0x80; }

}  // namespace

struct ChineseConverter::Rules {
  ChineseConversion conversion;
  Transliteration transliteration;
  icu::UnicodeString units;
};

ChineseConverter::ChineseConverter() = default;
ChineseConverter::~ChineseConverter() = default;
ChineseConverter::ChineseConverter(ChineseConverter&&) noexcept = default;
ChineseConverter& ChineseConverter::operator=(ChineseConverter&&) noexcept = default;

void ChineseConverter::operator()(std::string& text, std::string& spare,
                                  ChineseConversion conversion) {
  if (conversion == ChineseConversion::kNone ||
      std::all_of(text.begin(), text.end(), is_ascii_byte))
    return;
  if (!rules_ || rules_->conversion != conversion)
    rules_ = std::make_unique<Rules>(Rules{conversion, open_transliteration(conversion), {}});
  spare.clear();
  const std::string_view view = text;
  for (size_t at = 0; at < view.size();) {
    const size_t end = std::min(view.find('\n', at), view.size() - 1) + 1;
    const std::string_view line = view.substr(at, end - at);
    at = end;
    if (std::all_of(line.begin(), line.end(), is_ascii_byte) || !is_valid_utf8(line)) {
      spare += line;
      continue;
    }
    rules_->units = icu::UnicodeString::fromUTF8({line.data(), static_cast<int32_t>(line.size())});
    rules_->transliteration->transliterate(rules_->units);
    rules_->units.toUTF8String(spare);
  }
  text.swap(spare);
}

}  // namespace inkstone
