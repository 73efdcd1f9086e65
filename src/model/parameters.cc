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

int64_t ParameterTable::multiplied_count() const {
  int64_t count = 0;
  for (const ParameterRow& row : rows_) count += row.multiplied ? row.shape.count() : 0;
  return count;
}

ParameterTable::ParameterTable(const ModelConfig& config) {
  using enum Initialisation;
  const int64_t C = config.width, I = config.inner_width();
  const auto bias = [&](std::string name, int64_t count) {
    return config.biases ? add(std::move(name), {count}, kZero, false) : kNoRow;
  };
  add("wte.weight", {config.vocab_size, C}, kNormal, config.tied_output);
  add("wpe.weight", {config.context, C}, kNormal, false);
  for (int64_t l = 0; l < config.layers; ++l) {
    const auto name = [&](const char* part) { return fmt::format("h.{}.{}", l, part); };
    const auto matrix = [&](const char* part, int64_t in, int64_t out,
                            Initialisation initialisation, int64_t maps) {
      return add(name(part), {in, out}, initialisation, true, maps);
    };
    LayerRows r{};
    r.ln_1_weight = add(name("ln_1.weight"), {C}, kOne, false);
    r.ln_1_bias = bias(name("ln_1.bias"), C);
    r.attn_weight = matrix("attn.c_attn.weight", C, 3 * C, kNormal, 3);
    r.attn_bias = bias(name("attn.c_attn.bias"), 3 * C);
    r.attn_proj_weight = matrix("attn.c_proj.weight", C, C, kNormalResidual, 1);
    r.attn_proj_bias = bias(name("attn.c_proj.bias"), C);
    r.ln_2_weight = add(name("ln_2.weight"), {C}, kOne, false);
    r.ln_2_bias = bias(name("ln_2.bias"), C);
    r.fc_weight = matrix("mlp.c_fc.weight", C, I, kNormal, 1);
    r.fc_bias = bias(name("mlp.c_fc.bias"), I);
    r.fc_proj_weight = matrix("mlp.c_proj.weight", I, C, kNormalResidual, 1);
    r.fc_proj_bias = bias(name("mlp.c_proj.bias"), C);
    layers_.push_back(r);
  }
  ln_f_weight_ = add("ln_f.weight", {C}, kOne, false);
  ln_f_bias_ = bias("ln_f.bias", C);
  output_ = config.tied_output ? wte()
                               : add("lm_head.weight", {config.vocab_size, C}, kNormal, true);
}

}  // namespace inkstone
