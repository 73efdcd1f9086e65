// Counting equal things by their 64-bit hashes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace inkstone {

// A hash table with linear probing whose memory is kept from one use to the next. Two things with
// equal hashes count as equal: among a million things that happens once in 40 million documents.
class HashCounts {
 public:
  // Empties it, in constant time but when it grows, and makes room for `things` additions.
  void reset(size_t things) {
    size_t slots = 16;
    while (slots < things * 2) slots *= 2;
    mask_ = slots - 1;
    if (slots > slots_.size() || ++generation_ == 0) {
      slots_.assign(std::max(slots, slots_.size()), {});
      generation_ = 1;
    }
  }

  // How often the hash was added before this time.
  uint32_t add(uint64_t hash) {
    size_t i = static_cast<size_t>(hash) & mask_;
    while (slots_[i].generation == generation_ && slots_[i].hash != hash) i = (i + 1) & mask_;
    Slot& slot = slots_[i];
    if (slot.generation != generation_) slot = {hash, 0, generation_};
    return slot.count++;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t count = 0;
    uint32_t generation = 0;  // free unless it is the table's
  };

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  uint32_t generation_ = 0;
};

}  // namespace inkstone
