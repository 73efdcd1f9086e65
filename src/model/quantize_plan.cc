#include "model/quantize_plan.h"

#include <algorithm>
#include <array>
#include <utility>

namespace inkstone {
namespace {

using enum WeightType;

constexpr std::array<QuantizePreset, 19> kQuantizePresets = {{{"f32", kF32, 0},
                                                              {"f16", kF16, 1},
                                                              {"bf16", kBF16, 32},
                                                              {"q8_0", kQ8_0, 7},
                                                              {"q4_0", kQ4_0, 2},
                                                              {"q4_1", kQ4_1, 3},
                                                              {"q5_0", kQ5_0, 8},
                                                              {"q5_1", kQ5_1, 9},
                                                              {"iq4_nl", kIQ4_NL, 25},
                                                              {"q2_k", kQ2_K, 10},
                                                              {"q2_k_s", kQ2_K, 21},
                                                              {"q3_k_s", kQ3_K, 11},
                                                              {"q3_k_m", kQ3_K, 12},
                                                              {"q3_k_l", kQ3_K, 13},
                                                              {"q4_k_s", kQ4_K, 14},
                                                              {"q4_k_m", kQ4_K, 15},
                                                              {"q5_k_s", kQ5_K, 16},
                                                              {"q5_k_m", kQ5_K, 17},
                                                              {"q6_k", kQ6_K, 18}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kAliases = {
    {{"q3_k", "q3_k_m"}, {"q4_k", "q4_k_m"}, {"q5_k", "q5_k_m"}}};

// The layers at both ends and every third between them.
bool gets_more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// One matrix of a layer.
struct Place {
  enum class Part { kQkv, kAttentionOutput, kUp, kDown } part;
  int64_t layer, layers;

  bool has_more_bits() const { return gets_more_bits(layer, layers); }
  bool is_among_first(int64_t share) const { return layer < layers / share; }
};

Place place_of(const ParameterTable& table, int row) {
  using enum Place::Part;
  const int64_t layers = table.layers();
  for (int64_t l = 0; l < layers; ++l) {
    const LayerRows& r = table.layer(l);
    if (row == r.attn_weight) return {kQkv, l, layers};
    if (row == r.attn_proj_weight) return {kAttentionOutput, l, layers};
    if (row == r.fc_weight) return {kUp, l, layers};
    if (row == r.fc_proj_weight) return {kDown, l, layers};
  }
  INK_CHECK(false, "a matrix of a layer");
  return {kUp, 0, layers};
}

WeightType of_qkv(std::string_view preset, const Place& p, WeightType most) {
  if (preset == "q2_k") return kQ3_K;
  if (preset == "q3_k_m") return p.layer < 2 ? kQ5_K : kQ4_K;
  if (preset == "q3_k_l") return kQ5_K;
  if (preset == "q4_k_s") return p.layer < 4 ? kQ5_K : most;
  if (preset == "q4_k_m" || preset == "q5_k_m") return p.has_more_bits() ? kQ6_K : most;
  return most;
}

WeightType of_down(std::string_view preset, const Place& p, WeightType most, bool with_importance) {
  if (preset == "q2_k") return kQ3_K;
  if (preset == "q2_k_s") return p.is_among_first(8) ? kQ4_K : most;
  if (preset == "q3_k_m") return p.is_among_first(16) ? kQ5_K : kQ4_K;
  if (preset == "q3_k_l") return kQ5_K;
  if (preset == "q4_k_s") return p.is_among_first(8) ? kQ5_K : most;
  if (preset == "q4_k_m" || preset == "q5_k_m") return p.has_more_bits() ? kQ6_K : most;
  if (with_importance && p.is_among_first(8)) {
    if (preset == "q4_0") return kQ4_1;
    if (preset == "q5_0") return kQ5_1;
  }
  return most;
}

WeightType of_attention_output(std::string_view preset, WeightType most) {
  if (preset == "q2_k") return kQ3_K;
  if (preset == "q3_k_m") return kQ4_K;
  if (preset == "q3_k_l") return kQ5_K;
  return most;
}

WeightType wanted_type(const QuantizePreset& preset, const ParameterTable& table, int row,
                       bool with_importance) {
  if (row == table.output())
    return is_float(preset.type) || preset.type == kQ8_0 ? preset.type : kQ6_K;
  if (row == table.wte()) return preset.type;
  const Place place = place_of(table, row);
  switch (place.part) {
    case Place::Part::kQkv: return of_qkv(preset.name, place, preset.type);
    case Place::Part::kDown: return of_down(preset.name, place, preset.type, with_importance);
    case Place::Part::kAttentionOutput: return of_attention_output(preset.name, preset.type);
    case Place::Part::kUp: break;
  }
  return preset.type;
}

}  // namespace

WeightType fitting_type(WeightType type, int64_t in) {
  if (in % block_of(type).elements == 0) return type;
  switch (type) {
    case kQ2_K:
    case kQ3_K: type = kQ4_0; break;
    case kQ4_K: type = kQ5_0; break;
    case kQ5_K: type = kQ5_1; break;
    case kQ6_K: type = kQ8_0; break;
    default: type = kF16;
  }
  return in % block_of(type).elements == 0 ? type : kF16;
}

std::span<const QuantizePreset> quantize_presets() { return kQuantizePresets; }

std::optional<QuantizePreset> quantize_preset(std::string_view name) {
  for (const auto& [alias, meant] : kAliases) {
    if (name == alias) name = meant;
  }
  const auto at = std::ranges::find(kQuantizePresets, name, &QuantizePreset::name);
  return at == kQuantizePresets.end() ? std::nullopt : std::optional(*at);
}

WeightType quantized_type(const QuantizePreset& preset, const ParameterTable& table, int row,
                          bool with_importance) {
  const ParameterRow& r = table[row];
  if (r.shape.rank() == 1 || row == table.wpe()) return kF32;
  const int64_t in = r.maps > 0 ? r.shape[0] : r.shape[1];
  return fitting_type(wanted_type(preset, table, row, with_importance), in);
}

}  // namespace inkstone
