// The optimisers: AdamW over all of a network's parameters, or Muon over the layers' matrices and
// AdamW over the others.
#pragma once

#include <cstdint>
#include <vector>

#include "inkstone/trainer.h"
#include "model/network.h"
#include "model/training_pass.h"

namespace inkstone {

struct OptimizerStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;  // of AdamW
  double muon_lr = 0;
  double weight_decay = 0;  // of the rows whose table entry says decay
  double clip = 0;          // gradients are scaled down to this global norm; 0: never
};

// AdamW: Loshchilov and Hutter 2019, arXiv:1711.05101, as torch.optim.AdamW computes it. Muon: see
// MuonStep. Clipping as torch.nn.utils.clip_grad_norm_: scale min(1, clip / (norm + 1e-6)).
class Optimizer {
 public:
  Optimizer(Network& network, OptimizerKind kind);

  // Step number `step` (0-based, for the bias corrections). Updates the master weights and the bf16
  // copies. Returns the global gradient norm before clipping. If that is not finite nothing is
  // changed.
  double step(const Gradients& gradients, const OptimizerStep& options, int64_t step);

  // First and second moments of a row; no second one (an empty view) where Muon acts.
  View m(int row) const;
  View v(int row) const;

  // Of moments and working memory.
  static int64_t planned_bytes(const Network& network, OptimizerKind kind);

 private:
  bool is_muons(int row) const;

  Network* network_;
  OptimizerKind kind_;
  std::vector<int64_t> v_offsets_;  // of each row in v_, elements
  Buffer m_, v_, scratch_;
};

}  // namespace inkstone
