// Sequences that nobody writes any more, kept for texts that begin alike.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "model/decoder.h"

namespace inkstone {

// How many tokens two texts have in common at their beginning.
int64_t common_length(std::span<const TokenId> a, std::span<const TokenId> b);

// A sequence of the decoder and how much of it serves.
struct PrefixHit {
  int64_t sequence = -1;
  int64_t length = 0;
};

// The least recently used gives way first, its last page before the one in front of it. Texts are
// found by comparing tokens, without a table of hashes: texts that differ do so at once, and at
// worst it takes half a nanosecond for each token that is kept, that is half a millisecond for a
// million of them, whose keys and values are 75 GB at 124M.
class PrefixCache {
 public:
  // `most`: tokens that are kept in all. The decoder must outlive it.
  PrefixCache(Decoder& decoder, int64_t most) : decoder_(&decoder), most_(most) {}

  // Takes over a sequence that holds these tokens. One that is the beginning of another is closed,
  // and so is one where there is no memory to note it.
  void keep(int64_t sequence, std::vector<TokenId> tokens);
  // The sequence with the longest beginning in common, at most all of `tokens`; it is used now.
  PrefixHit find(std::span<const TokenId> tokens);
  // Gives way until so many pages are free, or nothing is kept.
  void make_free(int64_t pages);

  int64_t tokens() const { return tokens_; }

 private:
  struct Kept {
    int64_t sequence;
    std::vector<TokenId> tokens;
  };
  void close(std::list<Kept>::iterator kept);
  bool absorb(std::span<const TokenId> tokens);
  void shorten_oldest();

  Decoder* decoder_;
  int64_t most_;
  int64_t tokens_ = 0;
  std::list<Kept> kept_;  // the last used first
};

}  // namespace inkstone
