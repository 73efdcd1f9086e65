// Linear of float weights W [N,K] as they lie: 2 R flops per element of W, limited by reading W
// once for a few rows of x, by the multiply-adds for more.
//
// Every element of y is bias plus a dot product: lane l of a vector sums the terms of all steps
// with step mod lanes = l, in their order, and the lanes are added in one order. A step is an
// element, or a pair where both W and x are bf16 and the processor multiplies pairs
// (linear-inl.h). Rows of x and of W are
// taken in register tiles, whose size depends on R; an element's own sum does not. So a row of y
// is the same bits whatever R is, and for every number of threads, which take rows of W.
#include <hwy/base.h>
#include <algorithm>
#include <type_traits>

#include "kernels/cpu/linear.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear_out_in.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/linear-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// A register tile: `rows` of x and `columns` rows of W. Its accumulators, a vector of each row of x
// and one of W fit in the register file, 32 or 16 (without an instruction that multiplies and adds,
// one more is needed).
#if HWY_TARGET == HWY_AVX2
constexpr int kMostRows = 3;
constexpr int columns_of(int rows) { return rows == 1 ? 8 : 4; }
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3 || HWY_TARGET == HWY_SCALAR
constexpr int kMostRows = 2;
constexpr int columns_of(int rows) { return rows == 1 ? 8 : 4; }
#else
constexpr int kMostRows = 4;
constexpr int columns_of(int rows) { return rows == 4 ? 6 : 8; }
#endif

// Sums of the lanes of four vectors, each as (0 + 2) + (1 + 3) of its blocks of four, the blocks in
// order.
HWY_INLINE void sum_lanes(VF a, VF b, VF c, VF e, float* sums) {
#if HWY_TARGET == HWY_SCALAR
  sums[0] = hn::GetLane(a), sums[1] = hn::GetLane(b);
  sums[2] = hn::GetLane(c), sums[3] = hn::GetLane(e);
#else
  const F32 d;
  const hn::Repartition<uint64_t, F32> pairs;
  const VF ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)),
           ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto ab2 = hn::BitCast(pairs, ab), ce2 = hn::BitCast(pairs, ce);
  const VF quads = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab2, ce2)),
                           hn::BitCast(d, hn::InterleaveUpper(pairs, ab2, ce2)));
  const hn::Full128<float> four;
  HWY_ALIGN float blocks[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(quads, d, blocks);
  auto sum = hn::Load(four, blocks);
  for (size_t i = 4; i < hn::Lanes(d); i += 4) sum = hn::Add(sum, hn::Load(four, blocks + i));
  hn::StoreU(sum, four, sums);
#endif
}

// Rows of W [..][K] to fetch meanwhile, the next register tile's or some of them.
template <typename T>
struct Fetch {
  const T* rows;
  int64_t count;
};

// A vector of steps of a row, or the first n elements of it.
template <typename T, typename Row>
HWY_INLINE VF load_steps(Floats<T>, const Row* p) {
  return load(p);
}
template <typename T, typename Row>
HWY_INLINE VF load_steps_part(Floats<T>, const Row* p, size_t n) {
  return load_part(p, n);
}
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
HWY_INLINE VF load_steps(Bf16Pairs, const bf16* p) {
  return load(reinterpret_cast<const float*>(p));
}
HWY_INLINE VF load_steps_part(Bf16Pairs, const bf16* p, size_t n) {
  return load_part(reinterpret_cast<const float*>(p), n / 2);
}
#endif

