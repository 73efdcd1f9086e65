// Adapters as llama.cpp reads them: GGUF files of the type "adapter". Source: llama.cpp's
// src/llama-adapter.cpp.
#include <cmath>

#include "base/error.h"
#include "formats/gguf.h"
#include "inkstone/adapter.h"
#include "inkstone/model.h"
#include "model/adapted_model.h"
#include "model/gguf_model.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

void require_known_to_llama(const Adapter& adapter) {
  const auto refuse = [](const Message& what) {
    fail(ErrorCode::kUnsupported,
         "llama.cpp does not apply {} of an adapter: merge it into its model instead (inkstone "
         "merge, or inkstone quantize --adapter)",
         what);
  };
  if (adapter.config.use_dora) refuse(marked("the magnitudes (use_dora)"));
  if (!adapter.whole.empty())
    refuse(message("'{}', which was trained as a whole,", adapter.whole.front().name));
  for (const AdapterModule& m : adapter.modules) {
    if (!m.name.starts_with("h.")) refuse(message("the change of '{}'", m.name));
  }
}

// What llama.cpp divides by the rank. Zero would mean 1 there.
double file_alpha(const AdapterConfig& config) {
  const auto rank = static_cast<double>(config.rank);
  const double alpha = config.scale(config.rank) * rank;
  return alpha == 0 ? rank : alpha;
}

// B with what the file's scale lacks. Queries are divided by their layer where the model scales
// attention so: in the file's model too.
std::vector<float> file_b(const AdapterModule& m, double alpha, const ModelConfig& model) {
  const double factor = m.scale * static_cast<double>(m.rank) / alpha;
  std::vector<float> b(m.b.size());
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(factor * m.b[i]);
  if (model.scale_attention_by_inverse_layer && m.name.ends_with("attn.c_attn")) {
    const auto layer = static_cast<float>(std::stoi(m.name.substr(2)) + 1);
    for (size_t i = 0; i < b.size() / 3; ++i) b[i] /= layer;
  }
  return b;
}

GgufTensorToWrite tensor_of(std::string name, std::vector<int64_t> shape,
                            std::vector<float> values) {
  return {std::move(name), WeightType::kF32, std::move(shape),
          [values = std::move(values)](const GgufSink& sink) {
            sink(std::as_bytes(std::span(values)));
          }};
}

std::vector<GgufTensorToWrite> tensors_of(const Adapter& adapter, double alpha,
                                          const ModelConfig& model) {
  std::vector<GgufTensorToWrite> tensors;
  for (const AdapterModule& m : adapter.modules) {
    const std::string name = gguf_tensor_name(m.name + ".weight");
    tensors.push_back(tensor_of(name + ".lora_a", {m.rank, m.in}, m.a));
    tensors.push_back(tensor_of(name + ".lora_b", {m.out, m.rank}, file_b(m, alpha, model)));
  }
  return tensors;
}

}  // namespace

void write_adapter_gguf(const fs::path& adapter, const fs::path& model, const fs::path& output) {
  const fs::path folder = find_adapter(adapter);
  const fs::path base = model.empty() ? base_of_adapter(folder) : find_model(model);
  const ModelConfig config = load_config(base);
  const Adapter read = read_adapter(folder, config);
  require_known_to_llama(read);
  const double alpha = file_alpha(read.config);
  const std::vector<GgufEntry> metadata = {
      gguf_string("general.architecture", "gpt2"), gguf_string("general.type", "adapter"),
      gguf_string("general.name", folder.filename().string()), gguf_string("adapter.type", "lora"),
      gguf_f32("adapter.lora.alpha", static_cast<float>(alpha))};
  write_gguf(output, metadata, tensors_of(read, alpha, config));
}

}  // namespace inkstone
