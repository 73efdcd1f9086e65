#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace inkstone {
namespace {

constexpr int64_t kNumberBytes = size_bytes(DType::kF64);

bool is_muons(const ParameterUpdate& row) { return row.rule == UpdateRule::kMuon; }

std::vector<int> trained_rows(const ParameterTable& table) {
  std::vector<int> rows;
  for (int row = 0; row < table.count(); ++row) {
    if (table[row].trained) rows.push_back(row);
  }
  return rows;
}

// Of the rows that are trained: the rule of each, and its shape.
std::vector<ParameterUpdate> plan_rows(const Network& network, OptimizerKind kind) {
  std::vector<ParameterUpdate> rows;
  for (const int row : trained_rows(network.table())) {
    const ParameterRow& r = network.table()[row];
    const bool muon = kind == OptimizerKind::kMuon && r.maps > 0;
    rows.push_back({.rule = muon ? UpdateRule::kMuon : UpdateRule::kAdamW,
                    .parameter = {nullptr, DType::kF32, r.shape},
                    .parts = muon ? r.maps : 1});
  }
  return rows;
}

// Bytes of a row in a flat buffer of f32, so that the next one is aligned too.
int64_t padded_bytes(const ParameterUpdate& row) {
  return (row.parameter.count() + 15) / 16 * 16 * size_bytes(DType::kF32);
}

// What the rows take in the buffer of second moments, in all.
int64_t second_moment_bytes(const std::vector<ParameterUpdate>& rows) {
  int64_t bytes = 0;
  for (const ParameterUpdate& row : rows) bytes += is_muons(row) ? 0 : padded_bytes(row);
  return bytes;
}

}  // namespace

Optimizer::Optimizer(Network& network, OptimizerKind kind)
    : network_(&network),
      trained_(trained_rows(network.table())),
      rows_(plan_rows(network, kind)),
      m_(network.backend(), network.table().gradient_count() * size_bytes(DType::kF32)),
      v_(network.backend(), second_moment_bytes(rows_)),
      norm_(network.backend(), kNumberBytes),
      scratch_(network.backend(), network.backend().optimizer_scratch_bytes(rows_)) {
  int64_t v_offset = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const ParameterRow& r = network.table()[trained_[i]];
    ParameterUpdate& update = rows_[i];
    update.parameter = network.master(trained_[i]);
    update.copy = network.copy(trained_[i]);
    update.m = m_.view(DType::kF32, r.shape, r.gradient_offset * size_bytes(DType::kF32));
    if (is_muons(update)) continue;
    update.v = v_.view(DType::kF32, r.shape, v_offset);
    v_offset += padded_bytes(update);
  }
}

int64_t Optimizer::planned_bytes(const Network& network, OptimizerKind kind) {
  const auto rows = plan_rows(network, kind);
  return network.table().gradient_count() * size_bytes(DType::kF32) + second_moment_bytes(rows) +
         network.backend().optimizer_scratch_bytes(rows);
}

void Optimizer::step(const Gradients& gradients, const StepOptions& options, int64_t step) {
  Backend& backend = network_->backend();
  for (size_t i = 0; i < rows_.size(); ++i) {
    const ParameterRow& r = network_->table()[trained_[i]];
    ParameterUpdate& update = rows_[i];
    update.gradient = gradients.row(trained_[i]);
    update.lr = r.lr_scale * (is_muons(update) ? options.muon_lr : options.lr);
    update.weight_decay = r.decay ? options.weight_decay : 0;
  }
  const auto t = static_cast<double>(step + 1);
  backend.sum_of_squares(gradients.flat(), norm_.view(DType::kF64, {1}));
  backend.optimizer_step(
      {.rows = rows_,
       .squared_norm = squared_norm(),
       .clip = options.clip,
       .adamw = {.beta1 = options.beta1,
                 .beta2 = options.beta2,
                 .epsilon = options.epsilon,
                 .correction1 = 1 - std::pow(options.beta1, t),
                 .correction2 = 1 - std::pow(options.beta2, t)},
       .scratch = scratch_.view(DType::kF32, {scratch_.bytes() / size_bytes(DType::kF32)})});
}

ParameterUpdate Optimizer::of_row(int row) const {
  const auto at = std::lower_bound(trained_.begin(), trained_.end(), row);
  if (at == trained_.end() || *at != row) return {};
  return rows_[at - trained_.begin()];
}

double Optimizer::read_norm() const {
  double squared = 0;
  network_->backend().copy_to_host(squared_norm(), &squared);
  return std::sqrt(squared);
}

}  // namespace inkstone
