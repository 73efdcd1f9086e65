#include "corpus/clean/drop_reason.h"

#include "base/check.h"
#include "base/message.h"

namespace inkstone {

std::string_view name(DropReason reason) {
  switch (reason) {
    case DropReason::kNone: return "kept";
    case DropReason::kInvalidUtf8: return marked("invalid UTF-8");
    case DropReason::kBlank: return marked("blank");
    case DropReason::kTooShort: return marked("too short");
    case DropReason::kTooLong: return marked("too long");
    case DropReason::kScript: return marked("other script");
    case DropReason::kLanguage: return marked("other language");
    case DropReason::kWordCount: return marked("number of words (Gopher)");
    case DropReason::kMeanWordLength: return marked("mean word length (Gopher)");
    case DropReason::kSymbols: return marked("symbols (Gopher)");
    case DropReason::kBulletLines: return marked("bullet lines (Gopher)");
    case DropReason::kEllipsisLines: return marked("ellipsis lines (Gopher)");
    case DropReason::kWordsWithoutLetters: return marked("words without letters (Gopher)");
    case DropReason::kStopWords: return marked("stop words (Gopher)");
    case DropReason::kRepeatedLines: return marked("repeated lines (Gopher)");
    case DropReason::kRepeatedParagraphs: return marked("repeated paragraphs (Gopher)");
    case DropReason::kFrequentNgram: return marked("frequent n-gram (Gopher)");
    case DropReason::kRepeatedNgrams: return marked("repeated n-grams (Gopher)");
    case DropReason::kLoremIpsum: return marked("lorem ipsum (C4)");
    case DropReason::kCurlyBracket: return marked("curly bracket (C4)");
    case DropReason::kFewSentences: return marked("few sentences (C4)");
    case DropReason::kLinesWithoutPunctuation: return marked("lines without punctuation (FineWeb)");
    case DropReason::kShortLines: return marked("short lines (FineWeb)");
    case DropReason::kRepeatedLineCharacters: return marked("repeated lines (FineWeb)");
    case DropReason::kNoRecord: return marked("text, and records with a completion are wanted");
    case DropReason::kCount_: break;
  }
  INK_CHECK(false, "no such reason");
}

}  // namespace inkstone
