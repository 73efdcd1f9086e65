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
class TokenStream {
 public:
  // split: "train" or "val". A folder without such shards gives an empty stream; a folder that is not
  // there throws kNotFound, a damaged shard kInvalidData.
  TokenStream(const std::filesystem::path& folder, const std::string& split);
  int64_t count() const { return starts_.back(); }
  void read(int64_t begin, std::span<TokenId> out) const;

 private:
  std::vector<TokenShard> shards_;
  std::vector<int64_t> starts_;  // first token of each shard; the last entry is the total
};

// Training windows of T + 1 tokens. An epoch cuts the stream, from an offset of its own in [0, T), into
// disjoint windows and visits each once, in the order of a keyed permutation (a Feistel network with
// cycle walking). Window number i of the run is a pure function of (seed, i): resuming needs no replay.
class WindowOrder {
 public:
  // tokens >= 2. A stream shorter than T + 1 has one window, which is the whole stream.
  WindowOrder(int64_t tokens, int64_t context, uint64_t seed);
  // First token of window `index` (any index >= 0; epoch index / windows_per_epoch()).
  int64_t begin(int64_t index) const;
  int64_t windows_per_epoch() const { return windows_; }
  // T, or less when the stream is shorter.
  int64_t length() const { return length_; }

 private:
  int64_t tokens_, length_, windows_;
  uint64_t seed_;
};

}  // namespace inkstone
