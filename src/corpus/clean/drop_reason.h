// Why cleaning drops a document.
#pragma once

#include <cstdint>
#include <string_view>

namespace inkstone {

enum class DropReason : uint8_t {
  kNone,  // kept
  kInvalidUtf8,
  kBlank,
  kTooShort,
  kTooLong,
  kScript,
  kLanguage,
  // Gopher, quality
  kWordCount,
  kMeanWordLength,
  kSymbols,
  kBulletLines,
  kEllipsisLines,
  kWordsWithoutLetters,
  kStopWords,
  // Gopher, repetition
  kRepeatedLines,
  kRepeatedParagraphs,
  kFrequentNgram,
  kRepeatedNgrams,
  // C4
  kLoremIpsum,
  kCurlyBracket,
  kFewSentences,
  // FineWeb
  kLinesWithoutPunctuation,
  kShortLines,
  kRepeatedLineCharacters,
  kNoRecord,
  kCount_,  // how many there are
};

// As reports print it: "too short", "repeated lines (Gopher)"; "kept" for kNone.
std::string_view name(DropReason reason);

}  // namespace inkstone
