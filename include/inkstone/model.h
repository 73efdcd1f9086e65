// A trained GPT-2: load, logits, save.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inkstone/error.h"
#include "inkstone/model_config.h"
#include "inkstone/runtime.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Type of activations and of GEMM operands. kBF16 keeps float32 master weights, sums and
// normalisation.
enum class ComputeType { kF32, kBF16 };

struct LoadOptions {
  Runtime runtime = Runtime();
  ComputeType compute = ComputeType::kF32;
  // Type in which the matrices are held, one of weight_names(). "auto": as the files have them, but
  // float32 as bf16 where bf16 is computed in.
  // What the files have already is used as it lies in them; else it is converted when the model is
  // loaded.
  std::string weights = "auto";
  // Type in which keys and values are held, one of cache_names(). "auto": that of the arithmetic.
  std::string cache = "auto";
  // A LoRA adapter in a folder of PEFT's format, or a run folder with one, that is merged into the
  // weights as they are loaded: docs/adapters.md. Empty: none.
  std::filesystem::path adapter = {};
  // Told what was left out of a file, such as the value head of a model from reinforcement
  // learning.
  std::function<void(const Message&)> on_message = {};
};

// What LoadOptions::weights can be: "auto", "f32", ...
std::vector<std::string> weight_names();
// What LoadOptions::cache can be: "auto", "f32", "f16", "bf16", "q8_0". Bytes for a position of a
// channel: 4, 2, 2, 1.06. q8_0 takes heads of a multiple of 32 channels: load throws kMismatch for
// others.
std::vector<std::string> cache_names();

// What to load when the user names a model: a model folder (it has config.json), an adapter's folder
// (it has adapter_config.json, which names the model that it is for), a GGUF file, or of a run
// folder the best, else last checkpoint. Throws kNotFound saying what was looked for.
std::filesystem::path find_model(const std::filesystem::path& model_or_run);
// What to load the tokenizer of a model from: the adapter where it has one of its own, else the
// model. Throws as find_model.
std::filesystem::path find_tokenizer(const std::filesystem::path& model_or_run,
                                     const std::filesystem::path& adapter = {});
// What to load when the user names an adapter: its folder, or of a run folder the best, else last
// checkpoint. Throws as find_model.
std::filesystem::path find_adapter(const std::filesystem::path& adapter_or_run);

// Weights on a device. Copying shares them. Not for use by several threads at once.
class Model {
 public:
  // Reads a Hugging Face folder, a run folder, a GGUF file, or an adapter with its model. Throws
  // kNotFound, kInvalidData, kMismatch, kUnsupported.
  static Model load(const std::filesystem::path& model_or_run, const LoadOptions& options = {});
  // GPT-2's initialisation.
  static Model create(const ModelConfig& config, uint64_t seed, const LoadOptions& options = {});

  const ModelConfig& config() const;

  // Logits [T, V], row-major, of tokens (1 to context of them, ids inside the vocabulary). Throws
  // kUsage.
  std::vector<float> logits(std::span<const TokenId> tokens) const;

  // Writes config.json, generation_config.json and model.safetensors (float32) into the folder. Of
  // a model that was loaded the two JSON files come back byte for byte, but for what is not so any
  // more (another type of the weights); of one that was made here they name no end mark.
  void save(const std::filesystem::path& folder) const;

  struct Impl;  // defined in src/model, for the library itself
  explicit Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace inkstone
