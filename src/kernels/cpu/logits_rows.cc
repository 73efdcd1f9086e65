// How many rows of logits the output layer takes at once: 32 MiB stay in a large last-level cache
// between the product, the softmax and the gradient's products; fewer than 16 rows would read the
// weights too often.
#include <algorithm>
#include <bit>

#include "kernels/cpu/operations.h"

namespace inkstone::cpu {

int64_t logits_rows(int64_t rows, int64_t vocab_size) {
  constexpr int64_t kBytes = int64_t{32} << 20, kLeastRows = 16;
  const int64_t most = std::max(kLeastRows, kBytes / (vocab_size * size_bytes(DType::kF32)));
  return std::min(rows, static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most))));
}

}  // namespace inkstone::cpu
