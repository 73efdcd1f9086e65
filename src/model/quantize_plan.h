// Which tensor of a quantised model gets which type: llama.cpp's rules for a GPT-2.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/parameters.h"
#include "tensor/weight_type.h"

namespace inkstone {

struct QuantizePreset {
  std::string_view name;
  WeightType type;     // of most matrices
  uint32_t file_type;  // general.file_type
};

std::span<const QuantizePreset> quantize_presets();
// By its name, or by llama.cpp's short one (q4_k is q4_k_m); nullopt: none.
std::optional<QuantizePreset> quantize_preset(std::string_view name);

// What a matrix of rows of `in` numbers gets when `wanted` is asked for: where that is no whole
// number of its blocks, a type with smaller ones, else f16.
WeightType fitting_type(WeightType wanted, int64_t in);

// Of a row of the table. with_importance: there is an importance matrix.
WeightType quantized_type(const QuantizePreset& preset, const ParameterTable& table, int row,
                          bool with_importance);

}  // namespace inkstone
