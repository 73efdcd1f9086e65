// Every parameter of a GPT-2 as one row of a table, which drives allocation, initialisation,
// optimiser groups, saving, loading and tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/lora.h"
#include "inkstone/model_config.h"
#include "tensor/shape.h"

namespace inkstone {

enum class Initialisation {
  kNormal,          // N(0, initializer_range^2)
  kNormalResidual,  // N(0, initializer_range^2 / (2L)): projections into the residual stream
  kZero,
  kOne,
  kUniform,  // U(-1/sqrt(columns), 1/sqrt(columns)): A of an adapter (kaiming_uniform, a = sqrt(5))
  kColumnNorms,  // of the matrix that the row adapts
};

struct ParameterRow {
  std::string name;  // Hugging Face's, without the prefix "transformer."
  Shape shape;       // matrices of the layers are [in, out] (HF Conv1D)
  Initialisation initialisation;
  bool decay;       // weight decay acts on matrices only
  bool multiplied;  // operand of a GEMM: has a bf16 copy in mixed precision
  // Of a layer's matrix: the maps that lie in it side by side (q | k | v: 3), which Muon
  // orthogonalises one by one; 0: not a matrix of a layer.
  int64_t maps;
  // How deep it lies: 0 the embeddings, 1 + 6 l + i part i of layer l (ln_1, c_attn, c_proj, ln_2,
  // c_fc, c_proj), then ln_f and an output layer of its own. The backward pass comes down to the
  // lowest row that is trained.
  int depth;
  // First element in the flat buffer of weights, a multiple of 16; kNoOffset: it is used as it is
  // stored.
  int64_t offset;
  bool trained = true;
  double lr_scale = 1;  // of the learning rate
  // First element in the flat buffer of gradients, and of moments; kNoOffset: it is not trained.
  int64_t gradient_offset = 0;
};
inline constexpr int64_t kNoOffset = -1;

// Where a model has no such row: no bias, no adapter.
inline constexpr int kNoRow = -1;

// Of a matrix that has an adapter (LoraOptions): the rows of A, B and its magnitudes.
struct AdapterRows {
  int a = kNoRow, b = kNoRow, magnitude = kNoRow;
  bool empty() const { return a == kNoRow; }
};

// Rows of one transformer layer, as indices into the table; of biases kNoRow where there are none.
struct LayerRows {
  int ln_1_weight, ln_1_bias, attn_weight, attn_bias, attn_proj_weight, attn_proj_bias;
  int ln_2_weight, ln_2_bias, fc_weight, fc_bias, fc_proj_weight, fc_proj_bias;
};

class ParameterTable {
 public:
  // With a rank, the rows of an adapter follow those of the model; they alone are trained, and
  // have a place in the buffer of weights. Throws kUsage naming a target that there is not.
  explicit ParameterTable(const ModelConfig& config, const LoraOptions& lora = {});

  // Says which rows are trained (all that are, but those of `freeze`), and at which part of the
  // learning rate (TrainOptions::layer_lr_decay). Throws kUsage naming a part that there is not, or
  // when nothing is left to train.
  void set_policy(std::string_view freeze, double layer_lr_decay);

  const std::vector<ParameterRow>& rows() const { return rows_; }
  const ParameterRow& operator[](int row) const { return rows_[row]; }
  int count() const { return static_cast<int>(rows_.size()); }
  int64_t layers() const { return static_cast<int64_t>(layers_.size()); }
  const LayerRows& layer(int64_t l) const { return layers_[l]; }
  int wte() const { return 0; }
  int wpe() const { return 1; }
  int ln_f_weight() const { return ln_f_weight_; }
  int ln_f_bias() const { return ln_f_bias_; }
  // The output layer [V,C]: the token embedding where they are tied.
  int output() const { return output_; }
  // Rows of the adapter of a matrix's row; empty where it has none.
  AdapterRows adapter(int row) const { return adapters_[row]; }
  // Elements of a flat buffer that holds all rows that are not used as they are stored, padding
  // included; and of one that holds the gradients of those that are trained.
  int64_t flat_count() const { return flat_count_; }
  int64_t gradient_count() const { return gradient_count_; }
  // The least depth of a row that is trained; the depths of layer l begin at depth_of_layer(l).
  int lowest_trained() const { return lowest_trained_; }
  static int depth_of_layer(int64_t l) { return static_cast<int>(1 + 6 * l); }
  // Elements of the matrices that every token is multiplied with.
  int64_t multiplied_count() const;

 private:
  int add(std::string name, const Shape& shape, Initialisation initialisation, bool multiplied,
          int64_t maps = 0);
  void add_layer(const ModelConfig& config, int64_t l);
  void add_adapters(const LoraOptions& lora);
  AdapterRows add_adapter(int row, const LoraOptions& lora);
  void place_gradients();

  std::vector<ParameterRow> rows_;
  std::vector<LayerRows> layers_;
  std::vector<AdapterRows> adapters_;  // as rows_
  int depth_ = 0;                      // of the row that is added next
  int ln_f_weight_ = kNoRow, ln_f_bias_ = kNoRow, output_ = kNoRow;
  int64_t flat_count_ = 0, gradient_count_ = 0;
  int lowest_trained_ = 0;
};

// s of an adapter: alpha / rank, or alpha / sqrt(rank).
double adapter_scale(const LoraOptions& lora);

// True if a row's name ("h.3.attn.c_attn.weight") lies in a part of the model as
// TrainOptions::freeze names it ("h.0-5.attn").
bool lies_in_part(std::string_view name, std::string_view part);

}  // namespace inkstone
