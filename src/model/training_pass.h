// Forward and backward pass of a micro-batch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "inkstone/recompute.h"
#include "inkstone/tokenizer.h"
#include "model/network.h"

namespace inkstone {

// Gradients of the parameters that are trained, float32, laid out as ParameterTable says.
class Gradients {
 public:
  explicit Gradients(const Network& network);
  // Empty where the row is not trained, and of kNoRow.
  View row(int row) const;
  View flat() const;

 private:
  const Network* network_;
  Buffer buffer_;
};

// Of the arrays of B * T only inputs and targets must be given: an empty one means the same for
// every position, which costs nothing.
struct MicroBatch {
  std::span<const TokenId> inputs;
  std::span<const TokenId> targets;         // negative: no loss at this position
  std::span<const float> weights = {};      // of the losses; empty: all 1
  std::span<const int32_t> positions = {};  // empty: 0 to T - 1 in each window
  // What a position sees, from 0 to T - 1 in its window, both inclusive: as AttentionForward has
  // them. Both or none; empty: all before it and itself.
  std::span<const int32_t> first_keys = {}, last_keys = {};
  // DLoss/dloss[n] of every position: 1 / (sum of the weights of all targets of the whole step).
  float gradient_scale = 1;
  bool accumulate = false;    // add to the gradients and the loss instead of overwriting them
  uint64_t dropout_seed = 0;  // of this micro-batch
};

// Activations are planned and allocated once, for up to B x T tokens; backpropagation needs them
// all, or computes some again (Recompute). The logits exist for a block of rows at a time only
// (Backend::logits_rows). Nothing here waits for the device but read_loss.
class TrainingPass {
 public:
  // dropout: the rate at embeddings, residual branches and attention, in [0, 1).
  TrainingPass(Network& network, int64_t batch, int64_t context, float dropout,
               Recompute recompute = Recompute::kNone);
  ~TrainingPass();

  // Runs B x T tokens, context = T <= the planned one.
  void forward_backward(const MicroBatch& batch, int64_t context, Gradients& gradients);
  // The losses without gradients and without dropout.
  void forward(const MicroBatch& batch, int64_t context);

  // [1] f64, on the device: the sum of the losses in nats, times their weights, over positions that
  // have a target, of the last micro-batch and, where it accumulated, of those before it.
  ConstView loss() const;
  // The same number, here.
  double read_loss() const;

  // Bytes of activations and scratch that a pass of this shape allocates.
  static int64_t planned_bytes(const Network& network, int64_t batch, int64_t context,
                               Recompute recompute = Recompute::kNone);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// GEMM floating-point operations of one forward and backward pass over `tokens` tokens in windows
// of `context` (the output layer included, attention's products counted as causal halves). What
// the table does not train costs no gradient; what is computed again is not counted.
double training_flops(const Network& network, int64_t tokens, int64_t context);

}  // namespace inkstone
