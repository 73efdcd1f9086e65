// Memory planned once: a layout function takes tensors from an arena in order; run over a counting
// arena it gives the size, run over real memory it gives the views.
#pragma once

#include <cstddef>

#include "base/checked.h"
#include "tensor/view.h"

namespace inkstone {

class Arena {
 public:
  static constexpr int64_t kAlignmentBytes = 64;

  // Counts only: the views have no data.
  Arena() = default;
  Arena(void* memory, int64_t capacity_bytes)
      : memory_(static_cast<std::byte*>(memory)), capacity_bytes_(capacity_bytes) {}

  View take(DType type, const Shape& shape) {
    const int64_t offset = used_bytes_;
    const int64_t bytes = checked_product(shape.count(), size_bytes(type));
    used_bytes_ = checked_sum(
        offset, checked_sum(bytes, kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes);
    if (memory_ == nullptr) return {nullptr, type, shape};
    INK_CHECK(used_bytes_ <= capacity_bytes_, "arena is full: the plan and the layout differ");
    return {memory_ + offset, type, shape};
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::byte* memory_ = nullptr;
  int64_t capacity_bytes_ = 0, used_bytes_ = 0;
};

}  // namespace inkstone
