// Golden data that tools/make_model_fixtures.py wrote.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "inkstone/model_config.h"
#include "inkstone/tokenizer.h"
#include "support.h"

namespace inkstone::test {

struct Golden {
  explicit Golden(const std::filesystem::path& path)
      : folder(path), file(path / "golden.safetensors") {
    const auto& shape = file.at("tokens").shape;
    steps = shape[0], batch = shape[1], context = shape[2] - 1;
  }

  std::vector<float> floats(const std::string& name) const {
    const StoredTensor& tensor = file.at(name);
    std::vector<float> values(tensor.bytes.size() / size_bytes(tensor.dtype));
    copy_as_f32(tensor, values);
    return values;
  }

  // Inputs (shift 0) or targets (shift 1) of one step, [B * T].
  std::vector<TokenId> tokens(int64_t step, int64_t shift) const {
    std::vector<TokenId> all(steps * batch * (context + 1)), result;
    std::memcpy(all.data(), file.at("tokens").bytes.data(), all.size() * sizeof(TokenId));
    for (int64_t b = 0; b < batch; ++b) {
      const auto row = all.begin() + (step * batch + b) * (context + 1) + shift;
      result.insert(result.end(), row, row + context);
    }
    return result;
  }

  std::filesystem::path folder;
  SafetensorsFile file;
  int64_t steps, batch, context;
};

// The committed fixtures, and one more folder that INKSTONE_GOLDEN_MODEL may name (the 124M shape).
inline std::vector<std::filesystem::path> golden_folders() {
  std::vector<std::filesystem::path> folders;
  for (const char* name : {"two_layers", "one_head_odd_width", "inverse_layer_scale",
                           "erf_narrow_untied", "relu_no_biases", "silu_wide"}) {
    folders.push_back(fixture("model/" + std::string(name)));
  }
  if (const char* more = ::getenv("INKSTONE_GOLDEN_MODEL")) folders.emplace_back(more);
  return folders;
}

// How far two float32 programs may be apart, relative to the size of a result that went through
// `operations` products one after another, the longest of which adds `terms` terms of random sign.
// Of such a sum in d steps (terms / 8 in a vector's lane, 8 to add up lanes and unrolled parts) the
// roundings of the partial sums, each uniform in +-u of it, have a standard deviation of
// u sqrt(d / 6) times the sum's own; they add up over operations and the two programs as variances.
// Six standard deviations: one of 10^8 elements is farther off.
inline double float32_bound(int64_t terms, int64_t operations) {
  const double steps = static_cast<double>(terms) / 8 + 8;
  return 6 * 0x1p-24 * std::sqrt(2 * static_cast<double>(operations) * steps / 6);
}

// A layer has two branches of two products each, and two for attention; the output layer is one.
inline int64_t forward_operations(const ModelConfig& c) { return 6 * c.layers + 1; }
inline double forward_bound(const ModelConfig& c) {
  return float32_bound(std::max(c.inner_width(), c.context), forward_operations(c));
}
// A gradient goes through them and back; those of weights add over the tokens of the batch.
inline double backward_bound(const ModelConfig& c, int64_t tokens) {
  return float32_bound(std::max({c.inner_width(), c.context, tokens}), 2 * forward_operations(c));
}

// |a - b| / |b| in the Euclidean norm.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    norm += double{b[i]} * b[i];
  }
  return std::sqrt(difference / norm);
}

// max |a - b| / max |b|.
inline double relative_worst(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference = std::max(difference, std::fabs(double{a[i]} - b[i]));
    largest = std::max(largest, std::fabs(double{b[i]}));
  }
  return difference / largest;
}

}  // namespace inkstone::test
