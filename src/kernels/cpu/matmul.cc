// Matrix products by oneDNN.
//
// 2 M N K flops over (M K + K N + M N) elements: limited by the GEMM peak at training shapes (see
// docs/performance.md). C is cut into tiles whose borders depend on its shape alone; a tile is
// claimed by a thread and computed by it alone, so that the result is the same bits for every
// number of threads, and a thread that the system has put aside holds up one tile.
//
// Below AVX-512 oneDNN has no bf16 products, and its f32 kernel is half as fast on a B whose rows
// lie a multiple of 4096 bytes apart (they fall into the same few sets of the cache). There B is
// copied first, in slices, as f32 with rows that do not collide; bf16 operands are widened (which
// is exact) and a bf16 result is rounded once, so that the numbers are those of a machine that
// multiplies bf16 and adds in f32.
#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "kernels/cpu/operations.h"
#include "kernels/cpu/products.h"

namespace inkstone::cpu {
namespace {

// Of a large product; with tiles of 128 x 256 the operands are packed again too often.
constexpr int64_t kTileRows = 384, kTileRowUnit = 8;
constexpr int64_t kTileColumns = 192, kTileColumnUnit = 24;  // oneDNN's kernels take 24 or 48
// Of a small one the tiles are smaller, down to this, so that there are some for several threads.
constexpr int64_t kLeastTile = 96, kFewTiles = 4;

// [0, count) in equal parts of about `wanted`, whose length is a multiple of `unit`.
struct Tiling {
  int64_t count, length;

  Tiling(int64_t total, int64_t wanted, int64_t unit) : count(total), length(total) {
    const int64_t parts = (total + wanted - 1) / wanted;
    length = std::min(total, ((total + parts - 1) / parts + unit - 1) / unit * unit);
  }
  int64_t tiles() const { return (count + length - 1) / length; }
  int64_t begin(int64_t tile) const { return tile * length; }
  int64_t size(int64_t tile) const { return std::min(length, count - begin(tile)); }
};

// The tiles of C [rows, columns]: a function of these alone.
struct Tiles {
  Tiling rows, columns;

