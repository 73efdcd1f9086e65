// The tokens of a training step as a pure function of (options, step), and those of the validation split.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "corpus/load/batch_loader.h"
#include "inkstone/trainer.h"

namespace inkstone {

// Inputs and targets of one micro-batch, [B * T] each: target n is the token after input n.
struct TokenBatch {
  std::vector<TokenId> inputs, targets;
};

class TrainingBatches {
 public:
  // `context` is the window wanted; a shorter stream has shorter windows. The stream must outlive it.
  TrainingBatches(const TokenStream& stream, const TrainOptions& options, int64_t context, int64_t vocab_size);

  // T of every batch.
  int64_t window() const { return order_.length(); }
  int64_t windows_per_epoch() const { return order_.windows_per_epoch(); }
  // Micro-batch `micro` (0 to accumulate - 1) of step `step`. With mask_rate, an input token is replaced by a uniformly
  // random one with that probability; targets stay as they are.
  void read(int64_t step, int64_t micro, TokenBatch& batch) const;

 private:
  void mask(int64_t window, std::span<TokenId> inputs) const;

  const TokenStream* stream_;
  WindowOrder order_;
  int64_t batch_, accumulate_, vocab_size_;
  double mask_rate_;
  uint64_t seed_;
};

// Mean loss in nats per token over the first `most_tokens` tokens of a stream, in windows that do not overlap.
// The caller gives `forward`: the sum of the losses of one micro-batch (targets below 0 do not count).
class TrainingPass;
double mean_loss(TrainingPass& pass, const TokenStream& stream, int64_t batch, int64_t window, int64_t most_tokens);

}  // namespace inkstone
