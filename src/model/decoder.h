// Inference: logits of whole texts, and token by token with a cache of keys and values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"
#include "model/network.h"

namespace inkstone {

// S independent sequences (slots), each with room for `capacity` <= context tokens. The logits of a
// slot depend on that slot's own history alone, bit for bit, whatever the other slots do (batch
// invariance).
class Decoder {
 public:
  Decoder(Network& network, int64_t slots, int64_t capacity);
  ~Decoder();

  int64_t slots() const;
  int64_t capacity() const;
  // Tokens that a slot holds.
  int64_t length(int64_t slot) const;

  // Forgets all but the first `length` tokens of a slot.
  void truncate(int64_t slot, int64_t length);
  // Makes slot `to` equal to slot `from` (n samples of one prompt).
  void fork(int64_t from, int64_t to);

  // Appends tokens (at least one) to one slot. Returns the logits [V] after the last one; with
  // `all_logits`, of every token [n, V], which it resizes. Throws kUsage beyond the capacity.
  std::vector<float> prefill(int64_t slot, std::span<const TokenId> tokens,
                             std::vector<float>* all_logits = nullptr);

  // As prefill, but returns the losses -log P(targets[i] | tokens[0..i] and what the slot held), in
  // nats, without holding the logits; 0 where targets[i] < 0.
  std::vector<float> losses(int64_t slot, std::span<const TokenId> tokens,
                            std::span<const TokenId> targets);

  // Appends one token to each of several different slots; logits[i*V ...] belongs to slots[i].
  void step(std::span<const int64_t> slots, std::span<const TokenId> tokens,
            std::span<float> logits);

  // Bytes of the cache and scratch.
  static int64_t planned_bytes(const ModelConfig& config, DType compute, int64_t slots,
                               int64_t capacity);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
