// A small untrained model over bytes: it writes any bytes, valid UTF-8 or not.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "inkstone/generator.h"
#include "kernels/failing_backend.h"
#include "model/model_impl.h"

namespace inkstone::test {

inline constexpr int64_t kContext = 24;

inline Tokenizer byte_tokenizer() {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional("x");
      },
      {.type = TokenizerType::kByte});
}

inline Generator small_generator(int64_t surplus_ids = 0) {
  const Tokenizer tokenizer = byte_tokenizer();
  const ModelConfig config{.layers = 2,
                           .heads = 2,
                           .width = 32,
                           .context = kContext,
                           .vocab_size = tokenizer.vocab_size() + surplus_ids,
                           // Far from uniform, so that the choices matter.
                           .initializer_range = 0.3};
  return Generator(Model::create(config, 5), tokenizer);
}

// As long as `context`, on a device that fails when it is told to.
inline Generator failing_generator(int64_t context, FailingBackend*& device) {
  const Tokenizer tokenizer = byte_tokenizer();
  const ModelConfig config{.layers = 2,
                           .heads = 2,
                           .width = 32,
                           .context = context,
                           .vocab_size = tokenizer.vocab_size(),
                           .initializer_range = 0.3};
  auto impl = std::make_shared<Model::Impl>();
  auto backend = std::make_unique<FailingBackend>(Runtime({.threads = 1}));
  device = backend.get();
  impl->backend = std::move(backend);
  impl->network = std::make_unique<Network>(*impl->backend, config, DType::kF32);
  impl->network->initialise(5);
  impl->weights = std::make_unique<Weights>(*impl->network);
  return Generator(Model(std::move(impl)), tokenizer);
}

}  // namespace inkstone::test
