// What Generator holds; Engine and Conversation use it too.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <utility>

#include "generate/generate_options.h"
#include "generate/whole_characters.h"
#include "inkstone/engine.h"
#include "inkstone/generator.h"
#include "model/model_impl.h"

namespace inkstone {

// The engine of so many sequences, of which `parallel` are worked on at once; 0: as many as a
// gigabyte of keys and values has room for, but 8 at least and no more than 64.
EngineOptions engine_options(const Model& model, int64_t sequences, int64_t parallel);

struct Generator::Impl {
  Impl(Model its_model, Tokenizer its_tokenizer)
      : model(std::move(its_model)), tokenizer(std::move(its_tokenizer)) {}

  // As Generator::prompt_tokens.
  std::vector<TokenId> prompt_tokens(std::string_view prompt, SpecialTokens special) const;
  // What a text is written behind: the prompt's tokens, or with a suffix those of both. Throws
  // kUsage where a suffix leaves no room to write.
  std::vector<TokenId> tokens_before(std::string_view prompt, const GenerateOptions& options) const;
  // The token that a new document begins with; throws kUsage when there is none.
  TokenId first_token() const;
  // The table that holds the continuation of `prompt` to UTF-8; null: nothing does. From any
  // thread.
  const CharacterTable* characters_for(std::string_view prompt, const GenerateOptions& options);

  Model model;
  Tokenizer tokenizer;
  std::mutex mutex;  // of what follows
  // By ignore_end_of_text; made when first asked for.
  std::array<std::optional<CharacterTable>, 2> characters = {};
};

}  // namespace inkstone
