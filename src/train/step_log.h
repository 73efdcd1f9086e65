// What the steps of a run lost, kept on the device until somebody looks.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"

namespace inkstone {

class StepLog {
 public:
  static constexpr int64_t kMostSteps = 256;

  struct Entry {
    double loss, gradient_norm;  // nats per trained token (0 where none was)
  };

  explicit StepLog(Backend& backend);

  // Notes a step, from [1] f64 each: the sum of its losses and the square of its gradient's norm;
  // and the sum of the weights of its losses. There must be room. Does not wait.
  void note(ConstView loss_sum, ConstView squared_norm, double weight);
  int64_t count() const { return count_; }
  bool full() const { return count_ == kMostSteps; }
  // The steps noted since the last call, in their order. Waits for them, if there are any.
  std::vector<Entry> take();

 private:
  Backend* backend_;
  Buffer memory_;  // [kMostSteps, 2] f64
  int64_t count_ = 0;
  std::vector<double> weights_;  // of the steps noted
};

}  // namespace inkstone
