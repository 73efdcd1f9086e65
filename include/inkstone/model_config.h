// The shape of a GPT-2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
struct ModelConfig {
  int64_t layers = 12;         // L
  int64_t heads = 12;          // NH
  int64_t width = 768;         // C, a multiple of heads
  int64_t context = 1024;      // the longest T
  int64_t vocab_size = 50257;  // V
  double layer_norm_epsilon = 1e-5;
  double initializer_range = 0.02;
  bool scale_attention_by_inverse_layer = false;  // HF: scale_attn_by_inverse_layer_idx

  bool operator==(const ModelConfig&) const = default;

  int64_t head_size() const { return width / heads; }
  // VC + TC + L(12C^2 + 13C) + 2C: every parameter once; the output layer shares the token
  // embedding.
  int64_t parameter_count() const;
};

// Throws kUsage (naming the field, its value and its range) unless every size is positive, within
// the program's limits, and width is a multiple of heads.
void validate(const ModelConfig& config);

// A named shape: gpt2, gpt2-medium, gpt2-large, gpt2-xl (as published), distilgpt2, and small ones:
// gpt-nano, gpt-micro, gpt-mini (minGPT's sizes), gpt-char (nanoGPT's CPU setting), gpt-baby
// (nanoGPT's 6 x 6 x 384). The vocabulary is GPT-2's until the caller sets it. nullopt for an
// unknown name.
std::optional<ModelConfig> preset(std::string_view name);
std::vector<std::string> preset_names();

}  // namespace inkstone
