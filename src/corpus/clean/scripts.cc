#include "corpus/clean/scripts.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <cstdint>

#include "base/error.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

UScriptCode script_named(const std::string& name) {
  const int32_t code = u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str());
  if (code == UCHAR_INVALID_CODE) {
    fail(ErrorCode::kUsage,
         "there is no script '{}'; give names of Unicode such as Latin, Han, Hiragana, Cyrillic, "
         "Arabic",
         name);
  }
  return static_cast<UScriptCode>(code);
}

}  // namespace

ScriptShare::ScriptShare(const std::vector<std::string>& names)
    : wanted_(static_cast<size_t>(u_getIntPropertyMaxValue(UCHAR_SCRIPT)) + 1) {
  for (const std::string& name : names) wanted_.at(static_cast<size_t>(script_named(name))) = true;
}

double ScriptShare::operator()(std::string_view text) const {
  int64_t letters = 0, wanted = 0;
  const auto count = [&](int32_t script) {
    ++letters;
    if (wanted_[static_cast<size_t>(script)]) ++wanted;
  };
  for (size_t at = 0; at < text.size();) {
    const char ascii = static_cast<char>(text[at] | 0x20);
    if (ascii >= 'a' && ascii <= 'z') count(USCRIPT_LATIN);
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    at += static_cast<size_t>(step.size_bytes);
    const auto c = static_cast<UChar32>(step.code_point);
    if (!step.ok || (U_GET_GC_MASK(c) & U_GC_L_MASK) == 0) continue;
    const int32_t script = u_getIntPropertyValue(c, UCHAR_SCRIPT);
    if (script != USCRIPT_COMMON && script != USCRIPT_INHERITED) count(script);
  }
  return letters == 0 ? 0.0 : static_cast<double>(wanted) / static_cast<double>(letters);
}

}  // namespace inkstone
