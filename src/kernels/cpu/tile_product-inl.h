// Products of small float32 matrices that lie in cache, for attention's tiles: register blocks of
// kRows rows and up to kVectors vectors, one vector load per vector and one broadcast per row for
// kRows * kVectors multiply-adds.
#if defined(INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#undef INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#else
#define INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#endif

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// Accumulators, one row's vectors and one broadcast fit in the register file: 32 registers, or 16.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
constexpr int kRows = 4, kVectors = 2;
#else
constexpr int kRows = 4, kVectors = 4;
#endif

// A row-major matrix in scratch memory.
struct Tile {
  float* data;
  int64_t stride;  // floats from one row to the next
};

// The matrix that begins at (row, column).
HWY_INLINE Tile at(const Tile& t, int64_t row, int64_t column) {
  return {t.data + row * t.stride + column, t.stride};
}

// C[M,N] = A * B, or C += A * B. N is rounded up to whole vectors: B must be readable and C
// writable there.
struct TileProduct {
  Tile a, b, c;  // A is [M,K], or [K,M] in a product of the transposed
  int64_t M, N, K;
  bool accumulate;
};

// R rows and V vectors of C at (m, n), kept in registers over all K.
template <int R, int V, bool kTransposed>
HWY_INLINE void product_block(const TileProduct& p, int64_t m, int64_t n) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float* const c = p.c.data + m * p.c.stride + n;
  VF sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      sum[r][v] = p.accumulate ? hn::LoadU(d, c + r * p.c.stride + v * lanes) : hn::Zero(d);
    }
  }
  const int64_t a_row = kTransposed ? 1 : p.a.stride, a_step = kTransposed ? p.a.stride : 1;
  const float *a = p.a.data + m * a_row, *b = p.b.data + n;
  for (int64_t k = 0; k < p.K; ++k, a += a_step, b += p.b.stride) {
    VF row[V];
    for (int v = 0; v < V; ++v) row[v] = hn::LoadU(d, b + v * lanes);
    for (int r = 0; r < R; ++r) {
      const VF s = hn::Set(d, a[r * a_row]);
      for (int v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(s, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) hn::StoreU(sum[r][v], d, c + r * p.c.stride + v * lanes);
  }
}

template <int V, bool kTransposed>
void product_columns(const TileProduct& p, int64_t n) {
  int64_t m = 0;
  for (; m + kRows <= p.M; m += kRows) product_block<kRows, V, kTransposed>(p, m, n);
  for (; m + 2 <= p.M; m += 2) product_block<2, V, kTransposed>(p, m, n);
  for (; m < p.M; ++m) product_block<1, V, kTransposed>(p, m, n);
}

template <bool kTransposed>
void product(const TileProduct& p) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t n = 0;
  for (; n + kVectors * lanes <= p.N; n += kVectors * lanes)
    product_columns<kVectors, kTransposed>(p, n);
  if constexpr (kVectors > 2) {
    for (; n + 2 * lanes <= p.N; n += 2 * lanes) product_columns<2, kTransposed>(p, n);
  }
  for (; n < p.N; n += lanes) product_columns<1, kTransposed>(p, n);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
