// Counting equal things by their 64-bit hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace inkstone {

// A hash table with linear probing whose memory is kept from one use to the next. Two things with equal hashes
// count as equal: among a million things that happens once in 40 million documents.
class HashCounts {
 public:
  // Empties it and makes room for `things` additions.
  void reset(size_t things) {
    size_t slots = 16;
    while (slots < things * 2) slots *= 2;
    slots_.assign(slots, {});
  }

  // How often the hash was added before this time.
  uint32_t add(uint64_t hash) {
    Slot& slot = slot_of(hash);
    slot.hash = hash;
    return slot.count++;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t count = 0;  // 0: free
  };

  Slot& slot_of(uint64_t hash) {
    const size_t mask = slots_.size() - 1;
    size_t i = static_cast<size_t>(hash) & mask;
    while (slots_[i].count != 0 && slots_[i].hash != hash) i = (i + 1) & mask;
    return slots_[i];
  }

  std::vector<Slot> slots_;
};

}  // namespace inkstone
