#include "model/parameters.h"

#include <fmt/format.h>

#include <utility>

namespace inkstone {
namespace {
constexpr int64_t kAlignment = 16;  // elements: 64 bytes of float32
}

int ParameterTable::add(std::string name, const Shape& shape, Initialisation initialisation,
                        bool multiplied) {
  rows_.push_back({.name = std::move(name),
                   .shape = shape,
                   .initialisation = initialisation,
                   .decay = shape.rank() == 2,
                   .multiplied = multiplied,
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
                         bool multiplied) {
      return add(fmt::format("h.{}.{}", l, part), shape, initialisation, multiplied);
    };
    LayerRows r{};
    r.ln_1_weight = row("ln_1.weight", {C}, kOne, false);
    r.ln_1_bias = row("ln_1.bias", {C}, kZero, false);
    r.attn_weight = row("attn.c_attn.weight", {C, 3 * C}, kNormal, true);
    r.attn_bias = row("attn.c_attn.bias", {3 * C}, kZero, false);
    r.attn_proj_weight = row("attn.c_proj.weight", {C, C}, kNormalResidual, true);
    r.attn_proj_bias = row("attn.c_proj.bias", {C}, kZero, false);
    r.ln_2_weight = row("ln_2.weight", {C}, kOne, false);
    r.ln_2_bias = row("ln_2.bias", {C}, kZero, false);
    r.fc_weight = row("mlp.c_fc.weight", {C, 4 * C}, kNormal, true);
    r.fc_bias = row("mlp.c_fc.bias", {4 * C}, kZero, false);
    r.fc_proj_weight = row("mlp.c_proj.weight", {4 * C, C}, kNormalResidual, true);
    r.fc_proj_bias = row("mlp.c_proj.bias", {C}, kZero, false);
    layers_.push_back(r);
  }
  add("ln_f.weight", {C}, kOne, false);
  add("ln_f.bias", {C}, kZero, false);
}

}  // namespace inkstone
