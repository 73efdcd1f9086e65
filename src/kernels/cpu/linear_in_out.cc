// Linear of float weights W [K,N] as they lie: 2 R flops per element of W, limited by reading W
// once for about 8 rows of x and fewer, by the multiply-adds for more.
//
// A step is one row of W, or two where both W and x are bf16 and the processor multiplies pairs
// (linear-inl.h). Every element of y is bias + b_0 + b_1 + ..., where b_j is one chain of
// multiply-adds over the j-th 64 steps, beginning with zero; each of the ways below computes just
// that, so a row of y is the same bits whatever way R leads to, and for every number of threads.
//
// Few rows: W is read like a file, a chain of it by a thread at a time, eight steps at once; the
// chains of a block are written as partial results, and then added in their order. Many rows: a
// thread has columns of W and rows of x to itself. It widens a block of W into panels of two
// vectors, which stay in cache, and multiplies each with all of its rows of x in register tiles,
// while the next block is fetched.
#include <hwy/base.h>
#include <algorithm>

#include "kernels/cpu/linear.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear_in_out.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/linear-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

constexpr int64_t kChain = 64;  // steps in one chain

// Rows of x in a register tile: with two vectors of accumulators each, two of W and a broadcast
// they fill the register file, 32 or 16 (without an instruction that multiplies and adds, one more
// is needed).
#if HWY_TARGET == HWY_AVX2
constexpr int64_t kTileRows = 6;
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3 || HWY_TARGET == HWY_SCALAR
constexpr int64_t kTileRows = 5;
#else
constexpr int64_t kTileRows = 14;
#endif
constexpr int64_t kFewRows = 32;  // beyond, partial results cost more than panels

// x, as float32 or as pairs, in tiles of `height` rows, each as [chains][height][kChain]; beyond
// the last row zero, beyond the last step undefined. So a tile's rows lie close together, whatever
// K is.
struct Tiles {
  const float* data;
  int64_t rows, height, steps;
  int64_t count() const { return (rows + height - 1) / height; }
  int64_t chains() const { return (steps + kChain - 1) / kChain; }
  // Of chain `chain`: [height][kChain].
  const float* at(int64_t tile, int64_t chain) const {
    return data + (tile * chains() + chain) * height * kChain;
  }
};

template <typename T>
void fill_tile(const Tiles& tiles, const T* x, int64_t tile) {
  for (int64_t chain = 0; chain < tiles.chains(); ++chain) {
    const int64_t k = chain * kChain;
    const size_t count = static_cast<size_t>(std::min(kChain, tiles.steps - k));
    float* to = const_cast<float*>(tiles.at(tile, chain));
    for (int64_t r = tile * tiles.height; r < (tile + 1) * tiles.height; ++r, to += kChain) {
      if (r >= tiles.rows) {
        std::fill(to, to + kChain, 0.0f);
        continue;
      }
      const T* const from = x + r * tiles.steps + k;
      for_vectors(
          count, [&](size_t i) { store(load(from + i), to + i); },
          [&](size_t i, size_t n) { store_part(load_part(from + i, n), to + i, n); });
    }
  }
}

// depth: of K, in a step.
Tiles make_tiles(Context& context, const ConstView& x, int64_t height, int64_t depth) {
  Tiles tiles{nullptr, x.shape[0], height, x.shape[1] / depth};
  tiles.data = context.staged[0].take(tiles.count() * tiles.chains() * height * kChain);
  context.pool.parallel_for(tiles.count(), 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      if (x.dtype == DType::kF32 || depth > 1) {  // pairs as they lie
        fill_tile(tiles, static_cast<const float*>(x.data), t);
      } else {
        fill_tile(tiles, x.as<bf16>(), t);
      }
    }
  });
  return tiles;
}

// A vector of columns, or the first n of it, of one step's rows of W.
template <typename T>
HWY_INLINE VF load_step(Floats<T>, const T* w, int64_t /*N*/) {
  return load(w);
}
template <typename T>
HWY_INLINE VF load_step_part(Floats<T>, const T* w, int64_t /*N*/, size_t n) {
  return load_part(w, n);
}
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// Two rows of bf16 as float32, whose upper halves they are, in pairs: the first row below.
HWY_INLINE VF as_pairs(VF first, VF second) {
  const hn::RebindToUnsigned<F32> d32;
  return hn::BitCast(F32(),
                     hn::Or(hn::ShiftRight<16>(hn::BitCast(d32, first)), hn::BitCast(d32, second)));
}
HWY_INLINE VF load_step(Bf16Pairs, const bf16* w, int64_t N) {
  return as_pairs(load(w), load(w + N));
}
HWY_INLINE VF load_step_part(Bf16Pairs, const bf16* w, int64_t N, size_t n) {
  return as_pairs(load_part(w, n), load_part(w + N, n));
}
#endif

