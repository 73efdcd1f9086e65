// The optimisers: AdamW over all of a network's parameters that are trained, or Muon over the
// layers' matrices and AdamW over the others.
#pragma once

#include <cstdint>
#include <vector>

#include "inkstone/trainer.h"
#include "model/network.h"
#include "model/training_pass.h"

namespace inkstone {

struct StepOptions {
  // Of AdamW. Each row has its part of the rates (ParameterRow::lr_scale).
  double lr = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double muon_lr = 0;
  double weight_decay = 0;  // of the rows whose table entry says decay
  double clip = 0;          // gradients are scaled down to this global norm; 0: never
};

// What each computes, and how gradients are clipped: UpdateRule and OptimizerStep of the backend.
class Optimizer {
 public:
  Optimizer(Network& network, OptimizerKind kind);

  // Step number `step` (0-based, for the bias corrections). Updates the master weights and the bf16
  // copies; changes nothing if the gradients' norm is not finite. Does not wait.
  void step(const Gradients& gradients, const StepOptions& options, int64_t step);
  // [1] f64, on the device: the square of the last step's global gradient norm, before clipping.
  ConstView squared_norm() const { return norm_.view(DType::kF64, {1}); }
  // The norm, here. Waits.
  double read_norm() const;

  // First and second moments of a row; empty views where it is not trained, and no second one where
  // Muon acts.
  View m(int row) const { return of_row(row).m; }
  View v(int row) const { return of_row(row).v; }

  // Of moments and working memory.
  static int64_t planned_bytes(const Network& network, OptimizerKind kind);

 private:
  ParameterUpdate of_row(int row) const;

  Network* network_;
  std::vector<int> trained_;           // rows of the table
  std::vector<ParameterUpdate> rows_;  // of these; without what changes from step to step
  Buffer m_, v_, norm_, scratch_;
};

}  // namespace inkstone
