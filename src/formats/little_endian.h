// Numbers in little-endian byte order, at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace inkstone {

// Every format of this layer is little-endian, as is every machine that Inkstone is built for;
// arrays are therefore copied as they are.
static_assert(std::endian::native == std::endian::little,
              "a big-endian machine needs byte swaps here");

// The caller has checked that sizeof(T) bytes are there.
template <typename T>
T load_little_endian(const void* at) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void append_little_endian(std::string& to, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace inkstone
