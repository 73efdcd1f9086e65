#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace inkstone {

Optimizer::Optimizer(Network& network)
    : network_(&network),
      m_(network.backend(), network.table().flat_count() * size_bytes(DType::kF32)),
      v_(network.backend(), network.table().flat_count() * size_bytes(DType::kF32)) {}

View Optimizer::m(int row) const {
  const ParameterRow& r = network_->table()[row];
  return m_.view(DType::kF32, r.shape, r.offset * size_bytes(DType::kF32));
}

View Optimizer::v(int row) const {
  const ParameterRow& r = network_->table()[row];
  return v_.view(DType::kF32, r.shape, r.offset * size_bytes(DType::kF32));
}

double Optimizer::step(const Gradients& gradients, const OptimizerStep& options, int64_t step) {
  Backend& backend = network_->backend();
  const double norm = std::sqrt(backend.sum_of_squares(gradients.flat()));
  if (!std::isfinite(norm)) return norm;
  const double scale = options.clip > 0 ? std::min(1.0, options.clip / (norm + 1e-6)) : 1.0;
  const auto t = static_cast<double>(step + 1);
  for (int row = 0; row < static_cast<int>(network_->table().rows().size()); ++row) {
    backend.adamw({.parameter = network_->master(row),
                   .gradient = gradients.row(row),
                   .m = m(row),
                   .v = v(row),
                   .copy = network_->copy(row),
                   .lr = options.lr,
                   .beta1 = options.beta1,
                   .beta2 = options.beta2,
                   .epsilon = options.epsilon,
                   .weight_decay = network_->table()[row].decay ? options.weight_decay : 0,
                   .correction1 = 1 - std::pow(options.beta1, t),
                   .correction2 = 1 - std::pow(options.beta2, t),
                   .gradient_scale = scale});
  }
  return norm;
}

}  // namespace inkstone
