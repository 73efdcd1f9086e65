// y = x W + bias with weights in blocks, packed (panel.h). A row of x is rounded to 8-bit integers,
// 32 at a time (quantized_rows.h); a product of two integers takes a quarter of the time of one of
// floats, and W is 2.6 to 8.5 bits a weight to read: few rows are limited by reading W once, many
// by the dot products.
//
// Threads split the panels, 16 columns each. In a panel up to 8 rows are computed at a time, which
// share the unpacking of codes. Rows are taken in chunks whose integers stay in the cache. An
// element of y is a sum of floats, a term or few for each 32 inputs, in the order of the inputs: it
// does not depend on other rows, on the number of threads, nor, where products and sums are fused,
// on the instruction set.
#include <hwy/cache_control.h>
#include <algorithm>
#include <type_traits>

#include "kernels/cpu/extensions.h"
#include "kernels/cpu/operations.h"
#include "kernels/cpu/quantized_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear_blocks.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/block_product-inl.h"

#ifndef INKSTONE_KERNELS_CPU_LINEAR_BLOCKS_
#define INKSTONE_KERNELS_CPU_LINEAR_BLOCKS_
namespace inkstone::cpu {
namespace {

// Rows [first_row, first_row + count) of y; their activations begin at `rows`.
struct BlockProduct {
  const Linear& op;
  const QuantizedGroup* rows;
  int64_t first_row, count;
  Extensions extensions;
};

}  // namespace
}  // namespace inkstone::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// Rows at a time: as many as the registers hold; then `fewer` while there are rows, and so on. Each
// size is one more compilation for every type, so the paths of older machines have two.
template <typename Dots>
constexpr int kMaxRows = kLanes >= 16 && !std::is_same_v<Dots, PlainDots> ? 8
                         : kLanes > 1                                     ? 4
                                                                          : 1;
template <typename Dots>
constexpr int fewer(int rows) {
  return kMaxRows<Dots> == 8 ? rows / 2 : 1;
}

struct Panel {
  const uint8_t* data;
  int64_t groups;
};

// The panels lie one after another: what is read in a moment, of this one or the next, is asked for
// so far ahead. What lies beyond the last one is asked for in vain, which does no harm.
constexpr int64_t kAheadBytes = 4096;
HWY_INLINE void prefetch(const uint8_t* p, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kLineBytes) hwy::Prefetch(p + kAheadBytes + i);
}

// acc[r] += a chunk of `groups` groups, this vector's columns; moves `chunk` and `rows` behind it.
template <BlockForm kForm, typename Dots, int kRows>
HWY_INLINE void add_chunk(int64_t groups, int64_t column, const uint8_t*& chunk,
                          const QuantizedGroup*& rows, int64_t stride, VF* acc) {
  const int64_t scale_bytes = chunk_scale_bytes(kForm, groups);
  const uint8_t *scales = chunk, *codes = chunk + scale_bytes;
  prefetch(scales, scale_bytes);
  for (int64_t g = 0; g < groups; g += kForm.groups_of_block()) {
    const VF d = load_halves(scales + 2 * column);
    const VF m = kForm.zero != 0 ? d : load_halves(scales + 2 * (kPanelColumns + column));
    scales += kForm.block_scale_bytes();
    for (int i = 0; i < kForm.groups_of_block(); ++i) {
      prefetch(codes, kForm.code_bytes());
      const GroupScales s = group_scales<kForm>(scales, column, d, m);
      add_group<kForm, Dots, kRows>(codes + 4 * column, s, rows, acc);
      codes += kForm.code_bytes();
      scales += kForm.group_scale_bytes();
      rows += stride;
    }
  }
  chunk = codes;
}

// out[kRows][16] = the product without bias. The rows' groups are `stride` apart.
template <BlockForm kForm, typename Dots, int kRows>
HWY_NOINLINE void panel_rows(const Panel& panel, const QuantizedGroup* first_group, int64_t stride,
                             float* out) {
  for (int column = 0; column < kPanelColumns; column += kLanes) {
    VF acc[kRows];
    unrolled<kRows>([&](auto r) HWY_ATTR { acc[r] = hn::Zero(F32()); });
    const uint8_t* chunk = panel.data;
    const QuantizedGroup* rows = first_group;
    for (int64_t g = 0; g < panel.groups; g += kChunkGroups) {
      const int64_t groups = std::min<int64_t>(kChunkGroups, panel.groups - g);
      add_chunk<kForm, Dots, kRows>(groups, column, chunk, rows, stride, acc);
    }
    unrolled<kRows>([&](auto r) HWY_ATTR { store(acc[r], out + r * kPanelColumns + column); });
  }
}

// y = sums + bias for `count` (at most 16) columns of a row.
template <typename T>
void finish_row(const float* sums, const float* bias, size_t count, T* y) {
  for_vectors(
      count,
      [&](size_t i) {
        const VF x = load(sums + i);
        store(bias != nullptr ? hn::Add(x, load(bias + i)) : x, y + i);
      },
      [&](size_t i, size_t n) {
        const VF x = load(sums + i);
        store_part(bias != nullptr ? hn::Add(x, load_part(bias + i, n)) : x, y + i, n);
      });
}

void finish(const BlockProduct& product, int64_t row, int64_t count, int64_t column,
            const float* sums) {
  const Linear& op = product.op;
  const int64_t N = op.weight.out;
  const size_t columns = static_cast<size_t>(std::min<int64_t>(kPanelColumns, N - column));
  const float* const bias = op.bias ? op.bias.as<float>() + column : nullptr;
  for (int64_t r = 0; r < count; ++r, sums += kPanelColumns) {
    const int64_t at = (product.first_row + row + r) * N + column;
    if (op.y.dtype == DType::kBF16) {
      finish_row(sums, bias, columns, op.y.as<bf16>() + at);
    } else {
      finish_row(sums, bias, columns, op.y.as<float>() + at);
    }
  }
}

