// Training over several ranks: what Communicator does, for numbers that lie on a device.
#pragma once

#include <memory>
#include <vector>

#include "inkstone/communicator.h"
#include "kernels/backend.h"

namespace inkstone {

// With one rank nothing is copied, waited for or changed.
class Ranks {
 public:
  explicit Ranks(std::shared_ptr<Communicator> communicator);

  int rank() const { return communicator_->rank(); }
  int size() const { return communicator_->size(); }
  bool is_first() const { return rank() == 0; }
  bool is_alone() const { return size() == 1; }

  // The sum over ranks of f32 or f64 numbers, in place. Waits for the device.
  void sum(Backend& backend, View numbers);
  double sum(double value);
  // What the first rank has, on all.
  bool take_first(bool value);
  double take_first(double value);

 private:
  std::shared_ptr<Communicator> communicator_;
  std::vector<std::byte> staging_;  // where the device has memory of its own
};

}  // namespace inkstone
