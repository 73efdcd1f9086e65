// Typed, shaped pointers. A view owns nothing and is contiguous.
#pragma once

#include <cstddef>

#include "base/check.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace inkstone {

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};

struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  int64_t count() const { return shape.count(); }
  int64_t bytes() const { return checked_product(count(), size_bytes(dtype)); }
  template <typename T>
  const T* as() const {
    INK_CHECK(dtype == DTypeOf<T>::value, "view read as another element type");
    return static_cast<const T*>(data);
  }
};

struct View {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  operator ConstView() const { return {data, dtype, shape}; }
  int64_t count() const { return shape.count(); }
  int64_t bytes() const { return checked_product(count(), size_bytes(dtype)); }
  template <typename T>
  T* as() const {
    INK_CHECK(dtype == DTypeOf<T>::value, "view written as another element type");
    return static_cast<T*>(data);
  }
  // The same elements in another shape.
  View reshaped(const Shape& to) const {
    INK_CHECK(to.count() == shape.count(), "reshape changes the number of elements");
    return {data, dtype, to};
  }
  // `count` rows (indices of the first dimension) from `begin` on; of a vector, elements.
  View rows(int64_t begin, int64_t count) const {
    INK_CHECK(shape.rank() >= 1 && shape.rank() <= 2, "rows of a vector or a matrix");
    INK_CHECK(begin >= 0 && count >= 0 && begin + count <= shape[0], "row range");
    const int64_t width = shape.rank() == 2 ? shape[1] : 1;
    return {static_cast<std::byte*>(data) + begin * width * size_bytes(dtype), dtype,
            shape.rank() == 2 ? Shape{count, width} : Shape{count}};
  }
};

template <typename T>
View view(T* data, const Shape& shape) {
  return {data, DTypeOf<T>::value, shape};
}
template <typename T>
ConstView view(const T* data, const Shape& shape) {
  return {data, DTypeOf<T>::value, shape};
}

}  // namespace inkstone