// Row `row` and as many as can follow it at a time, at most kRows; returns how many.
template <BlockForm kForm, typename Dots, int kRows>
int64_t some_rows(const BlockProduct& product, const Panel& panel, int64_t column, int64_t row) {
  if constexpr (kRows > 1) {
    if (product.count - row < kRows)
      return some_rows<kForm, Dots, fewer<Dots>(kRows)>(product, panel, column, row);
  }
  const int64_t tile = row / kTileRows * kTileRows,
                stride = std::min(kTileRows, product.count - tile);
  float sums[kRows * kPanelColumns];
  panel_rows<kForm, Dots, kRows>(panel, product.rows + tile * panel.groups + (row - tile), stride,
                                 sums);
  finish(product, row, kRows, column, sums);
  return kRows;
}

template <WeightType kType, typename Dots>
void product_of_panels(const BlockProduct& product, int64_t begin, int64_t end) {
  constexpr BlockForm kForm = form_of(kType);
  const Weight& w = product.op.weight;
  const int64_t groups = w.in / kGroup, bytes = panel_bytes(kForm, groups);
  for (int64_t p = begin; p < end; ++p) {
    const Panel panel{static_cast<const uint8_t*>(w.data) + p * bytes, groups};
    for (int64_t row = 0; row < product.count;)
      row += some_rows<kForm, Dots, kMaxRows<Dots>>(product, panel, p * kPanelColumns, row);
  }
}

template <typename Dots>
void product_of_type(const BlockProduct& product, int64_t begin, int64_t end) {
  using enum WeightType;
  switch (product.op.weight.type) {
    case kQ8_0: return product_of_panels<kQ8_0, Dots>(product, begin, end);
    case kQ4_0: return product_of_panels<kQ4_0, Dots>(product, begin, end);
    case kQ4_1: return product_of_panels<kQ4_1, Dots>(product, begin, end);
    case kQ5_0: return product_of_panels<kQ5_0, Dots>(product, begin, end);
    case kQ5_1: return product_of_panels<kQ5_1, Dots>(product, begin, end);
    case kIQ4_NL: return product_of_panels<kIQ4_NL, Dots>(product, begin, end);
    case kQ2_K: return product_of_panels<kQ2_K, Dots>(product, begin, end);
    case kQ3_K: return product_of_panels<kQ3_K, Dots>(product, begin, end);
    case kQ4_K: return product_of_panels<kQ4_K, Dots>(product, begin, end);
    case kQ5_K: return product_of_panels<kQ5_K, Dots>(product, begin, end);
    case kQ6_K: return product_of_panels<kQ6_K, Dots>(product, begin, end);
    case kF32:
    case kF16:
    case kBF16: break;
  }
}

// Panels [begin, end).
void block_product(const BlockProduct& product, int64_t begin, int64_t end) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  constexpr bool kWide = HWY_TARGET <= HWY_AVX3;
  if (kWide ? product.extensions.avx512_vnni : product.extensions.avx_vnni)
    return product_of_type<VnniDots>(product, begin, end);
#endif
  product_of_type<PlainDots>(product, begin, end);
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(block_product);

namespace {

void check(const Linear& op) {
  const Weight& w = op.weight;
  INK_CHECK(w.layout == WeightLayout::kPacked && !is_float(w.type), "linear_blocks: not packed");
  INK_CHECK(w.in % block_of(w.type).elements == 0, "linear_blocks: a row is whole blocks");
  INK_CHECK(op.x.shape[1] == w.in && op.y.shape[1] == w.out && op.x.shape[0] == op.y.shape[0],
            "linear_blocks: sizes");
  INK_CHECK(!op.bias || op.bias.count() == w.out, "linear_blocks: bias");
}

// Rows whose integers take about half of a level 2 cache.
int64_t rows_of_chunk(int64_t groups) {
  constexpr int64_t kChunkBytes = 256 << 10;
  const int64_t rows = kChunkBytes / (groups * static_cast<int64_t>(sizeof(QuantizedGroup)));
  return std::max(kTileRows, rows / kTileRows * kTileRows);
}

ConstView rows_of(ConstView x, int64_t begin, int64_t count) {
  const int64_t row = x.shape[1] * size_bytes(x.dtype);
  return {static_cast<const std::byte*>(x.data) + begin * row, x.dtype, {count, x.shape[1]}};
}

}  // namespace

void linear_blocks(Context& context, const Linear& op) {
  check(op);
  const BlockForm form = form_of(op.weight.type);
  const int64_t R = op.x.shape[0], groups = op.weight.in / kGroup,
                chunk = std::min(R, rows_of_chunk(groups));
  constexpr int64_t kFloats = sizeof(QuantizedGroup) / sizeof(float);
  auto* const rows = reinterpret_cast<QuantizedGroup*>(
      context.partial.take(chunk * groups * kFloats));
  for (int64_t first = 0; first < R; first += chunk) {
    const int64_t count = std::min(chunk, R - first);
    const ConstView x = rows_of(op.x, first, count);
    context.pool.parallel_for(count, 4, [&](int64_t begin, int64_t end, int) {
      quantize_rows(form, x, begin, end, rows);
    });
    const BlockProduct product{op, rows, first, count, extensions()};
    context.pool.parallel_for(panels(op.weight.out), 1, [&](int64_t begin, int64_t end, int) {
      HWY_DYNAMIC_DISPATCH(block_product)(product, begin, end);
    });
  }
}

}  // namespace inkstone::cpu
#endif
