// Which elements a dropout keeps: a pure function of (seed, site, row, column), found again by the
// backward pass.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "kernels/backend.h"

namespace inkstone {

// A 32-bit mixing function with low bias ("lowbias32", C. Wellons, "Prospecting for hash
// functions", 2018).
inline uint32_t mix32(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

// Two keys per row; element (row, column) has the hash mix32(mix32(column ^ key.first) ^
// key.second) and is kept if that is at least `threshold`. Tensors without rows of their own count
// row = index / 2^32, column = index % 2^32; attention counts row = (b * NH + h) * T + i, column =
// j.
struct DropoutRow {
  uint32_t first, second;
};

inline DropoutRow dropout_row(const DropoutMask& mask, uint64_t row) {
  const auto block = philox4x32(mask.seed, row, mask.site);
  return {block[0], block[1]};
}

inline uint32_t dropout_threshold(float rate) {
  return static_cast<uint32_t>(static_cast<double>(rate) * 4294967296.0);
}

inline bool dropout_keeps(const DropoutRow& row, uint32_t column, uint32_t threshold) {
  return mix32(mix32(column ^ row.first) ^ row.second) >= threshold;
}

}  // namespace inkstone
