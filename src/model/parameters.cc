#include "model/parameters.h"

#include <fmt/format.h>

#include <utility>

namespace inkstone {
namespace {
constexpr int64_t kAlignment = 16;  // elements: 64 bytes of float32
}

int ParameterTable::add(std::string name, const Shape& shape, Initialisation initialisation,
                        bool multiplied, int64_t maps) {
  rows_.push_back({.name = std::move(name),
                   .shape = shape,
                   .initialisation = initialisation,
                   .decay = shape.rank() == 2,
                   .multiplied = multiplied,
                   .maps = maps,
                   .offset = flat_count_});
  flat_count_ += (shape.count() + kAlignment - 1) / kAlignment * kAlignment;
  return static_cast<int>(rows_.size()) - 1;
}

ParameterTable::ParameterTable(const ModelConfig& config) {
  using enum Initialisation;
  const int64_t C = config.width;
  add("wte.weight", {config.vocab_size, C}, kNormal, true);
  add("wpe.weight", {config.context, C}, kNormal, false);
  for (int64_t l = 0; l < config.layers; ++l) {
    const auto row = [&](const char* part, const Shape& shape, Initialisation initialisation,
                         int64_t maps) {
      return add(fmt::format("h.{}.{}", l, part), shape, initialisation, maps > 0, maps);
    };
    LayerRows r{};
    r.ln_1_weight = row("ln_1.weight", {C}, kOne, 0);
    r.ln_1_bias = row("ln_1.bias", {C}, kZero, 0);
    r.attn_weight = row("attn.c_attn.weight", {C, 3 * C}, kNormal, 3);
    r.attn_bias = row("attn.c_attn.bias", {3 * C}, kZero, 0);
    r.attn_proj_weight = row("attn.c_proj.weight", {C, C}, kNormalResidual, 1);
    r.attn_proj_bias = row("attn.c_proj.bias", {C}, kZero, 0);
    r.ln_2_weight = row("ln_2.weight", {C}, kOne, 0);
    r.ln_2_bias = row("ln_2.bias", {C}, kZero, 0);
    r.fc_weight = row("mlp.c_fc.weight", {C, 4 * C}, kNormal, 1);
    r.fc_bias = row("mlp.c_fc.bias", {4 * C}, kZero, 0);
    r.fc_proj_weight = row("mlp.c_proj.weight", {4 * C, C}, kNormalResidual, 1);
    r.fc_proj_bias = row("mlp.c_proj.bias", {C}, kZero, 0);
    layers_.push_back(r);
  }
  add("ln_f.weight", {C}, kOne, false);
  add("ln_f.bias", {C}, kZero, false);
}

}  // namespace inkstone
