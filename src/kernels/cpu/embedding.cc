// Embedding lookup and its gradient: one row of the tables per token, limited by memory latency.
// Forward: threads split rows. Backward: threads split columns and add in the order of the rows,
// hence deterministic.
#include <hwy/base.h>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/embedding.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

void add_two(const float* a, const float* b, float* out, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(hn::Add(load(a + i), load(b + i)), out + i); },
      [&](size_t i, size_t n) {
        store_part(hn::Add(load_part(a + i, n), load_part(b + i, n)), out + i, n);
      });
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(add_two);

void embedding_forward(Context& context, const EmbeddingForward& op) {
  const int64_t N = op.x.shape[0], C = op.x.shape[1], V = op.wte.shape[0], T = op.wpe.shape[0];
  const int32_t *tokens = op.tokens.as<int32_t>(), *positions = op.positions.as<int32_t>();
  for (int64_t n = 0; n < N; ++n) {
    INK_CHECK(tokens[n] >= 0 && tokens[n] < V && positions[n] >= 0 && positions[n] < T,
              "embedding: index");
  }
  context.pool.parallel_for(N, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      HWY_DYNAMIC_DISPATCH(add_two)
      (op.wte.as<float>() + tokens[n] * C, op.wpe.as<float>() + positions[n] * C,
       op.x.as<float>() + n * C, C);
    }
  });
}

void embedding_backward(Context& context, const EmbeddingBackward& op) {
  const int64_t N = op.dx.shape[0], C = op.dx.shape[1];
  const int32_t *tokens = op.tokens.as<int32_t>(), *positions = op.positions.as<int32_t>();
  context.pool.parallel_for(C, 16, [&](int64_t begin, int64_t end, int) {
    const int64_t count = end - begin;
    const auto add_to = [&](const View& table, int64_t row, const float* dx) {
      if (!table) return;
      float* to = table.as<float>() + row * C + begin;
      HWY_DYNAMIC_DISPATCH(add_two)(to, dx, to, count);
    };
    for (int64_t n = 0; n < N; ++n) {
      const float* dx = op.dx.as<float>() + n * C + begin;
      add_to(op.dwte, tokens[n], dx);
      add_to(op.dwpe, positions[n], dx);
    }
  });
}

}  // namespace inkstone::cpu
#endif
