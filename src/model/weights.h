// The weights of a GPT-2 as inference reads them: apart from anything that training needs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "model/model_source.h"
#include "model/network.h"
#include "model/parameters.h"

namespace inkstone {

// How weights are held, and in which types activations are between operations and keys and values
// in the cache of a decoder.
struct WeightOptions {
  // Of matrices; nullopt: as they are stored, but float32 as bf16 where bf16 is computed in.
  std::optional<WeightType> type = {};
  DType compute = DType::kF32;  // kF32 or kBF16
  // A type of pages (kernels/page_layout.h); nullopt: `compute`.
  std::optional<DType> cache = {};
  // False: blocks stay in the order of the file, for training an adapter, which reads them by
  // Backend::widen and not by linear.
  bool packed = true;
};

// "f32", "f16", "bf16", "q8_0" (which is kI8); nullopt for a name that is none.
std::span<const std::string_view> cache_type_names();
std::optional<DType> cache_type_by_name(std::string_view name);

// Of a weight that is not packed.
int64_t stored_bytes(const Weight& weight);

// A matrix of a file that has the wanted type is used as it lies there (mapped; where the backend
// shares the host's memory); others are converted, and blocks are put into the order in which the
// backend reads them. Normalisations and biases are float32.
class Weights {
 public:
  // Of an opened model, which is kept as long as its files are needed. A matrix whose rows are no
  // whole number of blocks becomes what fitting_type says. The backend must outlive it. Throws
  // kInvalidData, naming the tensor, for a number that the wanted type cannot hold; kMismatch where
  // the cache's type does not take the model's heads.
  Weights(Backend& backend, OpenedModel model, const WeightOptions& options);
  // Of a network, which must outlive it: the weights as they stand at each moment. Throws kMismatch
  // as the other.
  explicit Weights(const Network& network, std::optional<DType> cache = {});

  Backend& backend() const { return *backend_; }
  const ModelConfig& config() const { return config_; }
  const ParameterTable& table() const { return table_; }
  DType compute() const { return compute_; }
  DType cache() const { return cache_; }
  const HfConfigFiles& files() const { return files_; }

  // Of a row of the table that is multiplied.
  const Weight& matrix(int row) const { return matrices_[static_cast<size_t>(row)]; }
  // Of the embeddings (wte, wpe), whose rows are looked up.
  const Weight& embedding(int row) const { return embeddings_[static_cast<size_t>(row)]; }
  // Of a normalisation or bias, [n] f32; kNoRow: an empty view.
  ConstView vector(int row) const {
    return row == kNoRow ? ConstView{} : vectors_[static_cast<size_t>(row)];
  }
  // Bytes of all weights as they are held.
  int64_t held_bytes() const;
  // The files' tensors; null where the weights are a network's.
  const TensorSource* source() const { return source_.get(); }
  // Bytes of all matrices, which each pass through the layers reads.
  int64_t multiplied_bytes() const { return multiplied_bytes_; }

 private:
  // Without any weight yet.
  Weights(Backend& backend, const ModelConfig& config, const WeightOptions& options,
          HfConfigFiles files);
  std::byte* take(int64_t bytes);
  Weight copied(const Weight& from);
  Weight as_it_lies(const Weight& stored);
  Weight converted_floats(const Weight& stored, WeightType type, const std::string& name);
  Weight blocks(const Weight& stored, WeightType type, const std::string& name);
  Weight matrix_of(const Weight& stored, WeightType wanted, const std::string& name);
  ConstView vector_of(const Weight& stored);

  Backend* backend_;
  ModelConfig config_;
  ParameterTable table_;
  DType compute_, cache_;
  bool packed_;
  HfConfigFiles files_;
  std::unique_ptr<TensorSource> source_;  // null: of a network
  std::vector<Weight> matrices_, embeddings_;
  std::vector<ConstView> vectors_;
  std::vector<Buffer> memory_;
  int64_t multiplied_bytes_ = 0;
};

// Writes a model's tensors as they are: in their own types, blocks as float32. What the file holds
// in the table's order already is passed on byte by byte.
void save_tensors(const ParameterTable& table, const TensorSource& source,
                  const std::filesystem::path& path);

// As save_weights of a network, of the files' own tensors.
void save_weights(const Weights& weights, const std::filesystem::path& path);

}  // namespace inkstone