  Tiles(int64_t row_count, int64_t column_count)
      : rows(row_count, kTileRows, kTileRowUnit),
        columns(column_count, kTileColumns, kTileColumnUnit) {
    int64_t height = kTileRows, width = kTileColumns;
    while (rows.tiles() * columns.tiles() < kFewTiles && std::max(height, width) > kLeastTile) {
      (height >= width ? height : width) /= 2;
      rows = Tiling(row_count, height, kTileRowUnit);
      columns = Tiling(column_count, width, kTileColumnUnit);
    }
  }
};

Product tile_of(const Product& p, const Tiling& rows, int64_t i, const Tiling& columns, int64_t j) {
  const int64_t m0 = rows.begin(i), m = rows.size(i), n0 = columns.begin(j), n = columns.size(j);
  Product tile = p;
  tile.a = p.layout == Layout::kTN ? p.a.column_range(m0, m) : p.a.row_range(m0, m);
  tile.b = p.layout == Layout::kNT ? p.b.row_range(n0, n) : p.b.column_range(n0, n);
  tile.c = p.c.row_range(m0, m).column_range(n0, n);
  if (p.bias != nullptr) tile.bias = p.bias + n0;
  return tile;
}

void multiply(Context& context, const Product& p) {
  const Tiles tiles(p.m(), p.n());
  const Tiling &rows = tiles.rows, &columns = tiles.columns;
  const int64_t I = rows.tiles(), J = columns.tiles();
  // The tiles at the end of a row or column of tiles may be smaller.
  std::array<std::shared_ptr<const Products::Primitive>, 4> primitives;
  const auto kind = [&](int64_t i, int64_t j) {
    return (i == I - 1 ? 2 : 0) + (j == J - 1 ? 1 : 0);
  };
  for (const int64_t i : {int64_t{0}, I - 1}) {
    for (const int64_t j : {int64_t{0}, J - 1}) {
      primitives[kind(i, j)] = context.products->find(tile_of(p, rows, i, columns, j));
    }
  }
  context.pool.parallel_each(I * J, [&](int64_t task, int thread) {
    const int64_t i = task % I, j = task / I;  // neighbours share B
    context.products->multiply(*primitives[kind(i, j)], tile_of(p, rows, i, columns, j), thread);
  });
}

bool rows_collide(int64_t stride) {
  return stride * static_cast<int64_t>(sizeof(float)) % 4096 == 0;
}

// An f32 matrix in `memory` with rows that do not collide.
Matrix scratch_matrix(int64_t rows, int64_t columns, Scratch& memory) {
  const int64_t stride = rows_collide(columns) ? columns + 16 : columns;
  return {memory.take(rows * stride), DType::kF32, rows, columns, stride};
}

// A copy of `m` in `memory`, as f32.
Matrix staged(Context& context, const Matrix& m, Scratch& memory) {
  const Matrix copy = scratch_matrix(m.rows, m.columns, memory);
  copy_rows(context, {.from = m.data,
                      .from_dtype = m.dtype,
                      .from_stride = m.stride,
                      .to = copy.data,
                      .to_dtype = DType::kF32,
                      .to_stride = copy.stride,
                      .rows = m.rows,
                      .columns = m.columns});
  return copy;
}

// The part of a product that rows [begin, begin + count) of B take part in: nn adds up such parts,
// nt puts them side by side.
Product slice_of(const Product& p, const Matrix& b, int64_t begin) {
  Product part = p;
  part.b = b;
  if (p.layout == Layout::kNN) {
    part.a = p.a.column_range(begin, b.rows);
    part.accumulate = p.accumulate || begin > 0;
    if (begin > 0) part.bias = nullptr;
  } else if (p.layout == Layout::kNT) {
    part.c = p.c.column_range(begin, b.rows);
    if (p.bias != nullptr) part.bias = p.bias + begin;
  }
  return part;
}

// The product with B staged in slices, so that the copy stays in cache and small; A and C too where
// they are bf16.
void multiply_staged(Context& context, const Product& p) {
  constexpr int64_t kSliceBytes = int64_t{8} << 20;
  auto& [a_memory, b_memory, c_memory] = context.staged;
  Product whole = p;
  if (p.a.dtype == DType::kBF16) whole.a = staged(context, p.a, a_memory);
  if (p.c.dtype == DType::kBF16) {
    whole.c = p.accumulate ? staged(context, p.c, c_memory)
                           : scratch_matrix(p.c.rows, p.c.columns, c_memory);
  }
  const int64_t slice_rows = p.layout == Layout::kTN
                                 ? p.b.rows
                                 : std::max<int64_t>(
                                       64, kSliceBytes / (p.b.columns * int64_t{sizeof(float)}));
  for (int64_t begin = 0; begin < p.b.rows; begin += slice_rows) {
    const Matrix rows = p.b.row_range(begin, std::min(slice_rows, p.b.rows - begin));
    multiply(context, slice_of(whole, staged(context, rows, b_memory), begin));
  }
  if (p.c.dtype != DType::kBF16) return;
  copy_rows(context, {.from = whole.c.data,
                      .from_dtype = DType::kF32,
                      .from_stride = whole.c.stride,
                      .to = p.c.data,
                      .to_dtype = DType::kBF16,
                      .to_stride = p.c.stride,
                      .rows = p.c.rows,
                      .columns = p.c.columns});
}

// stride: of Matmul, 0 for that of a matrix whose rows lie one behind the other.
Matrix matrix_of(ConstView v, int64_t stride) {
  INK_CHECK(v.shape.rank() == 2, "matmul takes matrices");
  INK_CHECK(v.dtype == DType::kF32 || v.dtype == DType::kBF16, "matmul takes f32 or bf16");
  INK_CHECK(stride == 0 || stride >= v.shape[1], "matmul: rows that overlap");
  return {const_cast<void*>(v.data), v.dtype, v.shape[0], v.shape[1],
          stride == 0 ? v.shape[1] : stride};
}

Product product_of(const Matmul& op, Layout layout) {
  const Product p{layout,
                  matrix_of(op.a, op.a_stride),
                  matrix_of(op.b, op.b_stride),
                  matrix_of(op.c, op.c_stride),
                  op.bias ? op.bias.as<float>() : nullptr,
                  op.accumulate};
  INK_CHECK((layout == Layout::kTN ? p.a.columns : p.a.rows) == p.m(), "matmul: rows of A and C");
  INK_CHECK((layout == Layout::kNT ? p.b.rows : p.b.columns) == p.n(),
            "matmul: columns of B and C");
  INK_CHECK((layout == Layout::kNT ? p.b.columns : p.b.rows) == p.k(), "matmul: inner sizes");
  INK_CHECK(op.a.dtype == op.b.dtype, "matmul: types of A and B");
  INK_CHECK(!op.bias || op.bias.count() == p.n(), "matmul: bias");
  return p;
}

bool is_staged(Staging staging, const Product& p) {
  if (staging != Staging::kWhereFaster) return staging == Staging::kAlways;
  const bool any_bf16 = p.a.dtype == DType::kBF16 || p.c.dtype == DType::kBF16;
  const bool slow = p.layout == Layout::kNN && rows_collide(p.b.stride) && p.m() > 16;
  return !has_avx512() && (any_bf16 || slow);
}

void run(Context& context, const Matmul& op, Layout layout) {
  const Product p = product_of(op, layout);
  if (p.m() == 0 || p.n() == 0) return;
  if (is_staged(context.staging, p)) return multiply_staged(context, p);
  multiply(context, p);
}

}  // namespace

void matmul_nn(Context& context, const Matmul& op) { run(context, op, Layout::kNN); }
void matmul_nt(Context& context, const Matmul& op) { run(context, op, Layout::kNT); }
void matmul_tn(Context& context, const Matmul& op) { run(context, op, Layout::kTN); }

}  // namespace inkstone::cpu