// sums[kRows][kColumns] of x's rows times W's rows; the array has room for three more.
template <typename Way, int kRows, int kColumns, typename X, typename Column, typename T>
HWY_INLINE void dots(const X* x, const Column* w, int64_t K, const Fetch<T>& fetch, float* sums) {
  constexpr int kSums = kRows * kColumns, kRounded = (kSums + 3) / 4 * 4;
  const int64_t lanes = Way::kDepth * static_cast<int64_t>(hn::Lanes(F32()));
  VF sum[kRounded];
  for (int i = 0; i < kRounded; ++i) sum[i] = hn::Zero(F32());
  const auto step = [&](auto&& x_at, auto&& w_at) {
    VF row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = x_at(x + r * K);
    for (int c = 0; c < kColumns; ++c) {
      const VF column = w_at(w + c * K);
      for (int r = 0; r < kRows; ++r)
        sum[r * kColumns + c] = Way::add(column, row[r], sum[r * kColumns + c]);
    }
  };
  int64_t k = 0;
  for (; k + lanes <= K; k += lanes) {
    for (int64_t i = 0; i < fetch.count; ++i) prefetch(fetch.rows + i * K + k);
    step([k](const X* p) { return load_steps(Way(), p + k); },
         [k](const Column* p) { return load_steps(Way(), p + k); });
  }
  if (const size_t n = static_cast<size_t>(K - k); n > 0) {
    step([k, n](const X* p) { return load_steps_part(Way(), p + k, n); },
         [k, n](const Column* p) { return load_steps_part(Way(), p + k, n); });
  }
  for (int i = 0; i < kRounded; i += 4)
    sum_lanes(sum[i], sum[i + 1], sum[i + 2], sum[i + 3], sums + i);
}

HWY_INLINE void put(float* p, float x) { *p = x; }
HWY_INLINE void put(bf16* p, float x) { *p = to_bf16(x); }

// A part of y: rows [row, row_end) of x times rows [n, n_end) of W.
struct Part {
  int64_t row, row_end, n, n_end;
};

// X: how the rows of x are multiplied, as float or as they are, bf16.
template <typename Way, typename X>
class OutIn {
 public:
  using T = typename Way::Weight;
  OutIn(const Linear& op, const X* x)
      : op_(op),
        x_(x),
        w_(static_cast<const T*>(op.weight.data)),
        K_(op.weight.in),
        bias_(op.bias ? op.bias.as<float>() : nullptr) {}

  // Rows of x in register tiles of about equal height; `widened`: room for eight rows of W.
  void compute(const Part& p, float* widened) const {
    const int64_t rows = p.row_end - p.row, tiles = (rows + kMostRows - 1) / kMostRows;
    const int64_t width = columns_of(static_cast<int>((rows + tiles - 1) / tiles));
    for (int64_t n = p.n; n < p.n_end; n += width) {
      const int64_t columns = std::min(width, p.n_end - n);
      const T* const w = w_ + n * K_;
      const Part part{p.row, p.row_end, n, n + columns};
      if constexpr (!std::is_same_v<T, X>) {
        if (tiles > 1) {
          widen(w, columns * K_, widened);
          multiply(part, tiles, widened, width, p.n_end);
          continue;
        }
      }
      multiply(part, tiles, w, width, p.n_end);
    }
  }

 private:
  static void widen(const T* from, int64_t count, float* to) {
    for_vectors(
        count, [&](size_t i) { store(load(from + i), to + i); },
        [&](size_t i, size_t n) { store_part(load_part(from + i, n), to + i, n); });
  }

