// Where a model comes from: its configuration, and its tensors as files hold them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "formats/hf_config.h"
#include "inkstone/message.h"
#include "inkstone/model_config.h"
#include "kernels/backend.h"
#include "model/parameters.h"

namespace inkstone {

// The stored tensors of one model, by the rows of its parameter table.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // The tensor of a row, which stays valid as long as the source. A vector of n numbers is a matrix
  // with in = n, out = 1.
  virtual Weight get(int row) const = 0;
  // In which type the model has it; get() may give it in float32 instead, where it was changed.
  virtual WeightType type(int row) const { return get(row).type; }
  // What get(row) gave is not used any more; lets the system take back the memory of what was read
  // so far.
  virtual void release(int /*row*/) const {}
};

struct OpenedModel {
  ModelConfig config;
  HfConfigFiles files;  // empty where the model is no Hugging Face folder
  std::unique_ptr<TensorSource> source;
  std::string name;  // of its files, for messages
};

// A folder of Hugging Face's format: config.json and model.safetensors (or its sharded index).
// Throws kNotFound, kInvalidData or kMismatch ("tensor 'h.3.attn.c_attn.weight' has shape [768,
// 2303], config.json implies [768, 2304]"); names may carry the prefixes "transformer.", "module."
// and "_orig_mod."; attn.bias and attn.masked_bias are masks and ignored; an lm_head.weight must
// equal wte where config.json ties them. A file in which no part of GPT-2 has a bias is a model
// without biases. Tensors of something built on top of GPT-2 (a value head, a classifier) are left
// out, and named to on_message.
OpenedModel open_hf_model(const std::filesystem::path& folder,
                          const std::function<void(const Message&)>& on_message);

// Of a folder without weights that of config.json.
ModelConfig load_hf_config(const std::filesystem::path& folder);

// Either that, or a GGUF file (model/gguf_model.h).
OpenedModel open_model(const std::filesystem::path& folder_or_file,
                       const std::function<void(const Message&)>& on_message);

// Its configuration alone.
ModelConfig load_config(const std::filesystem::path& folder_or_file);

// The layout in which Hugging Face, and our parameter table, have a row.
WeightLayout table_layout(const ParameterRow& row);

// Throws kInvalidData, naming the tensor, when a number is not finite, or too large for halves
// where the type has them (its scales).
void check_fits(std::span<const float> values, WeightType type, const std::string& tensor);

// A stored tensor as float32 in the table's order, row.shape.count() numbers.
void read_tensor(const Weight& stored, const ParameterRow& row, std::span<float> out);

}  // namespace inkstone
