#include "corpus/clean/drop_reason.h"

#include "base/check.h"

namespace inkstone {

std::string_view name(DropReason reason) {
  switch (reason) {
    case DropReason::kNone: return "kept";
    case DropReason::kInvalidUtf8: return "invalid UTF-8";
    case DropReason::kBlank: return "blank";
    case DropReason::kTooShort: return "too short";
    case DropReason::kTooLong: return "too long";
    case DropReason::kScript: return "other script";
    case DropReason::kLanguage: return "other language";
    case DropReason::kWordCount: return "number of words (Gopher)";
    case DropReason::kMeanWordLength: return "mean word length (Gopher)";
    case DropReason::kSymbols: return "symbols (Gopher)";
    case DropReason::kBulletLines: return "bullet lines (Gopher)";
    case DropReason::kEllipsisLines: return "ellipsis lines (Gopher)";
    case DropReason::kWordsWithoutLetters: return "words without letters (Gopher)";
    case DropReason::kStopWords: return "stop words (Gopher)";
    case DropReason::kRepeatedLines: return "repeated lines (Gopher)";
    case DropReason::kRepeatedParagraphs: return "repeated paragraphs (Gopher)";
    case DropReason::kFrequentNgram: return "frequent n-gram (Gopher)";
    case DropReason::kRepeatedNgrams: return "repeated n-grams (Gopher)";
    case DropReason::kLoremIpsum: return "lorem ipsum (C4)";
    case DropReason::kCurlyBracket: return "curly bracket (C4)";
    case DropReason::kFewSentences: return "few sentences (C4)";
    case DropReason::kLinesWithoutPunctuation: return "lines without punctuation (FineWeb)";
    case DropReason::kShortLines: return "short lines (FineWeb)";
    case DropReason::kRepeatedLineCharacters: return "repeated lines (FineWeb)";
    case DropReason::kCount_: break;
  }
  INK_CHECK(false, "no such reason");
}

}  // namespace inkstone
