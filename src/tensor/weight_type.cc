// Names of the types of weights.
#include "tensor/weight_type.h"

#include <array>

namespace inkstone {
namespace {
constexpr std::array<std::string_view, 14> kNames = {"f32",  "f16",  "bf16", "q8_0",   "q4_0",
                                                     "q4_1", "q5_0", "q5_1", "iq4_nl", "q2_k",
                                                     "q3_k", "q4_k", "q5_k", "q6_k"};
}  // namespace

std::string_view name(WeightType type) { return kNames[static_cast<size_t>(type)]; }

std::span<const std::string_view> weight_type_names() { return kNames; }

std::optional<WeightType> weight_type_by_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<WeightType>(i);
  }
  return std::nullopt;
}

}  // namespace inkstone
