// The sets of special tokens for filling in that vocabularies in use have, and prompts of them.
#include "inkstone/fill_in.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace inkstone {
namespace {

using Names = std::array<const char*, 3>;  // of beginning, end and middle
constexpr Names kSets[] = {{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
                           {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
                           {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"}};

bool has_all(const Tokenizer& tokenizer, const Names& names) {
  return std::ranges::all_of(
      names, [&](const char* name) { return tokenizer.special_token(name).has_value(); });
}

void append(std::vector<TokenId>& ids, const std::vector<TokenId>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string> fill_in_names(const Tokenizer& tokenizer) {
  for (const Names& names : kSets) {
    if (has_all(tokenizer, names)) return {names.begin(), names.end()};
  }
  return {kSets[0].begin(), kSets[0].end()};
}

std::optional<FillInTokens> fill_in_tokens(const Tokenizer& tokenizer) {
  for (const Names& names : kSets) {
    if (!has_all(tokenizer, names)) continue;
    return FillInTokens{.beginning = *tokenizer.special_token(names[0]),
                        .end = *tokenizer.special_token(names[1]),
                        .middle = *tokenizer.special_token(names[2])};
  }
  return std::nullopt;
}

std::vector<TokenId> fill_in_prompt(const Tokenizer& tokenizer, std::string_view before,
                                    std::string_view after) {
  const auto tokens = fill_in_tokens(tokenizer);
  if (!tokens) {
    fail(ErrorCode::kUnsupported,
         "the model cannot fill in: its vocabulary lacks the special tokens '{}', '{}' and '{}'; "
         "train or fine-tune one with --fim-rate",
         kSets[0][0], kSets[0][1], kSets[0][2]);
  }
  std::vector<TokenId> ids = {tokens->beginning};
  append(ids, tokenizer.encode(before));
  ids.push_back(tokens->end);
  append(ids, tokenizer.encode(after));
  ids.push_back(tokens->middle);
  return ids;
}

}  // namespace inkstone
