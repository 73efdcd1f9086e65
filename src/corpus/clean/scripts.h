// Scripts and languages of a text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

// Which share of a text's letters is written in given scripts. Immutable.
class ScriptShare {
 public:
  // Names as Unicode's: "Latin", "Han", "Hiragana", or ISO 15924 codes "Latn", "Hani" in any case.
  // Throws kUsage for an unknown one.
  explicit ScriptShare(const std::vector<std::string>& names);

  // Letters (general category L) of the scripts over all letters that have a script of their own
  // (neither Common nor Inherited), 0 to 1; 0 when there is no letter.
  double operator()(std::string_view text) const;

 private:
  std::vector<bool> wanted_;  // by UScriptCode
};

// Which share of a text is written in given languages. Immutable. Source: Compact Language
// Detector 2.
class LanguageShare {
 public:
  // ISO 639-1 codes that CLD2 knows: "en", "zh" (both ways of writing; "zh-Hans" is the
  // simplified one alone, "zh-Hant" the traditional one). Throws kUsage for an unknown one.
  explicit LanguageShare(const std::vector<std::string>& codes);

  // 0 to 1, in percents, judged by the first MiB; text too short to tell has no language. `spare`
  // lends its memory.
  double operator()(std::string_view text, std::string& spare) const;

 private:
  std::vector<std::string> codes_;
};

}  // namespace inkstone
