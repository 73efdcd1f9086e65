// Filling in the middle: a text is shown to a model as its beginning and its end, between special
// tokens, and the model goes on with what stands between. Source: Bavarian et al. 2022,
// arXiv:2207.14255.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// The special tokens in front of the beginning, the end and the middle.
struct FillInTokens {
  TokenId beginning, end, middle;
};

// Their texts: a set in use that the vocabulary has all of, else the one to be added,
// "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>".
std::vector<std::string> fill_in_names(const Tokenizer& tokenizer);

// nullopt where the vocabulary has no whole set: the model was not trained for it.
std::optional<FillInTokens> fill_in_tokens(const Tokenizer& tokenizer);

// The prompt behind which a model writes what stands between two texts, as it is trained with
// TrainOptions::fim_rate: beginning, end, middle (PSM). Each text is encoded by itself, without
// special tokens. Throws kUnsupported where the vocabulary has no tokens for it.
std::vector<TokenId> fill_in_prompt(const Tokenizer& tokenizer, std::string_view before,
                                    std::string_view after);

}  // namespace inkstone
