#include "cli/terminal/encoding.h"

#include <langinfo.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/utf16.h>

#include <clocale>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"

namespace inkstone::cli {
namespace {

constexpr std::string_view kAscii = "ANSI_X3.4-1968";  // what glibc calls it

std::string asked_locale() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return value;
  }
  return "C";
}

using Converter = std::unique_ptr<UConverter, decltype(&ucnv_close)>;

Converter open_converter(const std::string& name) {
  UErrorCode error = U_ZERO_ERROR;
  // GB2312 as it is used: its extension GBK (WHATWG's Encoding Standard does the same).
  Converter converter(ucnv_open(name == "GB2312" ? "GBK" : name.c_str(), &error), &ucnv_close);
  if (U_FAILURE(error)) {
    fail(ErrorCode::kUnsupported,
         "the locale's encoding '{}' is not known: set LC_ALL=C.UTF-8 and the terminal to UTF-8",
         name);
  }
  return converter;
}

// For ICU's calls with bytes that are no character: U+FFFD, and the flag.
void on_undecodable(const void* flag, UConverterToUnicodeArgs* arguments, const char*, int32_t,
                    UConverterCallbackReason reason, UErrorCode* error) {
  if (reason > UCNV_IRREGULAR) return;
  *static_cast<bool*>(const_cast<void*>(flag)) = true;
  *error = U_ZERO_ERROR;
  constexpr UChar kReplacement = 0xFFFD;
  ucnv_cbToUWriteUChars(arguments, &kReplacement, 1, 0, error);
}

// For characters that the encoding lacks: the substitute, and the flag.
void on_unencodable(const void* flag, UConverterFromUnicodeArgs* arguments, const UChar* units,
                    int32_t length, UChar32 code_point, UConverterCallbackReason reason,
                    UErrorCode* error) {
  if (reason <= UCNV_IRREGULAR) *static_cast<bool*>(const_cast<void*>(flag)) = true;
  UCNV_FROM_U_CALLBACK_SUBSTITUTE(nullptr, arguments, units, length, code_point, reason, error);
}

std::string utf8_of(const std::u16string& utf16) {
  std::string text;
  const auto size = static_cast<int32_t>(utf16.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c = 0;
    U16_NEXT(utf16.data(), i, size, c);
    append_utf8(text, U_IS_SURROGATE(c) ? 0xFFFD : static_cast<uint32_t>(c));
  }
  return text;
}

std::u16string utf16_of(std::string_view utf8) {
  std::u16string text;
  for (size_t at = 0; at < utf8.size();) {
    const Utf8Step step = decode_utf8(utf8, at);
    at += static_cast<size_t>(step.size_bytes);
    const uint32_t c = step.ok ? step.code_point : 0xFFFD;
    if (c > 0xFFFF) text += static_cast<char16_t>(U16_LEAD(c));
    text += static_cast<char16_t>(c > 0xFFFF ? U16_TRAIL(c) : c);
  }
  return text;
}

}  // namespace

void use_locale() {
  const bool taken = std::setlocale(LC_CTYPE, "") != nullptr;
  if (!taken || nl_langinfo(CODESET) == kAscii) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string locale_encoding() {
  const std::string codeset = nl_langinfo(CODESET);
  return codeset == kAscii ? "UTF-8" : codeset;
}

std::optional<std::string> missing_locale() {
  const locale_t locale = ::newlocale(LC_CTYPE_MASK, "", locale_t{});
  if (locale != locale_t{}) {
    ::freelocale(locale);
    return std::nullopt;
  }
  const std::string name = asked_locale();
  const size_t dot = name.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::string codeset = name.substr(dot + 1, name.find('@', dot) - dot - 1);
  return ucnv_compareNames(codeset.c_str(), "UTF-8") == 0 ? std::nullopt : std::optional(name);
}

struct Encoding::Impl {
  explicit Impl(const std::string& n) : name(n), out(open_converter(n)), in(open_converter(n)) {
    UErrorCode error = U_ZERO_ERROR;
    ucnv_setSubstString(out.get(), u"?", 1, &error);
    ucnv_setFromUCallBack(out.get(), on_unencodable, &unencodable, nullptr, nullptr, &error);
    ucnv_setToUCallBack(in.get(), on_undecodable, &undecodable, nullptr, nullptr, &error);
    utf8 = ucnv_getType(out.get()) == UCNV_UTF8;
    INK_CHECK(U_SUCCESS(error), "ICU's converter takes no settings");
  }

  std::string name;
  Converter out, in;
  bool utf8 = false;
  bool unencodable = false, undecodable = false;
};

Encoding::Encoding(const std::string& name) : impl_(std::make_unique<Impl>(name)) {}
Encoding::~Encoding() = default;

const std::string& Encoding::name() const { return impl_->name; }

std::string Encoding::encode(std::string_view utf8) {
  if (impl_->utf8) return std::string(utf8);
  const std::u16string text = utf16_of(utf8);
  std::string bytes(8 * text.size() + 16, '\0');
  UErrorCode error = U_ZERO_ERROR;
  const int32_t size = ucnv_fromUChars(impl_->out.get(), bytes.data(),
                                       static_cast<int32_t>(bytes.size()), text.data(),
                                       static_cast<int32_t>(text.size()), &error);
  INK_CHECK(U_SUCCESS(error), "a character takes more than 8 bytes");
  bytes.resize(static_cast<size_t>(size));
  return bytes;
}

std::string Encoding::decode(std::string_view bytes) {
  std::u16string text;
  const char *from = bytes.data(), *end = from + bytes.size();
  UErrorCode error = U_BUFFER_OVERFLOW_ERROR;
  while (error == U_BUFFER_OVERFLOW_ERROR) {
    error = U_ZERO_ERROR;
    UChar some[1024], *to = some;
    ucnv_toUnicode(impl_->in.get(), &to, some + std::size(some), &from, end, nullptr, false,
                   &error);
    text.append(some, to);
  }
  INK_CHECK(U_SUCCESS(error), "ICU does not decode what was typed");
  return utf8_of(text);
}

bool Encoding::take_unencodable() { return std::exchange(impl_->unencodable, false); }
bool Encoding::take_undecodable() { return std::exchange(impl_->undecodable, false); }

}  // namespace inkstone::cli
