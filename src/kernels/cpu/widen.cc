// Rows of a weight of any type as f32 or bf16: limited by memory (1 to 4 bytes read and 2 or 4
// written per element). Threads split rows; every element by itself, hence deterministic.
#include <cstddef>

#include "kernels/cpu/operations.h"
#include "tensor/blocks.h"

namespace inkstone::cpu {

void widen(Context& context, const Widen& op) {
  const Weight& w = op.weight;
  INK_CHECK(w.layout != WeightLayout::kPacked, "widen: a packed weight");
  const bool in_first = w.layout == WeightLayout::kInOut;
  const int64_t rows = in_first ? w.in : w.out, columns = in_first ? w.out : w.in,
                bytes = row_bytes(w.type, columns), count = op.to.shape[0];
  INK_CHECK(op.to.shape.rank() == 2 && op.to.shape[1] == columns && op.first_row >= 0 &&
                op.first_row + count <= rows,
            "widen: sizes");
  context.pool.parallel_for(count, 4, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t r = begin; r < end; ++r) {
      const std::byte* from = static_cast<const std::byte*>(w.data) + (op.first_row + r) * bytes;
      if (op.to.dtype == DType::kF32) {
        decode_row(w.type, from, columns, op.to.as<float>() + r * columns);
        continue;
      }
      float* const row = context.of_thread[thread].take(columns);
      decode_row(w.type, from, columns, row);
      for (int64_t c = 0; c < columns; ++c) op.to.as<bf16>()[r * columns + c] = to_bf16(row[c]);
    }
  });
}

}  // namespace inkstone::cpu
