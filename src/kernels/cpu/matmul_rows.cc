// Products of few rows, for decoding: 2 M flops per element of B, limited by reading B once.
//
// nn: B [K,N] is taken in blocks of 64 of its rows, each a contiguous stretch of memory; a block's
// partial result is formed by itself, and the partial results are added in the order of the blocks.
// nt: a dot product per element of C, in a fixed order. Threads split blocks (nn) or rows of B
// (nt). So a row of C depends on its own row of A and on B alone: the same bits for every M and
// every number of threads.
#include <hwy/base.h>
#include <algorithm>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/matmul_rows.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr int64_t kBlockRows = 64;  // of B, per partial result
constexpr int64_t kUnroll = 8;      // rows of B read at once

HWY_INLINE float to_f32(float x) { return x; }
HWY_INLINE float to_f32(bf16 x) { return to_float(x); }

// out[N] += sum over `count` (at most kUnroll) rows of a[k] * B[k,:].
template <typename T>
HWY_INLINE void add_rows(const float* a, const T* b, int64_t count, int64_t N, float* out) {
  if (count == kUnroll) {
    VF s[kUnroll];
    for (int64_t k = 0; k < kUnroll; ++k) s[k] = hn::Set(F32(), a[k]);
    const auto sum = [&](VF even, auto&& row) {
      VF odd = hn::Mul(s[1], row(1));
      even = hn::MulAdd(s[0], row(0), even);
      even = hn::MulAdd(s[2], row(2), even);
      odd = hn::MulAdd(s[3], row(3), odd);
      even = hn::MulAdd(s[4], row(4), even);
      odd = hn::MulAdd(s[5], row(5), odd);
      even = hn::MulAdd(s[6], row(6), even);
      odd = hn::MulAdd(s[7], row(7), odd);
      return hn::Add(even, odd);
    };
    for_vectors(
        N,
        [&](size_t i) {
          store(sum(load(out + i), [&](int64_t k) { return load(b + k * N + i); }), out + i);
        },
        [&](size_t i, size_t n) {
          store_part(
              sum(load_part(out + i, n), [&](int64_t k) { return load_part(b + k * N + i, n); }),
              out + i, n);
        });
    return;
  }
  for (int64_t k = 0; k < count; ++k) {
    const VF s = hn::Set(F32(), a[k]);
    for_vectors(
        N, [&](size_t i) { store(hn::MulAdd(s, load(b + k * N + i), load(out + i)), out + i); },
        [&](size_t i, size_t n) {
          store_part(hn::MulAdd(s, load_part(b + k * N + i, n), load_part(out + i, n)), out + i, n);
        });
  }
}

// Partial results of block `block` of B's rows: partial[M,N].
template <typename T>
void block_nn(const Matmul& op, int64_t block, float* partial) {
  const int64_t M = op.c.shape[0], N = op.c.shape[1], K = op.a.shape[1];
  const int64_t begin = block * kBlockRows, end = std::min(K, begin + kBlockRows);
  std::fill(partial, partial + M * N, 0.0f);
  for (int64_t k = begin; k < end; k += kUnroll) {
    const int64_t count = std::min(kUnroll, end - k);
    for (int64_t m = 0; m < M; ++m) {
      float a[kUnroll];
      for (int64_t i = 0; i < count; ++i) a[i] = to_f32(op.a.as<T>()[m * K + k + i]);
      add_rows(a, op.b.as<T>() + k * N, count, N, partial + m * N);
    }
  }
}
void block_nn_f32(const Matmul& op, int64_t block, float* partial) {
  block_nn<float>(op, block, partial);
}
void block_nn_bf16(const Matmul& op, int64_t block, float* partial) {
  block_nn<bf16>(op, block, partial);
}

