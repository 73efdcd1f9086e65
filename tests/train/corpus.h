// A small prepared corpus for tests of training.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"
#include "inkstone/prepare.h"
#include "inkstone/trainer.h"
#include "support.h"

namespace inkstone::test {

// A text with something to learn.
inline std::string rhyme(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) {
    text += std::to_string(i % 10) +
            " little ducks went out one day, over the hill and far away.\n";
  }
  return text;
}

inline Tokenizer character_tokenizer(const std::string& text) {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional(text);
      },
      {.type = TokenizerType::kChar});
}

// Prepares the text, a line <|endoftext|> between its documents, into `folder`.
inline void prepare_text(const std::filesystem::path& folder, const std::string& text,
                         const Tokenizer& tokenizer,
                         double val_fraction = PrepareOptions().val_fraction) {
  const auto file = folder.parent_path() / (folder.filename().string() + ".txt");
  write_file(file, text);
  PrepareOptions options;
  options.inputs = {file};
  options.output = folder;
  options.val_fraction = val_fraction;
  prepare(options, tokenizer);
}

// With a character vocabulary trained on the text.
inline void prepare_text(const std::filesystem::path& folder, const std::string& text) {
  prepare_text(folder, text, character_tokenizer(text));
}

// Documents of different lengths.
inline std::string songs(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += rhyme(1 + i % 3) + std::to_string(i) + "\n<|endoftext|>\n";
  return text;
}

// A model that trains in moments.
inline TrainOptions tiny_run(const std::filesystem::path& data, const std::filesystem::path& run) {
  TrainOptions o;
  o.data = {data};
  o.run = run;
  o.model = {.layers = 2, .heads = 2, .width = 32, .context = 16, .vocab_size = 1};
  o.steps = 40, o.batch = 4, o.warmup = 4, o.lr = 3e-3, o.min_lr = 3e-4;
  o.eval_every = 10, o.save_every = 10, o.log_every = 5;
  return o;
}

}  // namespace inkstone::test
