// The second reading of a corpus: the documents that are kept become tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "corpus/prepare/checkpoints.h"
#include "corpus/prepare/corpus_reader.h"
#include "corpus/prepare/dropped_log.h"
#include "corpus/prepare/plan.h"
#include "corpus/prepare/scan.h"
#include "corpus/prepare/split_writer.h"
#include "inkstone/prepare.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// What the encoder counts on the way.
struct EncodedTotals {
  SplitReport train, val;              // without the shards
  std::vector<int64_t> token_counts;   // by id
  std::vector<int64_t> token_lengths;  // PrepareReport::token_lengths
  int64_t documents = 0;               // that have passed by, those that are dropped included
  int64_t shared_tokens = 0;           // RecordsReport::shared_tokens
};

struct SplitWriters {
  SplitWriter train, val;

  SplitWriter& operator[](Fate fate) { return fate == Fate::kValidation ? val : train; }
};

// Bytes of the input that have been read, and tokens that have been written.
using OnEncoded = std::function<void(int64_t bytes, int64_t tokens)>;

struct EncodeTask {
  const std::vector<CorpusFile>& files;
  const PrepareOptions& options;
  const Tokenizer& tokenizer;
  Plan& plan;  // its fates are read
  const ScanFiles& scanned;
  const ScanTotals& totals;             // of the scan: kept in the checkpoints
  const TurnTemplate* turns = nullptr;  // of conversations; nullptr: there are none
};

// Reads the files again, cleans and encodes on all threads, and writes in the order read, whatever
// their number. Goes on from checkpoints.found() if that is of this stage; the writers must come
// from there too. Throws kInputOutput when a file is not what it was when it was scanned.
EncodedTotals encode_corpus(const EncodeTask& task, SplitWriters& writers, Checkpoints& checkpoints,
                            DroppedLog& dropped, const OnEncoded& on_encoded);

}  // namespace inkstone
