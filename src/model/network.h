// A GPT-2's weights on a device.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "inkstone/model_config.h"
#include "kernels/backend.h"
#include "model/model_source.h"
#include "model/parameters.h"

namespace inkstone {

// The weights in float32 (the master weights), and, when computing in bf16, bf16 copies of the
// matrices that GEMMs read. The backend must outlive it.
class Network {
 public:
  // Weights are zero. compute: kF32 or kBF16, the type of activations and GEMM operands.
  Network(Backend& backend, const ModelConfig& config, DType compute);

  Backend& backend() const { return *backend_; }
  const ModelConfig& config() const { return config_; }
  const ParameterTable& table() const { return table_; }
  DType compute() const { return compute_; }
  // The files that the model was loaded with; empty for one that was made here.
  const HfConfigFiles& files() const { return files_; }
  void set_files(HfConfigFiles files) { files_ = std::move(files); }

  // The float32 weights of a row (kNoRow: an empty view); all rows at once (padding is zero and
  // must stay so).
  View master(int row) const;
  View flat_master() const { return master_.view(DType::kF32, {table_.flat_count()}); }
  // What a GEMM reads: the bf16 copy in mixed precision, else the master weights.
  View operand(int row) const;
  // The bf16 copy of a row, which an optimiser step writes; empty view when the row has none.
  View copy(int row) const;
  // Renews every bf16 copy from the master weights; to be called after writing to them.
  void refresh_copies();

  // GPT-2's initialisation, a pure function of (config, seed).
  void initialise(uint64_t seed);

 private:
  Backend* backend_;
  ModelConfig config_;
  HfConfigFiles files_;
  ParameterTable table_;
  DType compute_;
  Buffer master_;
  Buffer copies_;
};

// The weights of an opened model as float32, for training. Where its configuration has more ids than
// the file, their rows are the mean of the file's. Throws as read_tensor.
std::unique_ptr<Network> load_network(Backend& backend, OpenedModel model, DType compute);

// Writes `path` (model.safetensors) with HF's names and the metadata that Transformers asks for.
void save_weights(const Network& network, const std::filesystem::path& path);
}  // namespace inkstone
