// The shape of a GPT-2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

// Between the two products of the MLP. By Hugging Face's names: gelu_new, gelu_fast and
// gelu_pytorch_tanh are the first.
enum class Activation {
  kGeluTanh,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's
  kGelu,      // x Phi(x) = 0.5 x (1 + erf(x / sqrt(2))) (Hendrycks and Gimpel 2016)
  kRelu,      // max(x, 0)
  kSilu,      // x / (1 + e^-x) (also called swish)
};

// As Hugging Face's activation_function: "gelu_new", "gelu", "relu", "silu"; of several names for
// one the first. nullopt for a name that is none.
std::string_view activation_name(Activation activation);
std::optional<Activation> activation_by_name(std::string_view name);

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
  int64_t inner = 0;  // width of the MLP between its products; 0: 4 C (HF: n_inner)
  Activation activation = Activation::kGeluTanh;  // HF: activation_function
  bool tied_output = true;  // the output layer is the token embedding (HF: tie_word_embeddings)
  bool biases = true;       // of products and normalisations
  // The model was trained to see a whole prompt from each position of it, where GPT-2 sees what
  // comes before. A property of how it is run, not of its weights.
  bool prefix_lm = false;

  bool operator==(const ModelConfig&) const = default;

  int64_t head_size() const { return width / heads; }
  int64_t inner_width() const { return inner > 0 ? inner : 4 * width; }  // I
  // VC + TC + L(4C^2 + 2CI + 2C) + C, with VC more for an output layer of its own and
  // L(7C + I) + C for biases: every parameter once.
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