// Few rows: partial results [vectors of N][R][lanes] of a chain.

constexpr int kAtOnce = 8;  // steps

// partial (+)= x[:,k] * w[k,:] for kCount consecutive steps k, in their order, while as many rows
// from `next` on are fetched. x: [R][kChain].
template <typename Way, int kCount, bool kFirst, typename T = typename Way::Weight>
HWY_INLINE void add_rows(const float* x, const T* w, const T* next, int64_t R, int64_t N,
                         float* partial) {
  constexpr int64_t D = Way::kDepth;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  const auto add = [&](const VF* row, float* to) {
    for (int64_t r = 0; r < R; ++r, to += lanes) {
      VF sum = kFirst ? hn::Zero(F32()) : hn::Load(F32(), to);
      for (int k = 0; k < kCount; ++k)
        sum = Way::add(row[k], hn::Set(F32(), x[r * kChain + k]), sum);
      hn::Store(sum, F32(), to);
    }
  };
  VF row[kCount];
  for_vectors(
      N,
      [&](size_t i) {
        for (int k = 0; k < kCount; ++k) {
          row[k] = load_step(Way(), w + k * D * N + i, N);
          for (int64_t d = 0; d < D; ++d) prefetch(next + (k * D + d) * N + i);
        }
        add(row, partial + static_cast<int64_t>(i) * R);
      },
      [&](size_t i, size_t n) {
        for (int k = 0; k < kCount; ++k) row[k] = load_step_part(Way(), w + k * D * N + i, N, n);
        add(row, partial + static_cast<int64_t>(i) * R);
      });
}

// Of the chain over `count` steps. ahead: kAtOnce steps that the thread may have to read next.
template <typename Way, typename T = typename Way::Weight>
void partial_block(const float* x, const T* w, const T* ahead, int64_t count, int64_t R, int64_t N,
                   float* partial) {
  const int64_t step = Way::kDepth * N;
  const auto next = [&](int64_t k) {
    return k + 2 * kAtOnce <= count ? w + (k + kAtOnce) * step : ahead;
  };
  int64_t k = 0;
  if (count >= kAtOnce) {
    add_rows<Way, kAtOnce, true>(x, w, next(0), R, N, partial);
    k = kAtOnce;
  } else {
    add_rows<Way, 1, true>(x, w, w, R, N, partial);
    k = 1;
  }
  for (; k + kAtOnce <= count; k += kAtOnce)
    add_rows<Way, kAtOnce, false>(x + k, w + k * step, next(k), R, N, partial);
  for (; k < count; ++k) add_rows<Way, 1, false>(x + k, w + k * step, w + k * step, R, N, partial);
}

// y = bias + partial[0] + partial[1] + ... for the vector of columns that begins at n.
template <typename Out>
HWY_INLINE void sum_partials(const float* partial, int64_t blocks, int64_t stride, VF bias,
                             int64_t columns, Out* y) {
  VF sum = bias;
  for (int64_t b = 0; b < blocks; ++b) sum = hn::Add(sum, hn::Load(F32(), partial + b * stride));
  if (columns >= static_cast<int64_t>(hn::Lanes(F32()))) {
    store(sum, y);
  } else {
    store_part(sum, y, columns);
  }
}

HWY_INLINE VF bias_at(const float* bias, int64_t n, int64_t columns) {
  if (bias == nullptr) return hn::Zero(F32());
  return columns >= static_cast<int64_t>(hn::Lanes(F32())) ? load(bias + n)
                                                           : load_part(bias + n, columns);
}

template <typename Out>
void sum_columns(const float* partial, int64_t blocks, int64_t R, int64_t begin, int64_t end,
                 int64_t N, const float* bias, Out* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  const int64_t stride = (N + lanes - 1) / lanes * lanes * R;
  for (int64_t n = begin; n < end; n += lanes) {
    const VF of_bias = bias_at(bias, n, N - n);
    for (int64_t r = 0; r < R; ++r) {
      sum_partials(partial + n * R + r * lanes, blocks, stride, of_bias, N - n, y + r * N + n);
    }
  }
}

