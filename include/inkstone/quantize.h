// A model in fewer bits: a GGUF file with weights in blocks of small integers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "inkstone/model.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// What QuantizeOptions::type can be, by llama.cpp's names: one type for nearly all matrices (f32,
// f16, bf16, q8_0, q4_0, ...), or a mixture of types (q4_k_m, q5_k_m, ...).
std::vector<std::string> quantize_types();

struct QuantizeOptions {
  std::string type = "q4_k_m";
  std::filesystem::path adapter = {};  // merged into the model: as LoadOptions::adapter
  // Tokens of text like the one that the model will read: the errors of weights count by how large
  // the numbers are that they are multiplied with there (the importance matrix). Empty: all alike.
  std::vector<TokenId> importance = {};
  Runtime runtime = Runtime();
  std::function<void(const Message&)> on_message = {};
  // Of reading the importance text, then of writing: parts that are done, of all.
  std::function<void(int64_t done, int64_t all)> on_importance = {}, on_progress = {};
};

struct QuantizedTensor {
  std::string name, type;
  int64_t bytes = 0;
};

// Writes `output`, which llama.cpp loads, with the tokenizer inside, from a model folder, a run
// folder or a GGUF file. Which tensor gets which type is llama.cpp's rule: vectors and the position
// embedding stay f32, an output layer is q6_k or more, a row that is no whole number of its type's
// blocks gets another type. Throws kUsage for a type that is none, kUnsupported for what
// llama.cpp's gpt2 does not compute, kInvalidData for a weight that is not finite.
std::vector<QuantizedTensor> quantize(const std::filesystem::path& model,
                                      const std::filesystem::path& output,
                                      const QuantizeOptions& options);

// How far two models are from each other on a text.
struct ModelComparison {
  int64_t tokens = 0;               // predictions that were compared
  double loss = 0, other_loss = 0;  // mean -log P(token), in nats: perplexity is e^loss
  double divergence = 0;            // mean KL(P || other P), in nats
  double same_top = 0;              // share of predictions with the same likeliest token
};

// Windows of `window` tokens one after another, of which the second half is predicted (the rule of
// llama.cpp's perplexity). Throws kUsage when the text is shorter than a window.
ModelComparison compare_models(const Model& model, const Model& other,
                               std::span<const TokenId> tokens, int64_t window,
                               const std::function<void(int64_t done, int64_t all)>& on_progress);

}  // namespace inkstone
