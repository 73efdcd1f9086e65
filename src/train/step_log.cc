#include "train/step_log.h"

#include <cmath>

namespace inkstone {
namespace {

constexpr int64_t kNumberBytes = size_bytes(DType::kF64);

}  // namespace

StepLog::StepLog(Backend& backend)
    : backend_(&backend), memory_(backend, kMostSteps * 2 * kNumberBytes) {
  weights_.reserve(kMostSteps);
}

void StepLog::note(ConstView loss_sum, ConstView squared_norm, double weight) {
  INK_CHECK(!full(), "the log of steps is full");
  const int64_t row = count_++ * 2 * kNumberBytes;
  backend_->copy(loss_sum, memory_.view(DType::kF64, {1}, row));
  backend_->copy(squared_norm, memory_.view(DType::kF64, {1}, row + kNumberBytes));
  weights_.push_back(weight);
}

std::vector<StepLog::Entry> StepLog::take() {
  if (count_ == 0) return {};
  std::vector<Entry> entries(count_);
  static_assert(sizeof(Entry) == 2 * kNumberBytes);
  backend_->copy_to_host(memory_.view(DType::kF64, {count_, 2}), entries.data());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (weights_[i] > 0) entries[i].loss /= weights_[i];
    entries[i].gradient_norm = std::sqrt(entries[i].gradient_norm);
  }
  count_ = 0;
  weights_.clear();
  return entries;
}

}  // namespace inkstone