// c[i] = bias[i] + partial[0][i] + partial[1][i] + ... for columns [begin, end) of one row.
template <typename T>
void reduce_row(const float* partial, int64_t blocks, int64_t stride, const float* bias, T* c,
                size_t count) {
  const auto total = [&](auto&& at) {
    VF sum = bias != nullptr ? at(bias) : hn::Zero(F32());
    for (int64_t b = 0; b < blocks; ++b) sum = hn::Add(sum, at(partial + b * stride));
    return sum;
  };
  for_vectors(
      count, [&](size_t i) { store(total([i](const float* p) { return load(p + i); }), c + i); },
      [&](size_t i, size_t n) {
        store_part(total([i, n](const float* p) { return load_part(p + i, n); }), c + i, n);
      });
}
void reduce_f32(const float* partial, int64_t blocks, int64_t stride, const float* bias, float* c,
                size_t count) {
  reduce_row(partial, blocks, stride, bias, c, count);
}
void reduce_bf16(const float* partial, int64_t blocks, int64_t stride, const float* bias, bf16* c,
                 size_t count) {
  reduce_row(partial, blocks, stride, bias, c, count);
}

HWY_INLINE void put(float* p, float x) { *p = x; }
HWY_INLINE void put(bf16* p, float x) { *p = to_bf16(x); }

// Dot products of one row of A with R rows of B.
template <int R, typename T>
HWY_INLINE void dots(const T* a, const T* b, int64_t K, float* out) {
  VF sum[R][2];
  for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = hn::Zero(F32());
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t k = 0;
  for (; k + 2 * lanes <= K; k += 2 * lanes) {
    const VF a0 = load(a + k), a1 = load(a + k + lanes);
    for (int r = 0; r < R; ++r) {
      sum[r][0] = hn::MulAdd(a0, load(b + r * K + k), sum[r][0]);
      sum[r][1] = hn::MulAdd(a1, load(b + r * K + k + lanes), sum[r][1]);
    }
  }
  for (; k < K; k += lanes) {
    const size_t n = static_cast<size_t>(std::min(lanes, K - k));
    const VF a0 = load_part(a + k, n);
    for (int r = 0; r < R; ++r) sum[r][0] = hn::MulAdd(a0, load_part(b + r * K + k, n), sum[r][0]);
  }
  for (int r = 0; r < R; ++r)
    out[r] = hn::GetLane(hn::SumOfLanes(F32(), hn::Add(sum[r][0], sum[r][1])));
}

