// Heads of queries, keys or values where they lie: by themselves or among other numbers.
#pragma once

#include "tensor/view.h"

namespace inkstone {

// Element e of head h in row r is data[r * row_stride + h * head_stride + e]; strides are in
// elements. `data` begins with head 0 of row 0 and reaches at least to the last element of the last
// head. It owns nothing.
struct ConstStridedHeads {
  ConstView data;
  int64_t heads = 0, row_stride = 0, head_stride = 0;

  template <typename T>
  const T* at(int64_t row, int64_t head) const {
    return data.as<T>() + row * row_stride + head * head_stride;
  }
};

struct StridedHeads {
  View data;
  int64_t heads = 0, row_stride = 0, head_stride = 0;

  operator ConstStridedHeads() const { return {data, heads, row_stride, head_stride}; }
  template <typename T>
  T* at(int64_t row, int64_t head) const {
    return data.as<T>() + row * row_stride + head * head_stride;
  }
};

// The heads that lie side by side in a matrix [rows, width], each `size` wide, from a column on.
inline StridedHeads heads_in_columns(View matrix, int64_t width, int64_t column, int64_t heads,
                                     int64_t size) {
  return {.data = {static_cast<std::byte*>(matrix.data) + column * size_bytes(matrix.dtype),
                   matrix.dtype,
                   {matrix.count() - column}},
          .heads = heads,
          .row_stride = width,
          .head_stride = size};
}

// q, k and v of rows q | k | v.
struct PackedHeads {
  StridedHeads q, k, v;
};

// qkv [..., (NH + 2 KVH) HS]: NH heads of queries, then KVH of keys, then KVH of values.
inline PackedHeads split_heads(View qkv, int64_t NH, int64_t KVH) {
  const int64_t width = qkv.shape[qkv.shape.rank() - 1], size = width / (NH + 2 * KVH);
  INK_CHECK(size * (NH + 2 * KVH) == width, "heads do not fill the rows");
  return {.q = heads_in_columns(qkv, width, 0, NH, size),
          .k = heads_in_columns(qkv, width, NH * size, KVH, size),
          .v = heads_in_columns(qkv, width, (NH + KVH) * size, KVH, size)};
}

}  // namespace inkstone
