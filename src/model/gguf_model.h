// GPT-2s in GGUF files, as llama.cpp's architecture "gpt2" has them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "model/model_source.h"
#include "model/quantize_plan.h"

namespace inkstone {

class ThreadPool;

// The shape that a file's metadata and tensors describe. The vocabulary is that of token_embd; the
// output layer is tied where output.weight is absent or the same bytes as token_embd.weight (older
// converters wrote a copy). Throws kUnsupported, naming it, on another architecture and on one part
// of a model that was split; kInvalidData on sizes outside the program's limits, and when there is
// no token_embd. The second names the file.
ModelConfig gguf_config(const Gguf& gguf);
ModelConfig gguf_config(const GgufFile& file);

// The model of a file, whose tensors are used as they lie in it: matrices are [out, in]. Throws as
// gguf_config, kInvalidData on a tensor that is missing, has another shape than the metadata say or
// has no place in a GPT-2, and kUnsupported on a type that is not one of ours. Errors name the
// file.
OpenedModel open_gguf_model(const std::filesystem::path& path);

// A row of the parameter table by GGUF's name: "h.3.attn.c_attn.weight" is "blk.3.attn_qkv.weight".
std::string gguf_tensor_name(std::string_view parameter);

// The metadata of a model, without those of its tokenizer. Throws kUnsupported on what llama.cpp
// computes otherwise: another activation than GPT-2's. (It takes any inner width; scaling by
// inverse layers and absent biases are dealt with by the tensors.)
std::vector<GgufEntry> gguf_model_metadata(const ModelConfig& config, std::string_view name,
                                           const QuantizePreset& preset);

// How tensors are converted.
struct GgufConversion {
  std::function<WeightType(const ParameterTable& table, int row)> type_of;
  ThreadPool& pool;
  // As measure_importance has it; empty: all weights alike.
  std::vector<std::vector<float>> importance = {};
  std::function<void(int row)> on_written = {};
};

// The tensors of a model for write_gguf, in the table's order, converted one at a time, when they
// are written: memory is that of the largest in float32 and once more as it is written. The
// arguments must outlive the result. Throws then kInvalidData for a weight that is not finite.
// Biases that the model has not are zeros, which llama.cpp wants; where it scales attention by
// inverse layers, layer l's queries (weights and biases) are divided by l + 1.
std::vector<GgufTensorToWrite> gguf_model_tensors(const ModelConfig& config,
                                                  const TensorSource& source,
                                                  const GgufConversion& conversion);

}  // namespace inkstone
