// LoRA adapters in folders of PEFT's format: merged into their model, and as files of llama.cpp.
// LoadOptions::adapter merges one while a model is loaded. docs/adapters.md.
#pragma once

#include <filesystem>
#include <functional>

#include "inkstone/message.h"

namespace inkstone {

// Writes the model with the adapter merged into it as a Hugging Face folder: config.json,
// generation_config.json, model.safetensors and the tokenizer's files (find_tokenizer). Weights
// have the types that the model's have, blocks of a quantised GGUF file become float32; tensors
// that the adapter does not change are the same bytes. `model` may be the adapter itself, `adapter`
// is then empty. Throws as Model::load, and kUsage when `output` is the model's or the adapter's
// folder.
void merge_adapter(const std::filesystem::path& model, const std::filesystem::path& adapter,
                   const std::filesystem::path& output,
                   const std::function<void(const Message&)>& on_message = {});

// Writes the adapter for llama.cpp (--lora): a GGUF file of the type "adapter". `model` is what the
// adapter is for; empty: what it names itself. The file's scale is always alpha / rank, so that
// rsLoRA's alpha is multiplied by sqrt(rank), and what single modules have of their own is
// multiplied into B. Throws as Model::load, and kUnsupported for what llama.cpp does not apply:
// DoRA, trained biases and whole parts, and changes of embeddings or of a tied output layer.
void write_adapter_gguf(const std::filesystem::path& adapter, const std::filesystem::path& model,
                        const std::filesystem::path& output);

}  // namespace inkstone
