// A small untrained model over bytes: it writes any bytes, valid UTF-8 or not.
#pragma once

#include <optional>

#include "inkstone/generator.h"

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

}  // namespace inkstone::test
