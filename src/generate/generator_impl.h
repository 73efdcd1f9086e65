// What Generator holds; Conversation uses it too.
#pragma once

#include <array>
#include <optional>

#include "generate/whole_characters.h"
#include "inkstone/generator.h"
#include "model/model_impl.h"

namespace inkstone {

struct Generator::Impl {
  Model model;
  Tokenizer tokenizer;
  // By ignore_end_of_text; made when first asked for.
  std::array<std::optional<CharacterTable>, 2> characters = {};

  // As Generator::prompt_tokens.
  std::vector<TokenId> prompt_tokens(std::string_view prompt, SpecialTokens special) const;
  // The token that a new document begins with; throws kUsage when there is none.
  TokenId first_token() const;
  // The table that holds the continuation of `prompt` to UTF-8; null: nothing does.
  const CharacterTable* characters_for(std::string_view prompt, const GenerateOptions& options);
};

// Throws kUsage naming the option.
void validate(const GenerateOptions& options);

}  // namespace inkstone