template <typename Way>
void few_rows(Context& context, const Linear& op) {
  using T = typename Way::Weight;
  const int64_t R = op.x.shape[0], N = op.weight.out, step = Way::kDepth * N;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  const Tiles x = make_tiles(context, op.x, R, Way::kDepth);
  const int64_t K = x.steps, blocks = x.chains(), stride = (N + lanes - 1) / lanes * lanes * R;
  float* const partial = context.partial.take(std::max<int64_t>(blocks, 1) * stride);
  context.pool.parallel_each(blocks, [&](int64_t block, int) {
    const int64_t k = block * kChain, ahead = k + kChain * context.pool.threads();
    const T* const w = static_cast<const T*>(op.weight.data);
    partial_block<Way>(x.at(0, block), w + k * step, w + (ahead + kAtOnce <= K ? ahead : k) * step,
                       std::min(kChain, K - k), R, N, partial + block * stride);
  });
  const float* const bias = op.bias ? op.bias.as<float>() : nullptr;
  context.pool.parallel_for(N, 256, [&](int64_t begin, int64_t end, int) {
    if (op.y.dtype == DType::kF32) {
      sum_columns(partial, blocks, R, begin, end, N, bias, op.y.as<float>());
    } else {
      sum_columns(partial, blocks, R, begin, end, N, bias, op.y.as<bf16>());
    }
  });
}

// Many rows.

constexpr int64_t kPackedSteps = 2 * kChain;  // of W, packed at a time
constexpr int64_t kStripColumns = 192;        // of W, of one thread
constexpr int64_t kBlockRows = 256;           // of x, about, of one thread

constexpr int64_t kLineFloats = 16;

// Memory to fetch while a tile is multiplied: a line of `count` rows, `stride` bytes apart. The
// processor drops what it is asked for all at once, so one is asked for every 2^shift steps, and
// one line of the rows of x that come next for every step.
struct Fetch {
  const char* from;
  int64_t stride;
  int shift;
  const float* x;
};

// total[kHeight][2 vectors] += the chains over `count` steps: x [chains][kHeight][kChain],
// w [count][2 vectors].
template <typename Way, int kHeight>
void multiply_tile(const float* x, const float* w, int64_t count, float* total, Fetch fetch) {
  const int64_t between = (int64_t{1} << fetch.shift) - 1;
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t begin = 0; begin < count; begin += kChain, x += kHeight * kChain) {
    const int64_t in_chain = std::min(count - begin, kChain);
    VF sum[kHeight][2];
    for (int r = 0; r < kHeight; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
    for (int64_t k = 0; k < in_chain; ++k, w += 2 * lanes) {
      if ((k & between) == 0) {
        prefetch(fetch.from);
        fetch.from += fetch.stride;
      }
      if (k < kHeight * kChain / kLineFloats) {
        prefetch_first(fetch.x);
        fetch.x += kLineFloats;
      }
      const VF w0 = hn::Load(d, w), w1 = hn::Load(d, w + lanes);
      for (int r = 0; r < kHeight; ++r) {
        const VF s = hn::Set(d, x[r * kChain + k]);
        sum[r][0] = Way::add(w0, s, sum[r][0]);
        sum[r][1] = Way::add(w1, s, sum[r][1]);
      }
    }
    for (int r = 0; r < kHeight; ++r) {
      for (int v = 0; v < 2; ++v) {
        float* const to = total + (2 * r + v) * lanes;
        hn::Store(hn::Add(hn::Load(d, to), sum[r][v]), d, to);
      }
    }
  }
}

using MultiplyTile = void (*)(const float*, const float*, int64_t, float*, Fetch);

// Of equal tiles for more than kTileRows rows, which are higher than half of that.
template <typename Way, int kHeight = kTileRows>
MultiplyTile multiply_tile_of(int64_t height) {
  if constexpr (kHeight == kTileRows / 2) {
    return multiply_tile<Way, kHeight>;
  } else {
    return height == kHeight ? multiply_tile<Way, kHeight>
                             : multiply_tile_of<Way, kHeight - 1>(height);
  }
}

