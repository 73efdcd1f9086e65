// The JSON header of a safetensors file, read as a stream.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace inkstone {

struct SafetensorsHeader {
  struct Entry {
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;  // no size is negative
    int64_t begin = 0, end = 0;  // data_offsets, neither of them negative
  };
  std::map<std::string, Entry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

// Throws kInvalidData on anything but an object of tensor descriptions with exactly the members
// dtype, shape and data_offsets, on names that occur twice and on an unknown dtype; kUnsupported on
// a dtype of the format that DType does not have. Whether the offsets fit the data is the caller's
// to check.
SafetensorsHeader parse_safetensors_header(std::string_view json);

// "F32", "BF16", ...: the format's name of a type.
std::string_view safetensors_name(DType type);

}  // namespace inkstone
