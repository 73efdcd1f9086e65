// Matrix products of one tile by one thread: oneDNN's primitives, made once per shape and kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/dtype.h"

namespace inkstone::cpu {

enum class Layout { kNN, kNT, kTN };

// Row-major; stride: elements from one row to the next.
struct Matrix {
  void* data;
  DType dtype;
  int64_t rows, columns, stride;

  Matrix column_range(int64_t begin, int64_t count) const {
    return {static_cast<std::byte*>(data) + begin * size_bytes(dtype), dtype, rows, count, stride};
  }
  Matrix row_range(int64_t begin, int64_t count) const {
    return {static_cast<std::byte*>(data) + begin * stride * size_bytes(dtype), dtype, count,
            columns, stride};
  }
};

// C = A * B + bias (or C += ...), A and B as the layout says.
struct Product {
  Layout layout;
  Matrix a, b, c;
  const float* bias;  // may be null
  bool accumulate;

  int64_t m() const { return c.rows; }
  int64_t n() const { return c.columns; }
  int64_t k() const { return layout == Layout::kTN ? a.rows : a.columns; }
};

// The primitives that one backend has made: the most recently used ones, so that inputs of ever new
// sizes do not fill the memory.
class Products {
 public:
  static constexpr size_t kMostPrimitives = 256;

  explicit Products(int threads);
  ~Products();

  struct Primitive;
  // What multiplies like `p`: its types, sizes and strides. Not for several threads at once. Throws
  // kUnsupported where oneDNN has nothing for it.
  std::shared_ptr<const Primitive> find(const Product& p);
  // Computes `p` in the calling thread alone, `thread` of the pool. Several threads may do so at
  // the same time.
  void multiply(const Primitive& primitive, const Product& p, int thread);

  size_t size() const;  // primitives that are kept

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True when oneDNN multiplies bf16 itself, and f32 with any stride at full speed.
bool has_avx512();

}  // namespace inkstone::cpu