template <typename T, typename Out>
void columns_nt(const Matmul& op, int64_t begin, int64_t end) {
  constexpr int kRows = 4;
  const int64_t M = op.c.shape[0], N = op.c.shape[1], K = op.a.shape[1];
  const float* bias = op.bias ? op.bias.as<float>() : nullptr;
  for (int64_t n = begin; n < end; n += kRows) {
    const int64_t count = std::min<int64_t>(kRows, end - n);
    for (int64_t m = 0; m < M; ++m) {
      const T *a = op.a.as<T>() + m * K, *b = op.b.as<T>() + n * K;
      float out[kRows];
      if (count == kRows) {
        dots<kRows>(a, b, K, out);
      } else {
        for (int64_t r = 0; r < count; ++r) dots<1>(a, b + r * K, K, out + r);
      }
      for (int64_t r = 0; r < count; ++r) {
        put(op.c.as<Out>() + m * N + n + r, out[r] + (bias != nullptr ? bias[n + r] : 0.0f));
      }
    }
  }
}
void nt_f32_f32(const Matmul& op, int64_t begin, int64_t end) {
  columns_nt<float, float>(op, begin, end);
}
void nt_f32_bf16(const Matmul& op, int64_t begin, int64_t end) {
  columns_nt<float, bf16>(op, begin, end);
}
void nt_bf16_f32(const Matmul& op, int64_t begin, int64_t end) {
  columns_nt<bf16, float>(op, begin, end);
}
void nt_bf16_bf16(const Matmul& op, int64_t begin, int64_t end) {
  columns_nt<bf16, bf16>(op, begin, end);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(block_nn_f32);
HWY_EXPORT(block_nn_bf16);
HWY_EXPORT(reduce_f32);
HWY_EXPORT(reduce_bf16);
HWY_EXPORT(nt_f32_f32);
HWY_EXPORT(nt_f32_bf16);
HWY_EXPORT(nt_bf16_f32);
HWY_EXPORT(nt_bf16_bf16);

namespace {
constexpr int64_t kRowsOfBlock = 64;
// A piece takes a moment only: who has none left waits for the others, and should not fall asleep.
constexpr int64_t kColumnsOfBlock = 256;

void check(const Matmul& op, int64_t b_columns, int64_t b_inner) {
  INK_CHECK(
      op.a.shape[0] == op.c.shape[0] && op.a.shape[1] == b_inner && op.c.shape[1] == b_columns,
      "matmul_rows: sizes");
  INK_CHECK(op.a.dtype == op.b.dtype && !op.accumulate, "matmul_rows: types or accumulate");
  INK_CHECK(!op.bias || op.bias.count() == b_columns, "matmul_rows: bias");
}

void reduce(Context& context, const Matmul& op, const float* partial, int64_t blocks) {
  const int64_t M = op.c.shape[0], N = op.c.shape[1];
  context.pool.parallel_for(N, 256, [&](int64_t begin, int64_t end, int) {
    const float* bias = op.bias ? op.bias.as<float>() + begin : nullptr;
    for (int64_t m = 0; m < M; ++m) {
      const float* from = partial + m * N + begin;
      if (op.c.dtype == DType::kBF16) {
        HWY_DYNAMIC_DISPATCH(reduce_bf16)
        (from, blocks, M * N, bias, op.c.as<bf16>() + m * N + begin, end - begin);
      } else {
        HWY_DYNAMIC_DISPATCH(reduce_f32)
        (from, blocks, M * N, bias, op.c.as<float>() + m * N + begin, end - begin);
      }
    }
  });
}
}  // namespace

void matmul_rows_nn(Context& context, const Matmul& op) {
  check(op, op.b.shape[1], op.b.shape[0]);
  const int64_t M = op.c.shape[0], N = op.c.shape[1],
                blocks = (op.a.shape[1] + kRowsOfBlock - 1) / kRowsOfBlock;
  float* const partial = context.partial.take(blocks * M * N);  // [blocks, M, N]
  context.pool.parallel_each(blocks, [&](int64_t block, int) {
    if (op.a.dtype == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(block_nn_bf16)(op, block, partial + block * M * N);
    } else {
      HWY_DYNAMIC_DISPATCH(block_nn_f32)(op, block, partial + block * M * N);
    }
  });
  reduce(context, op, partial, blocks);
}

void matmul_rows_nt(Context& context, const Matmul& op) {
  check(op, op.b.shape[0], op.b.shape[1]);
  const bool a_bf16 = op.a.dtype == DType::kBF16, c_bf16 = op.c.dtype == DType::kBF16;
  const int64_t N = op.c.shape[1], blocks = (N + kColumnsOfBlock - 1) / kColumnsOfBlock;
  context.pool.parallel_each(blocks, [&](int64_t block, int) {
    const int64_t begin = block * kColumnsOfBlock, end = std::min(N, begin + kColumnsOfBlock);
    if (a_bf16 && c_bf16) HWY_DYNAMIC_DISPATCH(nt_bf16_bf16)(op, begin, end);
    if (a_bf16 && !c_bf16) HWY_DYNAMIC_DISPATCH(nt_bf16_f32)(op, begin, end);
    if (!a_bf16 && c_bf16) HWY_DYNAMIC_DISPATCH(nt_f32_bf16)(op, begin, end);
    if (!a_bf16 && !c_bf16) HWY_DYNAMIC_DISPATCH(nt_f32_f32)(op, begin, end);
  });
}

}  // namespace inkstone::cpu
#endif
