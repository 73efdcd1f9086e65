// Norms of the columns of W + factor (B A)^T, without that matrix: 2 r + 2 flops per element of W,
// each of which is read once. Threads split the columns; a column is summed by one thread in the
// order of its rows, in f64, hence deterministic.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/cpu/operations.h"
#include "tensor/blocks.h"

namespace inkstone::cpu {
namespace {

constexpr int64_t kColumns = 64;  // of [in,out], by a thread at once

struct Sizes {
  int64_t in, out, rank;
};

void store_norm(const AdaptedNorms& op, int64_t j, double squares) {
  const double norm = std::sqrt(squares);
  op.norms.as<float>()[j] = static_cast<float>(norm);
  op.inverses.as<float>()[j] = norm > 0 ? static_cast<float>(1 / norm) : 0.0f;
}

// W [in,out] of floats: `count` columns from `first`, row by row.
void columns_of_in_out(const AdaptedNorms& op, const Sizes& s, int64_t first, int64_t count) {
  const int64_t element = row_bytes(op.weight.type, 1);
  const float *a = op.a.as<float>(), *b = op.b.as<float>();
  std::vector<float> factors(s.rank * kColumns);  // factor B^T of these columns
  for (int64_t i = 0; i < s.rank; ++i) {
    for (int64_t j = 0; j < count; ++j)
      factors[i * kColumns + j] = op.factor * b[(first + j) * s.rank + i];
  }
  std::array<float, kColumns> row;
  std::array<double, kColumns> squares{};
  for (int64_t k = 0; k < s.in; ++k) {
    decode_row(op.weight.type,
               static_cast<const std::byte*>(op.weight.data) + (k * s.out + first) * element, count,
               row.data());
    for (int64_t i = 0; i < s.rank; ++i) {
      const float of_a = a[i * s.in + k];
      for (int64_t j = 0; j < count; ++j) row[j] += of_a * factors[i * kColumns + j];
    }
    for (int64_t j = 0; j < count; ++j) squares[j] += double{row[j]} * row[j];
  }
  for (int64_t j = 0; j < count; ++j) store_norm(op, first + j, squares[j]);
}

// W [out,in], a row for each output.
void row_of_out_in(const AdaptedNorms& op, const Sizes& s, int64_t j, float* row) {
  const float *a = op.a.as<float>(), *b = op.b.as<float>() + j * s.rank;
  decode_row(op.weight.type,
             static_cast<const std::byte*>(op.weight.data) + j * row_bytes(op.weight.type, s.in),
             s.in, row);
  for (int64_t i = 0; i < s.rank; ++i) {
    const float of_b = op.factor * b[i];
    for (int64_t k = 0; k < s.in; ++k) row[k] += a[i * s.in + k] * of_b;
  }
  double squares = 0;
  for (int64_t k = 0; k < s.in; ++k) squares += double{row[k]} * row[k];
  store_norm(op, j, squares);
}

}  // namespace

void adapted_norms(Context& context, const AdaptedNorms& op) {
  const Sizes s{op.weight.in, op.weight.out, op.a.shape[0]};
  INK_CHECK(op.a.count() == s.rank * s.in && op.b.count() == s.out * s.rank &&
                op.norms.count() == s.out && op.inverses.count() == s.out,
            "adapted norms: sizes");
  if (op.weight.layout == WeightLayout::kOutIn) {
    context.pool.parallel_for(s.out, 4, [&](int64_t begin, int64_t end, int thread) {
      float* const row = context.of_thread[thread].take(s.in);
      for (int64_t j = begin; j < end; ++j) row_of_out_in(op, s, j, row);
    });
    return;
  }
  INK_CHECK(op.weight.layout == WeightLayout::kInOut && is_float(op.weight.type),
            "adapted norms: layout");
  const int64_t parts = (s.out + kColumns - 1) / kColumns;
  context.pool.parallel_for(parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part * kColumns;
      columns_of_in_out(op, s, first, std::min(kColumns, s.out - first));
    }
  });
}

}  // namespace inkstone::cpu
