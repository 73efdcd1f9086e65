// NumPy's .npy format, version 1.0, for arrays of float32. Source: numpy.lib.format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace inkstone {

// Writes a C-ordered float32 array atomically. The product of `shape` must be data.size(); an empty
// shape is a scalar.
void write_npy(const std::filesystem::path& path, std::span<const float> data,
               const std::vector<int64_t>& shape);

}  // namespace inkstone
