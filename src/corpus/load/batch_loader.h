// Batches of training tokens from shards: memory-mapped, shuffled, addressed by step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "formats/token_shard.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// The tokens of one split (train_*.bin or val_*.bin) of a prepared folder as one long stream.
// Immutable: read() is safe from several threads.
class TokenStream {
 public:
  // split: "train" or "val". A folder without such shards gives an empty stream; a folder that is not
  // there throws kNotFound, a damaged shard kInvalidData. With a report.json of prepare, its list of shards
  // must agree with what is there, else kInvalidData; and a folder whose replacement was interrupted is refused.
  // vocab_size: read() refuses ids that are not below it; 0: below the report's, if there is one.
  TokenStream(const std::filesystem::path& folder, const std::string& split, int64_t vocab_size = 0);
  int64_t count() const { return starts_.back(); }
  // Copies tokens [begin, begin + out.size()), which must lie inside the stream. Throws kInvalidData, naming
  // the shard, on an id outside the vocabulary.
  void read(int64_t begin, std::span<TokenId> out) const;

 private:
  std::vector<TokenShard> shards_;
  std::vector<int64_t> starts_ = {0};  // first token of each shard; the last entry is the total
  int64_t vocab_size_ = 0;             // 0: any id
};

// Training windows: T inputs, each with the token after it as its target, so T + 1 tokens. An epoch cuts the
// stream, from an offset of its own in [0, T), into windows whose targets are disjoint (the last token of one
// is the first of the next) and visits each once, in the order of a keyed permutation (a Feistel network with
// cycle walking). Window number i of the run is a pure function of (seed, i): resuming needs no replay.
//
// Every epoch has the same number of windows, so the offset is limited to what is left over. Where less than
// T - 1 tokens are left over, an epoch has one window fewer than would fit and any offset; only streams below
// eight windows keep them all and take the offsets they can.
class WindowOrder {
 public:
  // tokens >= 2, context >= 1. A stream shorter than T + 1 has one window, which is the whole stream.
  WindowOrder(int64_t tokens, int64_t context, uint64_t seed);
  // First token of window `index` (any index >= 0; epoch index / windows_per_epoch()). Takes constant time.
  int64_t begin(int64_t index) const;
  int64_t windows_per_epoch() const { return windows_; }
  // Inputs of a window: T, or less when the stream is shorter. The window has length() + 1 tokens.
  int64_t length() const { return length_; }

 private:
  int64_t length_, windows_, offsets_;  // offsets_: how many there are to choose from
  uint64_t seed_;
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
