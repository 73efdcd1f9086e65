// Writing a model as GGUF, with weights of any type.
#include "inkstone/quantize.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "formats/gguf.h"
#include "model/adapted_model.h"
#include "model/gguf_model.h"
#include "model/importance.h"
#include "model/model_source.h"
#include "model/quantize_plan.h"
#include "tokenizer/gguf_tokenizer.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

QuantizePreset wanted_preset(const std::string& type) {
  if (const auto preset = quantize_preset(type)) return *preset;
  fail(ErrorCode::kUsage, "there is no type '{}': expected one of {}", type,
       fmt::join(quantize_types(), ", "));
}

std::vector<std::vector<float>> importance_of(const fs::path& model,
                                              const QuantizeOptions& options) {
  if (options.importance.empty()) return {};
  const auto backend = make_backend(options.runtime);
  const Weights weights(*backend, open_model(model, options.adapter, {}), {});
  for (const TokenId token : options.importance) {
    if (token < 0 || token >= weights.config().vocab_size)
      fail(ErrorCode::kMismatch, "token id {} lies outside the model's vocabulary of {}", token,
           weights.config().vocab_size);
  }
  return measure_importance(weights, options.importance, options.on_importance);
}

// What a person would call it: the file without its ending, the folder, of a checkpoint its run's.
std::string model_name(const fs::path& path) {
  fs::path whole = fs::absolute(path).lexically_normal();
  if (whole.filename().empty()) whole = whole.parent_path();
  if (fs::is_regular_file(whole)) return whole.stem().string();
  const std::string folder = whole.filename().string();
  return folder == "best" || folder == "last" ? whole.parent_path().filename().string() : folder;
}

// Throws as AtomicFile: before the work rather than after it.
void check_writable(const fs::path& output) {
  if (fs::is_directory(output))
    fail(ErrorCode::kUsage, "'{}' is a folder, expected the name of a file", output.string());
  const AtomicFile probe(output);
}

std::vector<QuantizedTensor> listed(std::span<const GgufTensorToWrite> tensors) {
  std::vector<QuantizedTensor> result;
  for (const GgufTensorToWrite& tensor : tensors) {
    const int64_t rows = tensor.shape.size() == 1 ? 1 : tensor.shape[0];
    result.push_back({tensor.name, std::string(name(tensor.type)),
                      rows * row_bytes(tensor.type, tensor.shape.back())});
  }
  return result;
}

}  // namespace

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const QuantizePreset& preset : quantize_presets()) names.emplace_back(preset.name);
  for (const char* alias : {"q3_k", "q4_k", "q5_k"}) names.emplace_back(alias);
  return names;
}

std::vector<QuantizedTensor> quantize(const fs::path& model, const fs::path& output,
                                      const QuantizeOptions& options) {
  const QuantizePreset preset = wanted_preset(options.type);
  check_writable(output);
  const fs::path from = find_model(model);
  const OpenedModel opened = open_model(from, options.adapter, options.on_message);
  auto metadata = gguf_model_metadata(opened.config, model_name(from), preset);
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(from, options.adapter));
  for (GgufEntry& entry : gguf_tokenizer_metadata(tokenizer, opened.config.vocab_size))
    metadata.push_back(std::move(entry));
  GgufConversion conversion{.type_of = {}, .pool = options.runtime.pool()};
  conversion.importance = importance_of(from, options);
  conversion.type_of = [&](const ParameterTable& table, int row) {
    return quantized_type(preset, table, row, !conversion.importance.empty());
  };
  const int rows = ParameterTable(opened.config).count();
  conversion.on_written = [&](int row) {
    if (options.on_progress) options.on_progress(row + 1, rows);
  };
  const auto tensors = gguf_model_tensors(opened.config, *opened.source, conversion);
  write_gguf(output, metadata, tensors);
  return listed(tensors);
}

}  // namespace inkstone
