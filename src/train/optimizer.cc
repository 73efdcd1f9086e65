#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace inkstone {
namespace {

bool acts_on(OptimizerKind kind, const ParameterRow& row) {
  return kind == OptimizerKind::kMuon && row.maps > 0;
}

// Elements of a row in a flat buffer, so that the next one is aligned too.
int64_t padded_count(const ParameterRow& row) { return (row.shape.count() + 15) / 16 * 16; }

// What the rows take in the buffer of second moments, in all.
int64_t second_moments(const Network& network, OptimizerKind kind) {
  int64_t count = 0;
  for (const ParameterRow& row : network.table().rows())
    count += acts_on(kind, row) ? 0 : padded_count(row);
  return count;
}

int64_t scratch_bytes(const Network& network, OptimizerKind kind) {
  int64_t most = 0;
  for (const ParameterRow& row : network.table().rows()) {
    if (acts_on(kind, row))
      most = std::max(most, network.backend().muon_scratch_bytes(row.shape, row.maps));
  }
  return most;
}

}  // namespace

Optimizer::Optimizer(Network& network, OptimizerKind kind)
    : network_(&network),
      kind_(kind),
      m_(network.backend(), network.table().flat_count() * size_bytes(DType::kF32)),
      v_(network.backend(), second_moments(network, kind) * size_bytes(DType::kF32)),
      scratch_(network.backend(), scratch_bytes(network, kind)) {
  int64_t offset = 0;
  for (const ParameterRow& row : network.table().rows()) {
    v_offsets_.push_back(offset);
    offset += acts_on(kind, row) ? 0 : padded_count(row);
  }
}

int64_t Optimizer::planned_bytes(const Network& network, OptimizerKind kind) {
  const int64_t moments = network.table().flat_count() + second_moments(network, kind);
  return moments * size_bytes(DType::kF32) + scratch_bytes(network, kind);
}

bool Optimizer::is_muons(int row) const { return acts_on(kind_, network_->table()[row]); }

View Optimizer::m(int row) const {
  const ParameterRow& r = network_->table()[row];
  return m_.view(DType::kF32, r.shape, r.offset * size_bytes(DType::kF32));
}

View Optimizer::v(int row) const {
  if (is_muons(row)) return {};
  const ParameterRow& r = network_->table()[row];
  return v_.view(DType::kF32, r.shape, v_offsets_[row] * size_bytes(DType::kF32));
}

double Optimizer::step(const Gradients& gradients, const OptimizerStep& options, int64_t step) {
  Backend& backend = network_->backend();
  const double norm = std::sqrt(backend.sum_of_squares(gradients.flat()));
  if (!std::isfinite(norm)) return norm;
  const double scale = options.clip > 0 ? std::min(1.0, options.clip / (norm + 1e-6)) : 1.0;
  const auto t = static_cast<double>(step + 1);
  for (int row = 0; row < network_->table().count(); ++row) {
    const ParameterRow& r = network_->table()[row];
    const double weight_decay = r.decay ? options.weight_decay : 0;
    if (is_muons(row)) {
      backend.muon({.parameter = network_->master(row),
                    .gradient = gradients.row(row),
                    .m = m(row),
                    .scratch = scratch_.view(
                        DType::kF32, {scratch_.bytes() / static_cast<int64_t>(sizeof(float))}),
                    .copy = network_->copy(row),
                    .parts = r.maps,
                    .lr = options.muon_lr,
                    .weight_decay = weight_decay,
                    .gradient_scale = scale});
      continue;
    }
    backend.adamw({.parameter = network_->master(row),
                   .gradient = gradients.row(row),
                   .m = m(row),
                   .v = v(row),
                   .copy = network_->copy(row),
                   .lr = options.lr,
                   .beta1 = options.beta1,
                   .beta2 = options.beta2,
                   .epsilon = options.epsilon,
                   .weight_decay = weight_decay,
                   .correction1 = 1 - std::pow(options.beta1, t),
                   .correction2 = 1 - std::pow(options.beta2, t),
                   .gradient_scale = scale});
  }
  return norm;
}

}  // namespace inkstone
