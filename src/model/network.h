// A GPT-2's weights on a device.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inkstone/lora.h"
#include "inkstone/model_config.h"
#include "kernels/backend.h"
#include "model/model_source.h"
#include "model/parameters.h"

namespace inkstone {

class Weights;

// The weights in float32 (the master weights), and, when computing in bf16, bf16 copies of the
// matrices that GEMMs read; or those of an adapter alone, whose base is used as it is stored. The
// backend must outlive it.
class Network {
 public:
  // Weights are zero. compute: kF32 or kBF16, the type of activations and GEMM operands.
  Network(Backend& backend, const ModelConfig& config, DType compute);
  // An adapter of rank lora.rank that is zero yet, for a base that is not packed and must outlive
  // it. Throws kUsage as ParameterTable.
  Network(const Weights& base, const LoraOptions& lora);

  Backend& backend() const { return *backend_; }
  const ModelConfig& config() const { return config_; }
  const ParameterTable& table() const { return table_; }
  DType compute() const { return compute_; }
  // Null: all weights are here.
  const Weights* base() const { return base_; }
  // Of the adapter; its rank is 0 where there is none.
  const LoraOptions& lora() const { return lora_; }
  // As ParameterTable's; to be called before anything is laid out by the table.
  void set_policy(std::string_view freeze, double layer_lr_decay) {
    table_.set_policy(freeze, layer_lr_decay);
  }
  // The files that the model was loaded with; empty for one that was made here.
  const HfConfigFiles& files() const { return files_; }
  void set_files(HfConfigFiles files) { files_ = std::move(files); }

  // The float32 weights of a row that is not the base's (kNoRow: an empty view); all rows at once
  // (padding is zero and must stay so).
  View master(int row) const;
  View flat_master() const { return master_.view(DType::kF32, {table_.flat_count()}); }
  // What a GEMM reads: the bf16 copy in mixed precision, else the master weights.
  View operand(int row) const;
  // A matrix, wherever it is: as operand, or as the base has it stored.
  Weight matrix(int row) const;
  // Of a normalisation or bias, wherever it is, [n] f32; kNoRow: an empty view.
  ConstView vector(int row) const;
  // The bf16 copy of a row, which an optimiser step writes; empty view when the row has none.
  View copy(int row) const;
  // Renews every bf16 copy from the master weights; to be called after writing to them.
  void refresh_copies();

  // GPT-2's initialisation, and an adapter's (A uniform, B zero, the magnitudes as the base's
  // columns are long): of each row a pure function of (its name, its shape, L, seed), so that one
  // more row changes no other. Rows of a base stay as they are.
  void initialise(uint64_t seed);

 private:
  void initialise_row(int row, uint64_t seed, std::vector<float>& values);
  void measure_columns(int row);

  Backend* backend_;
  ModelConfig config_;
  HfConfigFiles files_;
  LoraOptions lora_;
  ParameterTable table_;
  DType compute_;
  const Weights* base_ = nullptr;
  Buffer master_;
  Buffer copies_;
};

// The weights of an opened model as float32, for training. Where its configuration has more ids than
// the file, their rows are the mean of the file's. Throws as read_tensor.
std::unique_ptr<Network> load_network(Backend& backend, OpenedModel model, DType compute);

// A view as a weight.
Weight weight_of(ConstView view, WeightLayout layout);

// Writes `path` (model.safetensors) with HF's names and the metadata that Transformers asks for.
void save_weights(const Network& network, const std::filesystem::path& path);
}  // namespace inkstone