// The two vectors of columns of `count` steps of W; zero beyond the columns.
template <typename Way, typename T = typename Way::Weight>
void pack_panel(const T* w, int64_t count, int64_t N, int64_t columns, float* panel) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32())), step = Way::kDepth * N;
  if (columns >= 2 * lanes) {
    for (int64_t k = 0; k < count; ++k, w += step, panel += 2 * lanes) {
      hn::Store(load_step(Way(), w, N), F32(), panel);
      hn::Store(load_step(Way(), w + lanes, N), F32(), panel + lanes);
    }
    return;
  }
  std::fill(panel, panel + count * 2 * lanes, 0.0f);
  for (int64_t k = 0; k < count; ++k, w += step, panel += 2 * lanes) {
    for_vectors(
        columns, [&](size_t i) { store(load_step(Way(), w + i, N), panel + i); },
        [&](size_t i, size_t n) { store_part(load_step_part(Way(), w + i, N, n), panel + i, n); });
  }
}

// What one thread has to compute: columns [n, n + columns) of y's rows in some tiles.
struct Strip {
  int64_t n, columns, first_tile, tiles;
  int64_t next_n;  // the first column that the thread may have to read next
  int64_t panels() const {
    const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(F32()));
    return (columns + width - 1) / width;
  }
};

// The working memory of a strip: W's panels, and sums [panel][tile][height][2 vectors].
struct StripMemory {
  float *panels, *totals;
};

template <typename Way>
class ManyRows {
 public:
  using T = typename Way::Weight;
  ManyRows(const Linear& op, const Tiles& x)
      : op_(op),
        x_(x),
        w_(static_cast<const T*>(op.weight.data)),
        multiply_(multiply_tile_of<Way>(x.height)) {}

  // Floats of a strip's memory.
  int64_t panel_floats() const { return kPackedSteps * width_; }
  int64_t total_floats() const { return x_.height * width_; }

  void compute(const Strip& s, const StripMemory& memory) const {
    begin_totals(s, memory.totals);
    for (int64_t k = 0; k < x_.steps; k += kPackedSteps) {
      const int64_t count = std::min(kPackedSteps, x_.steps - k);
      for (int64_t p = 0; p < s.panels(); ++p) {
        pack_panel<Way>(w_ + k * step_ + s.n + p * width_, count, N(), s.columns - p * width_,
                        memory.panels + p * panel_floats());
      }
      multiply_block(s, k, count, memory);
    }
    if (op_.y.dtype == DType::kF32) {
      write(s, memory.totals, op_.y.as<float>());
    } else {
      write(s, memory.totals, op_.y.as<bf16>());
    }
  }

 private:
  int64_t N() const { return op_.weight.out; }

  void begin_totals(const Strip& s, float* totals) const {
    const float* const bias = op_.bias ? op_.bias.as<float>() : nullptr;
    for (int64_t p = 0; p < s.panels(); ++p) {
      const int64_t n = p * width_, left = s.columns - n;
      const VF first = bias_at(bias, s.n + n, left),
               second = left > lanes_ ? bias_at(bias, s.n + n + lanes_, left - lanes_)
                                      : hn::Zero(F32());
      for (int64_t r = 0; r < s.tiles * x_.height; ++r, totals += width_) {
        hn::Store(first, F32(), totals);
        hn::Store(second, F32(), totals + lanes_);
      }
    }
  }

  // Adds the products of the steps [k, k + count).
  void multiply_block(const Strip& s, int64_t k, int64_t count, const StripMemory& memory) const {
    float* total = memory.totals;
    const float* const first = x_.at(s.first_tile, k / kChain);
    for (int64_t p = 0, call = 0; p < s.panels(); ++p) {
      for (int64_t t = 0; t < s.tiles; ++t, ++call, total += total_floats()) {
        const float* const x = x_.at(s.first_tile + t, k / kChain);
        Fetch fetch = fetch_of(s, k + count, call);
        fetch.x = t + 1 < s.tiles ? x_.at(s.first_tile + t + 1, k / kChain) : first;
        multiply_(x, memory.panels + p * panel_floats(), count, total, fetch);
      }
    }
  }

