// What Generator holds; Conversation uses it too.
#pragma once

#include "inkstone/generator.h"
#include "model/model_impl.h"

namespace inkstone {

struct Generator::Impl {
  Model model;
  Tokenizer tokenizer;

  // Tokens that a text starts from: those of the prompt, or the end-of-text token for an empty one.
  std::vector<TokenId> history_of(std::string_view prompt) const;
};

// Throws kUsage naming the option.
void validate(const GenerateOptions& options);

}  // namespace inkstone
