// What inkstone::Model holds; for the layers of the library above it.
#pragma once

#include <memory>

#include "inkstone/model.h"
#include "kernels/backend.h"
#include "model/network.h"
#include "model/weights.h"

namespace inkstone {

struct Model::Impl {
  // In the order in which each needs the one before.
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;  // of a model that can be trained; else null
  std::unique_ptr<Weights> weights;
};

// What training makes of a model beyond its weights.
struct ModelChanges {
  // Ids at least; a row of the embedding or of the output layer that the file does not have is the
  // mean of those that it has. Source: Hewitt 2021, nlp.stanford.edu/~johnhew/vocab-expansion.html.
  int64_t vocab_size = 0;
  bool prefix_lm = false;  // true: ModelConfig::prefix_lm from now on
};

// As Model::load, but with float32 weights that can be trained: model.impl().network.
Model load_trainable(const std::filesystem::path& model_or_run, const LoadOptions& options = {},
                     const ModelChanges& changes = {});

DType to_dtype(ComputeType type);

}  // namespace inkstone
