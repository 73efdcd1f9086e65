// Sizes of a tensor, row-major, the last index fastest.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/check.h"
#include "base/checked.h"

namespace inkstone {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    INK_CHECK(sizes.size() <= kMaxRank, "rank above 4");
    for (const int64_t size : sizes) sizes_[rank_++] = size;
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[i]; }
  int64_t last() const { return rank_ == 0 ? 1 : sizes_[rank_ - 1]; }
  // Product of all sizes; 1 for rank 0. Throws kUsage when it does not fit 63 bits.
  int64_t count() const {
    int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product = checked_product(product, sizes_[i]);
    return product;
  }
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

// "[2, 3]"
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", shape[i]);
  return text + "]";
}

}  // namespace inkstone
