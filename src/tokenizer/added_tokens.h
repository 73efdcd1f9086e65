// Special tokens that a vocabulary is given after it was learnt.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// The token that stands for one that is left out of a text: mask_token of tokenizer_config.json,
// else of special_tokens_map.json, where the vocabulary has it.
std::optional<TokenId> mask_token(const Tokenizer& tokenizer);

// The same vocabulary with special tokens of these texts, of which those that it lacks come behind
// its last id, in their order; the other ids are what they were, and a save has every byte of what
// was read besides. `mask`, one of its special tokens then, is its mask_token, and saved as that.
// Throws kInvalidData on a text that is empty.
Tokenizer with_special_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                              const std::optional<std::string>& mask = std::nullopt);

}  // namespace inkstone
