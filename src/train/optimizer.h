// AdamW over a network's parameters.
#pragma once

#include <cstdint>

#include "model/network.h"
#include "model/training_pass.h"

namespace inkstone {

struct OptimizerStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0;  // of the rows whose table entry says decay
  double clip = 0;          // gradients are scaled down to this global norm; 0: never
};

// Loshchilov and Hutter 2019, arXiv:1711.05101, as torch.optim.AdamW computes it; clipping as
// torch.nn.utils.clip_grad_norm_: scale min(1, clip / (norm + 1e-6)).
class Optimizer {
 public:
  explicit Optimizer(Network& network);

  // Step number `step` (0-based, for the bias corrections). Updates the master weights and the bf16
  // copies. Returns the global gradient norm before clipping. If that is not finite nothing is
  // changed.
  double step(const Gradients& gradients, const OptimizerStep& options, int64_t step);

  // First and second moments of a row.
  View m(int row) const;
  View v(int row) const;

 private:
  Network* network_;
  Buffer m_, v_;
};

}  // namespace inkstone
