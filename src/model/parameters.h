// Every parameter of a GPT-2 as one row of a table, which drives allocation, initialisation,
// optimiser groups, saving, loading and tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/model_config.h"
#include "tensor/shape.h"

namespace inkstone {

enum class Initialisation {
  kNormal,          // N(0, initializer_range^2)
  kNormalResidual,  // N(0, initializer_range^2 / (2L)): projections into the residual stream
  kZero,
  kOne,
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
  int64_t offset;  // first element in the flat buffer, a multiple of 16
};

// Where a model has no such row: no bias.
inline constexpr int kNoRow = -1;

// Rows of one transformer layer, as indices into the table; of biases kNoRow where there are none.
struct LayerRows {
  int ln_1_weight, ln_1_bias, attn_weight, attn_bias, attn_proj_weight, attn_proj_bias;
  int ln_2_weight, ln_2_bias, fc_weight, fc_bias, fc_proj_weight, fc_proj_bias;
};

class ParameterTable {
 public:
  explicit ParameterTable(const ModelConfig& config);

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
  // Elements of a flat buffer that holds all rows, padding included.
  int64_t flat_count() const { return flat_count_; }
  // Elements of the matrices that every token is multiplied with.
  int64_t multiplied_count() const;

 private:
  int add(std::string name, const Shape& shape, Initialisation initialisation, bool multiplied,
          int64_t maps = 0);

  std::vector<ParameterRow> rows_;
  std::vector<LayerRows> layers_;
  int ln_f_weight_ = kNoRow, ln_f_bias_ = kNoRow, output_ = kNoRow;
  int64_t flat_count_ = 0;
};

}  // namespace inkstone
