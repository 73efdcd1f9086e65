// Rows of the embeddings, decoded and added: memory-bound, a row by one thread.
#include <cstddef>

#include "kernels/cpu/operations.h"
#include "tensor/blocks.h"

namespace inkstone::cpu {
namespace {

const void* row_of(const Weight& weight, int32_t row) {
  INK_CHECK(row >= 0 && row < weight.out, "embed: row outside the table");
  return static_cast<const std::byte*>(weight.data) + row * row_bytes(weight.type, weight.in);
}

}  // namespace

void embed(Context& context, const Embed& op) {
  const int64_t N = op.x.shape[0], C = op.x.shape[1];
  INK_CHECK(op.wte.layout == WeightLayout::kOutIn && op.wpe.layout == WeightLayout::kOutIn,
            "embed: layout");
  INK_CHECK(op.wte.in == C && op.wpe.in == C && op.tokens.count() == N && op.positions.count() == N,
            "embed: sizes");
  const int32_t *tokens = op.tokens.as<int32_t>(), *positions = op.positions.as<int32_t>();
  context.pool.parallel_for(N, 4, [&](int64_t begin, int64_t end, int thread) {
    float* const position = context.of_thread[thread].take(C);
    for (int64_t n = begin; n < end; ++n) {
      float* const x = op.x.as<float>() + n * C;
      decode_row(op.wte.type, row_of(op.wte, tokens[n]), C, x);
      decode_row(op.wpe.type, row_of(op.wpe, positions[n]), C, position);
      for (int64_t c = 0; c < C; ++c) x[c] += position[c];
    }
  });
}

}  // namespace inkstone::cpu
