// Types of weights as files hold them: floats, and blocks of small integers with a scale.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"

namespace inkstone {

// By ggml's names. The blocks' bytes: docs/formats.md.
enum class WeightType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kIQ4_NL,  // blocks of 32
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,  // blocks of 256
};

// A row of a weight is a whole number of blocks.
struct WeightBlock {
  int64_t elements, bytes;
};
constexpr WeightBlock block_of(WeightType type) {
  switch (type) {
    case WeightType::kF32: return {1, 4};
    case WeightType::kF16:
    case WeightType::kBF16: return {1, 2};
    case WeightType::kQ8_0: return {32, 34};
    case WeightType::kQ4_0:
    case WeightType::kIQ4_NL: return {32, 18};
    case WeightType::kQ4_1: return {32, 20};
    case WeightType::kQ5_0: return {32, 22};
    case WeightType::kQ5_1: return {32, 24};
    case WeightType::kQ2_K: return {256, 84};
    case WeightType::kQ3_K: return {256, 110};
    case WeightType::kQ4_K: return {256, 144};
    case WeightType::kQ5_K: return {256, 176};
    case WeightType::kQ6_K: return {256, 210};
  }
  return {1, 0};
}

// f32, f16 and bf16: every element is a number by itself.
constexpr bool is_float(WeightType type) { return block_of(type).elements == 1; }

// Bytes of a row of `elements`, a whole number of blocks.
constexpr int64_t row_bytes(WeightType type, int64_t elements) {
  const WeightBlock block = block_of(type);
  INK_CHECK(elements % block.elements == 0, "a row is a whole number of blocks");
  return elements / block.elements * block.bytes;
}

// "f32", "q8_0", "q4_k", "iq4_nl", ...; nullopt for a name that is none.
std::string_view name(WeightType type);
std::optional<WeightType> weight_type_by_name(std::string_view name);
std::span<const std::string_view> weight_type_names();

}  // namespace inkstone