  // All tiles of x with one of W (as it lies, or widened); each fetches its part of the next one.
  template <typename Column>
  void multiply(const Part& p, int64_t tiles, const Column* w, int64_t width, int64_t end) const {
    const int64_t rows = p.row_end - p.row, next = std::min(width, end - p.n_end);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t first = rows * t / tiles, last = rows * (t + 1) / tiles;
      const int64_t from = next * t / tiles, to = next * (t + 1) / tiles;
      tile<kMostRows>({p.row + first, p.row + last, p.n, p.n_end}, w, width,
                      Fetch<T>{w_ + (p.n_end + from) * K_, to - from});
    }
  }

  template <int kRows, typename Column>
  void tile(const Part& p, const Column* w, int64_t width, const Fetch<T>& fetch) const {
    if (p.row_end - p.row < kRows) {
      if constexpr (kRows > 1) tile<kRows - 1>(p, w, width, fetch);
      return;
    }
    if (p.n_end - p.n == width && width == columns_of(kRows)) {
      return columns<kRows, columns_of(kRows)>(p.row, p.n, w, fetch);
    }
    if constexpr (kRows < kMostRows && columns_of(kRows) != columns_of(kRows + 1)) {
      // The lower tiles where most are higher by one.
      if (p.n_end - p.n == width && width == columns_of(kRows + 1))
        return columns<kRows, columns_of(kRows + 1)>(p.row, p.n, w, fetch);
    }
    for (int64_t n = p.n; n < p.n_end; ++n) columns<kRows, 1>(p.row, n, w + (n - p.n) * K_, fetch);
  }

  template <int kRows, int kColumns, typename Column>
  void columns(int64_t row, int64_t n, const Column* w, const Fetch<T>& fetch) const {
    float sums[kRows * kColumns + 3];
    dots<Way, kRows, kColumns>(x_ + row * K_, w, K_, fetch, sums);
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) {
        const float sum = sums[r * kColumns + c] + (bias_ != nullptr ? bias_[n + c] : 0.0f);
        const int64_t at = (row + r) * op_.weight.out + n + c;
        op_.y.dtype == DType::kF32 ? put(static_cast<float*>(op_.y.data) + at, sum)
                                   : put(static_cast<bf16*>(op_.y.data) + at, sum);
      }
    }
  }

  const Linear& op_;
  const X* const x_;
  const T* const w_;
  const int64_t K_;
  const float* const bias_;
};

// x as float32: as it is, or a copy.
const float* widened_rows(Context& context, const ConstView& x) {
  if (x.dtype == DType::kF32) return x.as<float>();
  const int64_t R = x.shape[0], K = x.shape[1];
  float* const to = context.staged[0].take(R * K);
  copy_rows(context, {.from = x.data,
                      .from_dtype = x.dtype,
                      .from_stride = K,
                      .to = to,
                      .to_dtype = DType::kF32,
                      .to_stride = K,
                      .rows = R,
                      .columns = K});
  return to;
}

template <typename Way, typename X>
void out_in(Context& context, const Linear& op, const X* x) {
  constexpr int64_t kPieceColumns = 96;               // a multiple of every tile's
  constexpr int64_t kBlockFloats = int64_t{1} << 17;  // of x, which stay in cache
  const int64_t R = op.x.shape[0], K = op.weight.in, N = op.weight.out;
  const OutIn<Way, X> product(op, x);
  const int64_t most = std::max<int64_t>(32, kBlockFloats / std::max<int64_t>(K, 1));
  const int64_t blocks = (R + most - 1) / most, pieces = (N + kPieceColumns - 1) / kPieceColumns;
  context.pool.parallel_each(pieces * blocks, [&](int64_t piece, int thread) {
    const int64_t n = piece / blocks * kPieceColumns, block = piece % blocks;
    product.compute(
        {R * block / blocks, R * (block + 1) / blocks, n, std::min(N, n + kPieceColumns)},
        context.of_thread[thread].take(8 * K));
  });
}
template <typename T>
void out_in(Context& context, const Linear& op) {
  out_in<Floats<T>>(context, op, widened_rows(context, op.x));
}
void out_in_f32(Context& context, const Linear& op) { out_in<float>(context, op); }
void out_in_f16(Context& context, const Linear& op) { out_in<f16>(context, op); }
void out_in_bf16(Context& context, const Linear& op) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (takes_pairs(op)) return out_in<Bf16Pairs>(context, op, op.x.as<bf16>());
#endif
  out_in<bf16>(context, op);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(out_in_f32);
HWY_EXPORT(out_in_bf16);
HWY_EXPORT(out_in_f16);

void linear_out_in(Context& context, const Linear& op) {
  switch (op.weight.type) {
    case WeightType::kF32: return HWY_DYNAMIC_DISPATCH(out_in_f32)(context, op);
    case WeightType::kBF16: return HWY_DYNAMIC_DISPATCH(out_in_bf16)(context, op);
    case WeightType::kF16: return HWY_DYNAMIC_DISPATCH(out_in_f16)(context, op);
    default: INK_CHECK(false, "linear: a weight of floats");
  }
}

}  // namespace inkstone::cpu
#endif
