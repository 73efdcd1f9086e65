// Inference: sequences that grow by tokens, their keys and values in pages, logits of any row.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"
#include "model/weights.h"

namespace inkstone {

// Tokens to be appended to one sequence, at least one.
struct Chunk {
  int64_t sequence;
  std::span<const TokenId> tokens;
  // The first `whole` of them see each other, as a prompt that is seen whole
  // (ModelConfig::prefix_lm); the others what comes before them.
  int64_t whole = 0;
};

// Pages are numbered in 32 bits.
inline constexpr int64_t kMostCacheTokens = int64_t{INT32_MAX} * kPagePositions;

// Sequences over one cache. The results for a sequence depend on its own tokens alone, bit for bit:
// not on what runs beside it, on how its tokens were cut into chunks (but for those that see each
// other), on pages that it shares, or on the number of threads. One thread uses a decoder at a
// time.
class Decoder {
 public:
  // `tokens`: as many as all sequences together may hold, rounded up to whole pages. The cache is
  // of the type weights.cache(); its memory is taken when a page is first used. Throws kUsage for
  // less than one, and for more than kMostCacheTokens.
  Decoder(const Weights& weights, int64_t tokens);
  ~Decoder();

  const ModelConfig& config() const;

  // A new empty sequence. Ids of closed sequences are given again.
  int64_t open();
  void close(int64_t sequence);
  // A new sequence with the first `length` tokens of another; both share the pages until one of
  // them writes into one.
  int64_t fork(int64_t sequence, int64_t length);
  // Forgets all but the first `length` tokens.
  void truncate(int64_t sequence, int64_t length);
  // Tokens that a sequence holds.
  int64_t length(int64_t sequence) const;

  // Pages of kPagePositions tokens: all, and those that no sequence holds.
  int64_t pages() const;
  int64_t free_pages() const;
  // Pages that appending `tokens` to a sequence takes from the free ones now (of a page that it
  // shares it needs a copy).
  int64_t pages_for(int64_t sequence, int64_t tokens) const;

  // Appends chunks of different sequences in one pass through the layers. Their rows are numbered
  // 0, 1, ... in the order of the chunks' tokens, and can be asked about until the next pass.
  // Before anything changes throws kUsage beyond the model's context or where free pages do not
  // suffice, kMismatch for an id outside the vocabulary. Whatever it throws, kInputOutput where
  // memory does not suffice among it, every sequence holds what it held before; the rows of the
  // last pass may be gone.
  void run(std::span<const Chunk> chunks);

  // Logits of rows of the last pass, [rows.size(), V].
  void logits(std::span<const int64_t> rows, std::span<float> out);
  // Their last hidden states, after the last normalisation, [rows.size(), C].
  void hidden(std::span<const int64_t> rows, std::span<float> out);
  // -log P(targets[i] | what rows[i] saw) in nats, [rows.size()], and the rows' logits.
  void losses(std::span<const int64_t> rows, std::span<const TokenId> targets,
              std::span<float> losses, std::span<float> logits);

  // From now on called before every product with a row of the parameter table, with its input
  // [rows, in]. Empty: no more.
  void observe(std::function<void(int row, ConstView x)> on_product);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
