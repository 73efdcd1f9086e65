// Published rules that tell a document of text from lists, spam and the debris of web pages.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "corpus/clean/drop_reason.h"
#include "corpus/clean/hash_counts.h"
#include "corpus/clean/scripts.h"
#include "corpus/clean/words.h"
#include "inkstone/cleaning.h"

namespace inkstone {

// Judges documents after their lines have been dropped. Immutable, thread-safe.
class QualityFilter {
 public:
  // Memory that it uses from one document to the next.
  struct Scratch {
    std::vector<Word> words;
    std::vector<uint64_t> ngrams;
    HashCounts counts;
  };

  // english_stop_words: Gopher's rule of English words applies (to texts that are mostly Latin).
  QualityFilter(QualityRules rules, bool english_stop_words);

  // kNone, or the first rule that the text breaks.
  DropReason judge(std::string_view text, Scratch& scratch) const;

 private:
  DropReason judge_gopher(std::string_view text, Scratch& scratch) const;

  QualityRules rules_;
  bool english_stop_words_;
  ScriptShare latin_;
};

}  // namespace inkstone
