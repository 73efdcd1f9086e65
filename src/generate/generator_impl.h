// What Generator holds; Conversation uses it too.
#pragma once

#include "inkstone/generator.h"
#include "model/model_impl.h"

namespace inkstone {

struct Generator::Impl {
  Model model;
  Tokenizer tokenizer;

  // As Generator::prompt_tokens.
  std::vector<TokenId> prompt_tokens(std::string_view prompt, SpecialTokens special) const;
  // The token that a new document begins with; throws kUsage when there is none.
  TokenId first_token() const;
};

// Throws kUsage naming the option.
void validate(const GenerateOptions& options);

}  // namespace inkstone
