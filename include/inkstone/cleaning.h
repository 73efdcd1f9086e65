// Cleaning of documents, and the decision which of them are text worth learning from.
// docs/cleaning.md is the list of all steps with their thresholds and sources.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inkstone {

// What becomes of invalid UTF-8; it is counted in every case.
enum class InvalidText {
  kKeep,     // the bytes stay
  kReplace,  // each maximal invalid sequence becomes one U+FFFD (Unicode 15, section 3.9)
  kDrop,     // the document is dropped
};

// Unicode normalisation forms.
enum class Normalization {
  kNone,
  kNfc,  // canonical composition: one spelling of what looks the same
  // Compatibility composition too: ligatures, full-width forms, superscripts lose their form, and
  // the full-width ，：！？ of Chinese text become those of ASCII.
  kNfkc,
  // The same, but East Asian punctuation stays: full-width forms that are no letters and digits,
  // the ideographic space, ellipses, vertical and small forms.
  kNfkcCjk,
};

// How Chinese is written.
enum class ChineseConversion {
  kNone,
  kSimplified,   // from traditional characters, by ICU's transliterator Hant-Hans
  kTraditional,  // from simplified ones, by Hans-Hant: by words it knows, else by characters
};

// The rules of the published corpora; docs/cleaning.md lists each with its threshold.
enum class QualityRules {
  kNone,
  kGopher,  // Rae et al. 2021, arXiv:2112.11446, appendix A.1.1: quality and repetition
  // Raffel et al. 2020, arXiv:1910.10683, section 2.2: lines and pages; not its list of bad words.
  kC4,
  // Penedo et al. 2024, arXiv:2406.17557, section 3: kGopher, kC4 but for the lines' last mark, its
  // own.
  kFineWeb,
};

// The steps, in the order in which they happen. The default repairs characters and drops nothing
// but what is blank.
struct CleanOptions {
  InvalidText invalid = InvalidText::kReplace;
  bool line_ends = true;
  bool control_characters = true;
  Normalization normalization = Normalization::kNone;
  ChineseConversion conversion = ChineseConversion::kNone;
  bool strip_boilerplate = false;              // lines about cookies, JavaScript and the like
  bool repeated_lines = false;                 // lines that the document has already
  int64_t min_characters = 0;                  // code points after all of the above
  int64_t max_characters = 0;                  // 0: no limit
  std::vector<std::string> keep_scripts = {};  // "Latin", "Han", ...; empty: all
  double script_fraction = 0.5;                // of the letters, at least, in those scripts
  // "en", "zh", "zh-Hans", "zh-Hant", ...; empty: all
  std::vector<std::string> languages = {};
  double language_fraction = 0.5;  // of the text, at least, in those languages
  // Of C4 and FineWeb, the lines' rules happen with the lines.
  QualityRules quality = QualityRules::kNone;
};

// All bytes stay: for text that is to be learnt from as it is.
inline const CleanOptions kNoCleaning = {
    .invalid = InvalidText::kKeep, .line_ends = false, .control_characters = false};

// What cleaning did to characters.
struct CharacterCounts {
  int64_t invalid_sequences = 0;   // found
  int64_t line_ends = 0;           // changed to \n
  int64_t control_characters = 0;  // removed
};

// MinHash for near-duplicates. The defaults are FineWeb's (Penedo et al. 2024, arXiv:2406.17557,
// section 3.4): 112 hashes in 14 bands of 8.
struct MinHashOptions {
  int shingle_words = 5;
  int bands = 14;
  int rows = 8;  // hashes per band
};

}  // namespace inkstone
