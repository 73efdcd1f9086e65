// Products of small float32 matrices that lie in cache, for attention's tiles.
#if defined(INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#undef INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#else
#define INKSTONE_KERNELS_CPU_TILE_PRODUCT_INL_H_
#endif

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// A row-major matrix in scratch memory.
struct Tile {
  float* data;
  int64_t stride;  // floats from one row to the next
};

// Width that a scratch matrix of `columns` columns needs, so that whole vectors may be loaded and stored.
HWY_INLINE int64_t padded(int64_t columns) { return (columns + 15) / 16 * 16; }

// R rows and V vectors of C at (m, n), kept in registers over all K. A is [M,K], or [K,M] if kTransposed.
template <int R, int V, bool kTransposed>
HWY_INLINE void product_block(const Tile& a, const Tile& b, const Tile& c, int64_t m, int64_t n, int64_t K,
                              bool accumulate) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  VF sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      float* at = c.data + (m + r) * c.stride + n + v * lanes;
      sum[r][v] = accumulate ? hn::LoadU(d, at) : hn::Zero(d);
    }
  }
  for (int64_t k = 0; k < K; ++k) {
    VF row[V];
    for (int v = 0; v < V; ++v) row[v] = hn::LoadU(d, b.data + k * b.stride + n + v * lanes);
    for (int r = 0; r < R; ++r) {
      const VF s = hn::Set(d, kTransposed ? a.data[k * a.stride + m + r] : a.data[(m + r) * a.stride + k]);
      for (int v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(s, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) hn::StoreU(sum[r][v], d, c.data + (m + r) * c.stride + n + v * lanes);
  }
}

template <int V, bool kTransposed>
HWY_INLINE void product_columns(const Tile& a, const Tile& b, const Tile& c, int64_t M, int64_t n, int64_t K,
                                bool accumulate) {
  int64_t m = 0;
  for (; m + 4 <= M; m += 4) product_block<4, V, kTransposed>(a, b, c, m, n, K, accumulate);
  for (; m < M; ++m) product_block<1, V, kTransposed>(a, b, c, m, n, K, accumulate);
}

// C[M,N] = A * B, or C += A * B. N is rounded up to whole vectors: B must be readable and C writable there.
template <bool kTransposed>
void product(const Tile& a, const Tile& b, const Tile& c, int64_t M, int64_t N, int64_t K, bool accumulate) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t n = 0;
  for (; n + 4 * lanes <= N; n += 4 * lanes) product_columns<4, kTransposed>(a, b, c, M, n, K, accumulate);
  for (; n + 2 * lanes <= N; n += 2 * lanes) product_columns<2, kTransposed>(a, b, c, M, n, K, accumulate);
  for (; n < N; n += lanes) product_columns<1, kTransposed>(a, b, c, M, n, K, accumulate);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
