#include <cstdio>  // CLD2 declares a function of FILE without it

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/clean/scripts.h"

namespace inkstone {
namespace {

constexpr size_t kJudged_bytes = size_t{1} << 20;
constexpr std::string_view kSimplifiedChinese = "zh-Hans";

// CLD2 stops at what is not "interchange-valid": controls, unassigned and private characters. All
// but letters, marks, numbers and punctuation becomes a space.
void keep_interchangeable(std::string_view text, std::string& out) {
  constexpr uint32_t kKept = U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK | U_GC_P_MASK;
  out.clear();
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    const bool kept = step.ok &&
                      (U_GET_GC_MASK(static_cast<UChar32>(step.code_point)) & kKept) != 0;
    out.append(kept ? text.substr(at, static_cast<size_t>(step.size_bytes)) : " ");
    at += static_cast<size_t>(step.size_bytes);
  }
}

// CLD2 guesses when it does not know a code ("xxx"), and gives scripts without a language codes
// such as "xx-Zyyy".
void check_code(const std::string& code) {
  if (code == kSimplifiedChinese) return;
  const CLD2::Language language = CLD2::GetLanguageFromName(code.c_str());
  const bool known = language != CLD2::UNKNOWN_LANGUAGE && code == CLD2::LanguageCode(language);
  if (known && !code.starts_with("xx")) return;
  fail(ErrorCode::kUsage,
       "there is no language '{}'; give ISO 639-1 codes such as en, zh (or zh-Hans, "
       "zh-Hant), de",
       code);
}

// CLD2's "zh" is Chinese in simplified characters, and "zh-Hant" in traditional ones; "zh" means
// both.
bool means(std::string_view wanted, std::string_view code) {
  if (wanted == kSimplifiedChinese) return code == "zh";
  return code == wanted || (code.starts_with(wanted) && code[wanted.size()] == '-');
}

}  // namespace

LanguageShare::LanguageShare(const std::vector<std::string>& codes) : codes_(codes) {
  for (const std::string& code : codes_) check_code(code);
}

double LanguageShare::operator()(std::string_view text, std::string& spare) const {
  keep_interchangeable(text.substr(0, kJudged_bytes), spare);
  const CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  std::array<CLD2::Language, 3> languages{};
  std::array<int, 3> percents{};
  std::array<double, 3> scores{};
  int text_bytes = 0, valid_bytes = 0;
  bool is_reliable = false;
  CLD2::ExtDetectLanguageSummaryCheckUTF8(
      spare.data(), static_cast<int>(spare.size()), true, &hints, 0, languages.data(),
      percents.data(), scores.data(), nullptr, &text_bytes, &is_reliable, &valid_bytes);
  int percent = 0;
  for (size_t i = 0; i < languages.size(); ++i) {
    const std::string_view code = CLD2::LanguageCode(languages[i]);
    const bool wanted = std::any_of(codes_.begin(), codes_.end(),
                                    [&](const auto& c) { return means(c, code); });
    if (wanted) percent += percents[i];
  }
  return percent / 100.0;
}

}  // namespace inkstone
