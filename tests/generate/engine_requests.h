// Requests and what became of them, for the tests of the engine and of strategies.
#pragma once

#include <algorithm>
#include <vector>

#include "generate/engine_impl.h"
#include "inkstone/engine.h"
#include "small_generator.h"
#include "support.h"

namespace inkstone {

// Fills every page of a text of three.
inline constexpr int64_t kLong = 3 * kPagePositions;

inline Generator long_generator(int threads = 1) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const ModelConfig config{.layers = 2,
                           .heads = 2,
                           .width = 32,
                           .context = kLong,
                           .vocab_size = tokenizer.vocab_size(),
                           .initializer_range = 0.3};
  return Generator(Model::create(config, 5, {.runtime = Runtime({.threads = threads})}), tokenizer);
}

// What came of a request.
struct Outcome {
  std::vector<Completion> completions;
  std::exception_ptr error;
  bool ended = false;
};

inline RequestId submit(Engine& engine, Request request, Outcome& outcome) {
  request.on_end = [&outcome](std::vector<Completion> completions, std::exception_ptr error) {
    EXPECT_FALSE(outcome.ended) << "it ended twice";
    outcome = {std::move(completions), error, true};
  };
  return engine.submit(std::move(request));
}

inline void finish(Engine& engine) {
  while (engine.step()) {
  }
}

inline Outcome alone(Generator& generator, const Request& request) {
  Engine engine(generator, {.kept_tokens = 0});
  Outcome outcome;
  submit(engine, request, outcome);
  finish(engine);
  return outcome;
}

inline void expect_same(const std::vector<Completion>& a, const std::vector<Completion>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].tokens, b[i].tokens);
    EXPECT_EQ(a[i].log_probs, b[i].log_probs);  // to the last bit
    EXPECT_EQ(a[i].likeliest, b[i].likeliest);
    EXPECT_EQ(a[i].text, b[i].text);
    EXPECT_EQ(a[i].finish, b[i].finish);
    EXPECT_EQ(a[i].prompt_tokens_kept, b[i].prompt_tokens_kept);
  }
}

inline void expect_all_free(const Engine& engine) {
  const EngineState state = engine.state();
  EXPECT_EQ(state.free_pages, state.pages);
  EXPECT_EQ(state.reserved_pages, 0);
  EXPECT_EQ(state.running + state.waiting, 0);
  EXPECT_EQ(state.kept_tokens, 0);
}

}  // namespace inkstone
