#include "corpus/read/converter.h"

#include <unicode/ucnv_cb.h>
#include <unicode/utf16.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace inkstone {
namespace {

struct PrivateUse {
  char16_t number;
  std::u16string_view character;
};

// ICU decodes by older editions. Sources: HKSCS-2004, as Python's codec big5hkscs has it; GB
// 18030-2022, annex.
constexpr PrivateUse kPrivateUse[] = {
    {0xE78D, u"\uFE10"},       {0xE78E, u"\uFE12"},       {0xE78F, u"\uFE11"},
    {0xE790, u"\uFE13"},       {0xE791, u"\uFE14"},       {0xE792, u"\uFE15"},
    {0xE793, u"\uFE16"},       {0xE794, u"\uFE17"},       {0xE795, u"\uFE18"},
    {0xE796, u"\uFE19"},       {0xE81E, u"\u9FB4"},       {0xE826, u"\u9FB5"},
    {0xE82B, u"\u9FB6"},       {0xE82C, u"\u9FB7"},       {0xE832, u"\u9FB8"},
    {0xE843, u"\u9FB9"},       {0xE854, u"\u9FBA"},       {0xE864, u"\u9FBB"},
    {0xF303, u"\u31C0"},       {0xF304, u"\u31C1"},       {0xF305, u"\u31C2"},
    {0xF306, u"\u31C3"},       {0xF307, u"\u31C4"},       {0xF309, u"\u31C5"},
    {0xF30C, u"\u31C6"},       {0xF30D, u"\u31C7"},       {0xF310, u"\u31C8"},
    {0xF312, u"\u31C9"},       {0xF313, u"\u31CA"},       {0xF314, u"\u31CB"},
    {0xF315, u"\u31CC"},       {0xF317, u"\u31CD"},       {0xF318, u"\u31CE"},
    {0xF325, u"\u00CA\u0304"}, {0xF327, u"\u00CA\u030C"}, {0xF344, u"\u00EA\u0304"},
    {0xF346, u"\u00EA\u030C"}, {0xF34A, u"\u23DA"},       {0xF34B, u"\u23DB"},
    {0xF57A, u"\u9FA6"},       {0xF5A4, u"\u9FA7"},       {0xF5AB, u"\u9FA8"},
    {0xF5CC, u"\u9FA9"},       {0xF5CE, u"\u9FAA"},       {0xF5D0, u"\u9FAB"},
    {0xF5D5, u"\u9FAC"},       {0xF5EC, u"\u9FAD"},       {0xF5ED, u"\u9FAE"},
    {0xF5EF, u"\u9FAF"},       {0xF602, u"\u9FB2"},       {0xF61C, u"\u9FB3"},
    {0xF7E5, u"\u31CF"},       {0xF7EB, u"\u9FB0"},       {0xF7ED, u"\u9FB1"},
};
static_assert(std::is_sorted(std::begin(kPrivateUse), std::end(kPrivateUse),
                             [](const auto& a, const auto& b) { return a.number < b.number; }));

bool is_private_use(char16_t unit) { return unit >= 0xE000 && unit < 0xF900; }

// Empty where there is none.
std::u16string_view character_of(char16_t number) {
  const auto found = std::lower_bound(
      std::begin(kPrivateUse), std::end(kPrivateUse), number,
      [](const PrivateUse& entry, char16_t n) { return entry.number < n; });
  return found != std::end(kPrivateUse) && found->number == number ? found->character
                                                                   : std::u16string_view();
}

void replace_sequence(const void* count, UConverterToUnicodeArgs* arguments, const char*, int32_t,
                      UConverterCallbackReason reason, UErrorCode* error) {
  if (reason > UCNV_IRREGULAR) return;  // a notice, not a sequence
  *error = U_ZERO_ERROR;
  ++*static_cast<int64_t*>(const_cast<void*>(count));
  const UChar replacement = 0xFFFD;
  ucnv_cbToUWriteUChars(arguments, &replacement, 1, 0, error);
}

bool is_of_unicode(UConverter* converter) {
  switch (ucnv_getType(converter)) {
    case UCNV_SBCS:
    case UCNV_DBCS:
    case UCNV_MBCS:
    case UCNV_LATIN_1:
    case UCNV_US_ASCII:
    case UCNV_EBCDIC_STATEFUL:
    case UCNV_ISO_2022:
    case UCNV_HZ:
    case UCNV_COMPOUND_TEXT: return false;
    default: return true;
  }
}

// Units of UTF-16; pairs of surrogates are whole.
void append_utf16(std::u16string_view text, std::string& out) {
  const size_t old = out.size();
  out.resize(old + 3 * text.size());
  int32_t size = 0;
  UErrorCode error = U_ZERO_ERROR;
  u_strToUTF8WithSub(out.data() + old, static_cast<int32_t>(3 * text.size()), &size, text.data(),
                     static_cast<int32_t>(text.size()), 0xFFFD, nullptr, &error);
  if (U_FAILURE(error)) fail(ErrorCode::kInternal, "converting to UTF-8: {}", u_errorName(error));
  out.resize(old + static_cast<size_t>(size));
}

}  // namespace

ConverterHandle open_converter(const std::string& encoding) {
  UErrorCode error = U_ZERO_ERROR;
  ConverterHandle converter(ucnv_open(encoding.c_str(), &error), &ucnv_close);
  if (U_FAILURE(error) || encoding.empty()) {
    fail(ErrorCode::kUsage,
         "there is no encoding '{}'; give a name such as UTF-8, GB18030, Big5 or Shift_JIS",
         encoding);
  }
  return converter;
}

Converter::Converter(const std::string& encoding)
    : from_(open_converter(encoding)), has_private_use_(is_of_unicode(from_.get())) {
  UErrorCode error = U_ZERO_ERROR;
  ucnv_setToUCallBack(from_.get(), &replace_sequence, &replaced_, nullptr, nullptr, &error);
}

void Converter::add(std::string_view bytes, bool is_end, std::string& out) {
  std::array<char16_t, 4096> units;
  const char *from = bytes.data(), *const from_end = from + bytes.size();
  for (bool full = true; full;) {
    UErrorCode error = U_ZERO_ERROR;
    units[0] = lead_;
    char16_t* to = units.data() + (lead_ != 0 ? 1 : 0);
    ucnv_toUnicode(from_.get(), &to, units.data() + units.size(), &from, from_end, nullptr, is_end,
                   &error);
    full = error == U_BUFFER_OVERFLOW_ERROR;
    if (U_FAILURE(error) && !full)
      fail(ErrorCode::kInternal, "converting to UTF-8: {}", u_errorName(error));
    const bool cuts_pair = to > units.data() && U16_IS_LEAD(to[-1]) && (full || !is_end);
    lead_ = cuts_pair ? *--to : u'\0';
    append({units.data(), static_cast<size_t>(to - units.data())}, out);
  }
}

void Converter::append(std::u16string_view text, std::string& out) {
  if (has_private_use_) return append_utf16(text, out);
  for (size_t at = 0; at < text.size();) {
    const size_t end = static_cast<size_t>(
        std::find_if(text.begin() + static_cast<ptrdiff_t>(at), text.end(), is_private_use) -
        text.begin());
    append_utf16(text.substr(at, end - at), out);
    at = end;
    if (at == text.size()) break;
    const std::u16string_view character = character_of(text[at++]);
    if (character.empty()) ++replaced_;
    append_utf16(character.empty() ? u"\uFFFD" : character, out);
  }
}

}  // namespace inkstone
