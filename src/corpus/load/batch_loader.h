// Batches of training tokens from shards: memory-mapped, shuffled, addressed by step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "formats/token_shard.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// The tokens of one split (train_*.bin or val_*.bin) of a prepared folder as one long stream.
// Immutable: read() is safe from several threads.
class TokenStream {
 public:
  // split: "train" or "val". A folder without such shards gives an empty stream; a folder that is
  // not there throws kNotFound, a damaged shard kInvalidData. With a report.json of prepare, its
  // list of shards must agree with what is there, else kInvalidData; and a folder whose replacement
  // was interrupted is refused. vocab_size: read() refuses ids that are not below it; 0: below the
  // report's, if there is one.
  TokenStream(const std::filesystem::path& folder, const std::string& split,
              int64_t vocab_size = 0);
  int64_t count() const { return starts_.back(); }
  const std::filesystem::path& folder() const { return folder_; }
  // Copies tokens [begin, begin + out.size()), which must lie inside the stream. Throws
  // kInvalidData, naming the shard, on an id outside the vocabulary.
  void read(int64_t begin, std::span<TokenId> out) const;
  // Random access from the start; kSequential while one pass goes over all of it.
  void advise(MappedFile::Access access) const;

 private:
  std::filesystem::path folder_;
  std::vector<TokenShard> shards_;
  std::vector<int64_t> starts_ = {0};  // first token of each shard; the last entry is the total
  int64_t vocab_size_ = 0;             // 0: any id
};

// Windows that begin where documents begin. A document begins at the stream's first token and after
// every end-of-text token. Window 0 begins at token 0; the next one at the first document start at
// or after the end of the one before it (begin + T), except in a document of which a whole window
// or more is left there: that is gone on with, so that a long document is cut into windows from its
// start, and not lost but for its first T tokens. Targets are disjoint; fewer than T tokens are
// left out between two windows. Reason: docs/decisions/0007.
//
// One pass over the stream makes the index: 4 bytes per window, whatever the number of documents.
class DocumentWindows {
 public:
  // stream.count() >= 2, 1 <= context <= 2^24. Reads the stream with all threads. A stream shorter
  // than T + 1 has one window, which is the whole stream. Throws kInvalidData when an id lies
  // outside the vocabulary.
  DocumentWindows(const TokenStream& stream, int64_t context, TokenId end_of_text,
                  ThreadPool& pool);
  int64_t count() const { return static_cast<int64_t>(excess_.size()); }
  // First token of window i, 0 <= i < count(); ascending. Constant time.
  int64_t begin(int64_t i) const;
  // Inputs of a window: T, or less when the stream is shorter.
  int64_t length() const { return length_; }
  // End-of-text tokens in the stream; 0: it is one document.
  int64_t ends() const { return ends_; }

 private:
  void add(int64_t begin);
  int64_t go_on(int64_t begin, int64_t end);

  int64_t length_, ends_ = 0;
  // begin(i) = i * length + base_[i / kBlock] + excess_[i]: what was left out before it.
  std::vector<int64_t> base_;
  std::vector<uint32_t> excess_;
};

// Training windows: T inputs, each with the token after it as its target, so T + 1 tokens. An epoch
// cuts the stream, from an offset of its own in [0, T), into windows whose targets are disjoint
// (the last token of one is the first of the next) and visits each once, in the order of a keyed
// permutation (a Feistel network with cycle walking). Window number i of the run is a pure function
// of (seed, i): resuming needs no replay.
//
// Every epoch has the same number of windows, so the offset is limited to what is left over. Where
// less than T - 1 tokens are left over, an epoch has one window fewer than would fit and any
// offset; only streams below eight windows keep them all and take the offsets they can.
class WindowOrder {
 public:
  // tokens >= 2, context >= 1. A stream shorter than T + 1 has one window, which is the whole
  // stream.
  WindowOrder(int64_t tokens, int64_t context, uint64_t seed);
  // The windows that begin where documents do, the same in every epoch; the order is another in
  // each.
  WindowOrder(DocumentWindows windows, uint64_t seed);
  // First token of window `index` (any index >= 0; epoch index / windows_per_epoch()). Takes
  // constant time.
  int64_t begin(int64_t index) const;
  int64_t windows_per_epoch() const { return windows_; }
  // Inputs of a window: T, or less when the stream is shorter. The window has length() + 1 tokens.
  int64_t length() const { return length_; }

 private:
  int64_t length_, windows_, offsets_;  // offsets_: how many there are to choose from
  uint64_t seed_;
  std::optional<DocumentWindows> aligned_;
};

// Windows for evaluation, in order, each target once: T inputs each, the last one less.
class EvalWindows {
 public:
  // tokens >= 0, context >= 1. There are no windows in less than 2 tokens.
  EvalWindows(int64_t tokens, int64_t context);
  int64_t count() const { return count_; }
  // First token of window i, 0 <= i < count().
  int64_t begin(int64_t i) const { return i * context_; }
  // Inputs of window i; it has length(i) + 1 tokens.
  int64_t length(int64_t i) const;

 private:
  int64_t context_, targets_, count_;
};

}  // namespace inkstone
