// Cleaning of documents by all steps of inkstone/cleaning.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corpus/clean/characters.h"
#include "corpus/clean/convert_chinese.h"
#include "corpus/clean/drop_reason.h"
#include "corpus/clean/lines.h"
#include "corpus/clean/normalize.h"
#include "corpus/clean/quality.h"
#include "corpus/clean/scripts.h"
#include "inkstone/cleaning.h"

namespace inkstone {

struct CleanResult {
  DropReason reason = DropReason::kNone;
  CharacterCounts characters;
  int64_t lines_removed = 0;

  bool kept() const { return reason == DropReason::kNone; }
};

// Cleans documents. Immutable: any number of threads may share it, each with a Scratch of its own.
// The result depends on the document and the options alone.
//
// Cleaning what has been cleaned changes nothing and keeps it: each step leaves text on which it
// does nothing again, and undoes none before it. (Two exceptions: InvalidText::kKeep, see
// clean_characters; and ChineseConversion, which knows the words of the other way of writing
// alone.)
class Cleaner {
 public:
  // Memory that is used again from one document to the next: a few times the longest document.
  struct Scratch {
    std::string spare;
    ChineseConverter chinese;
    LineScratch lines;
    QualityFilter::Scratch quality;
  };

  // Throws kUsage for limits that contradict each other, fractions outside [0, 1], and unknown
  // scripts and languages.
  explicit Cleaner(CleanOptions options);

  const CleanOptions& options() const { return options_; }

  // True if a step looks at a whole document, so that clean_piece does not do all that clean does.
  bool needs_whole_documents() const;

  // Cleans a whole document in place. If it is dropped, `text` holds what the steps before left of
  // it.
  CleanResult clean(std::string& text, Scratch& scratch) const;

  // Cleans a part of a document that is too long to hold, by the steps that look at no whole
  // document: invalid text (for kDrop: counted alone), line ends, control characters,
  // normalisation, conversion. Cut before an ASCII white space character whose predecessor is none
  // (as DocumentReader does), the pieces give what the document gives.
  CleanResult clean_piece(std::string& text, Scratch& scratch) const;

 private:
  DropReason judge(std::string_view text, Scratch& scratch) const;
  DropReason judge_length(std::string_view text) const;

  CleanOptions options_;
  LineRules lines_;
  std::optional<ScriptShare> scripts_;
  std::optional<LanguageShare> languages_;
  QualityFilter quality_;
};

}  // namespace inkstone
