#include "corpus/clean/cleaner.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

void check_fraction(const Message& option, double value) {
  if (value >= 0.0 && value <= 1.0) return;
  fail(ErrorCode::kUsage, "the {} is {}; it is a part of a whole, from 0 to 1", option, value);
}

CleanOptions checked(CleanOptions options) {
  check_fraction(marked("script fraction"), options.script_fraction);
  check_fraction(marked("language fraction"), options.language_fraction);
  const int64_t low = options.min_characters, high = options.max_characters;
  if (low < 0 || high < 0) {
    fail(ErrorCode::kUsage,
         "the limits of a document's length are {} and {} characters; none is negative", low, high);
  }
  if (high != 0 && low > high) {
    fail(ErrorCode::kUsage, "a document shall have at least {} and at most {} characters; none can",
         low, high);
  }
  return options;
}

LineRules line_rules(const CleanOptions& options) {
  const QualityRules quality = options.quality;
  return {.boilerplate = options.strip_boilerplate,
          .c4 = quality == QualityRules::kC4 || quality == QualityRules::kFineWeb,
          .c4_terminal_punctuation = quality == QualityRules::kC4,
          .repeated = options.repeated_lines};
}

// Gopher's stop words are English: whoever names languages without it wants no such rule.
bool wants_english(const CleanOptions& options) {
  const auto& languages = options.languages;
  return languages.empty() ||
         std::find(languages.begin(), languages.end(), "en") != languages.end();
}

}  // namespace

Cleaner::Cleaner(CleanOptions options)
    : options_(checked(std::move(options))),
      lines_(line_rules(options_)),
      quality_(options_.quality, wants_english(options_)) {
  if (!options_.keep_scripts.empty()) scripts_.emplace(options_.keep_scripts);
  if (!options_.languages.empty()) languages_.emplace(options_.languages);
}

bool Cleaner::needs_whole_documents() const {
  return options_.invalid == InvalidText::kDrop || lines_.any() || options_.min_characters > 0 ||
         options_.max_characters > 0 || scripts_ || languages_ ||
         options_.quality != QualityRules::kNone;
}

CleanResult Cleaner::clean_piece(std::string& text, Scratch& scratch) const {
  CleanResult result;
  clean_characters(text, scratch.spare,
                   {.invalid = options_.invalid,
                    .line_ends = options_.line_ends,
                    .control_characters = options_.control_characters},
                   result.characters);
  normalize(text, scratch.spare, options_.normalization);
  scratch.chinese(text, scratch.spare, options_.conversion);
  return result;
}

CleanResult Cleaner::clean(std::string& text, Scratch& scratch) const {
  CleanResult result = clean_piece(text, scratch);
  if (options_.invalid == InvalidText::kDrop && result.characters.invalid_sequences > 0) {
    result.reason = DropReason::kInvalidUtf8;
    return result;
  }
  result.lines_removed = drop_lines(text, lines_, scratch.lines);
  result.reason = judge(text, scratch);
  return result;
}

DropReason Cleaner::judge(std::string_view text, Scratch& scratch) const {
  if (trimmed(text).empty()) return DropReason::kBlank;
  if (const DropReason reason = judge_length(text); reason != DropReason::kNone) return reason;
  if (scripts_ && (*scripts_)(text) < options_.script_fraction) return DropReason::kScript;
  if (languages_ && (*languages_)(text, scratch.spare) < options_.language_fraction)
    return DropReason::kLanguage;
  return quality_.judge(text, scratch.quality);
}

DropReason Cleaner::judge_length(std::string_view text) const {
  if (options_.min_characters == 0 && options_.max_characters == 0) return DropReason::kNone;
  const int64_t characters = count_characters(text);
  if (characters < options_.min_characters) return DropReason::kTooShort;
  const bool too_long = options_.max_characters != 0 && characters > options_.max_characters;
  return too_long ? DropReason::kTooLong : DropReason::kNone;
}

}  // namespace inkstone
