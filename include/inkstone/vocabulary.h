// A vocabulary from text of any kind: what `inkstone tokenizer train` does, and `train` when it is
// given a text and no vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/cleaning.h"
#include "inkstone/message.h"
#include "inkstone/reading.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// A merge is called rare when its pair occurs less often than this in the training text: such a
// token is hardly learnt. A vocabulary is too large when more than a tenth is rare, which is a
// warning. Sizes below that were tried: docs/performance.md.
inline constexpr int64_t kRareMerge = 5;

struct VocabularyOptions {
  // As PrepareOptions has them, so that the vocabulary is learnt from the text that the model will
  // be given: cleaned, and filtered where that is asked for. Duplicates are not sought.
  std::vector<std::filesystem::path> inputs;
  ReadOptions read = {};
  CleanOptions clean = {};
  TokenizerTrainOptions train = {};
  // Share of the text, by content, that is not learnt from but given to on_sample; 0: on_sample
  // gets about one part in 64 of what is learnt from.
  double held_out = 0;
};

struct VocabularyReport {
  int64_t documents = 0;             // that were read and kept
  int64_t bytes = 0;                 // of these, cleaned; those held out included
  int64_t held_out_bytes = 0;        // not learnt from
  int64_t left_out = 0;              // documents, members and files
  std::vector<SourceFacts> sources;  // as in PrepareReport
  TokenizerTrainReport train;
  std::vector<Message> warnings;  // what a user should know, a sentence each
};

struct VocabularyProgress {
  int64_t bytes_done = 0, bytes_total = 0;  // of the inputs, as they lie on the disk; 0: unknown
  int64_t merges = 0, merges_wanted = 0;    // wanted: 0 while the text is read
};

// What a caller hears meanwhile, on the calling thread. Each may be empty.
struct VocabularyObserver {
  std::function<void(const VocabularyProgress&)> on_progress = {};
  std::function<void(const DroppedDocument&)> on_left_out = {};
  std::function<void(std::string_view text)> on_sample = {};  // parts of at most about 64 KiB
  // Asked now and then; true ends the call, which throws Interrupted (inkstone/prepare.h). There is
  // nothing to go on with.
  std::function<bool()> stop = {};
};

struct LearntVocabulary {
  Tokenizer tokenizer;
  VocabularyReport report;
};

// Reads the inputs once and learns from them (Tokenizer::train). The result does not depend on the
// number of threads. Throws kUsage, kNotFound (a missing input), kInvalidData (no text).
LearntVocabulary learn_vocabulary(const VocabularyOptions& options,
                                  const VocabularyObserver& observer = {});

}  // namespace inkstone