  // What the tile number `call` of a block fetches of the steps after it, or of the next strip's
  // first ones: a line of all, or one of a part of them where there are many tiles.
  Fetch fetch_of(const Strip& s, int64_t next, int64_t call) const {
    constexpr int64_t kLine = 64, kBytes = sizeof(T), D = Way::kDepth;
    const T* const from = next < x_.steps ? w_ + next * step_ + s.n : w_ + s.next_n;
    const int64_t lines = (s.columns * kBytes / kLine + 1) * D, calls = s.panels() * s.tiles,
                  left = next < x_.steps ? x_.steps - next : x_.steps;
    int shift = 0;
    while (shift < 3 && calls >= lines << (shift + 1)) ++shift;
    const int64_t line = call >> shift, part = call & ((1 << shift) - 1);
    if (line >= lines || left < kPackedSteps)
      return {reinterpret_cast<const char*>(from), 0, 6, nullptr};
    const int64_t at = line % D * N() * kBytes + line / D * kLine,  // row and line in it
        stride = step_ * kBytes;
    return {reinterpret_cast<const char*>(from) + at + part * (kPackedSteps >> shift) * stride,
            stride, shift, nullptr};
  }

  template <typename Out>
  void write(const Strip& s, const float* totals, Out* y) const {
    const int64_t row = s.first_tile * x_.height,
                  rows = std::min(s.tiles * x_.height, x_.rows - row);
    for (int64_t p = 0; p < s.panels(); ++p) {
      const float* from = totals + p * s.tiles * total_floats();
      const int64_t n = p * width_;
      for (int64_t r = 0; r < rows; ++r, from += width_) {
        Out* const to = y + (row + r) * N() + s.n + n;
        const auto vector = [&](int64_t i) {
          const int64_t left = s.columns - n - i;
          if (left >= lanes_) return store(load(from + i), to + i);
          if (left > 0) store_part(load(from + i), to + i, left);
        };
        vector(0);
        vector(lanes_);
      }
    }
  }

  const int64_t lanes_ = static_cast<int64_t>(hn::Lanes(F32())), width_ = 2 * lanes_;
  const Linear& op_;
  const Tiles& x_;
  const T* const w_;
  const int64_t step_ = Way::kDepth * op_.weight.out;  // elements of W
  const MultiplyTile multiply_;
};

template <typename Way>
void many_rows(Context& context, const Linear& op) {
  const int64_t R = op.x.shape[0], N = op.weight.out;
  const int64_t least = (R + kTileRows - 1) / kTileRows;
  const Tiles x = make_tiles(context, op.x, (R + least - 1) / least, Way::kDepth);
  const ManyRows<Way> rows(op, x);
  const int64_t blocks = (R + kBlockRows - 1) / kBlockRows,
                tiles = (x.count() + blocks - 1) / blocks,
                strips = (N + kStripColumns - 1) / kStripColumns;
  context.pool.parallel_each(strips * blocks, [&](int64_t piece, int thread) {
    const int64_t n = piece / blocks * kStripColumns, tile = piece % blocks * tiles;
    const int64_t next = (piece + context.pool.threads()) / blocks * kStripColumns;
    const Strip strip{n, std::min(kStripColumns, N - n), tile, std::min(tiles, x.count() - tile),
                      next < N ? next : n};
    if (strip.tiles <= 0) return;
    const int64_t of_panels = strip.panels() * rows.panel_floats(),
                  of_totals = strip.panels() * strip.tiles * rows.total_floats();
    float* const memory = context.of_thread[thread].take(of_panels + of_totals);
    rows.compute(strip, {memory, memory + of_panels});
  });
}

template <typename Way>
void in_out(Context& context, const Linear& op) {
  op.x.shape[0] <= kFewRows ? few_rows<Way>(context, op) : many_rows<Way>(context, op);
}
void in_out_f32(Context& context, const Linear& op) { in_out<Floats<float>>(context, op); }
void in_out_f16(Context& context, const Linear& op) { in_out<Floats<f16>>(context, op); }
void in_out_bf16(Context& context, const Linear& op) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (takes_pairs(op)) return in_out<Bf16Pairs>(context, op);
#endif
  in_out<Floats<bf16>>(context, op);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(in_out_f32);
HWY_EXPORT(in_out_bf16);
HWY_EXPORT(in_out_f16);

void linear_in_out(Context& context, const Linear& op) {
  switch (op.weight.type) {
    case WeightType::kF32: return HWY_DYNAMIC_DISPATCH(in_out_f32)(context, op);
    case WeightType::kBF16: return HWY_DYNAMIC_DISPATCH(in_out_bf16)(context, op);
    case WeightType::kF16: return HWY_DYNAMIC_DISPATCH(in_out_f16)(context, op);
    default: INK_CHECK(false, "linear: a weight of floats");
  }
}

}  // namespace inkstone::cpu
#endif
