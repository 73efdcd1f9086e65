// Mask tokens by the role that files name, else by the names in use.
#include "train/objective_tokens.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inkstone/fill_in.h"
#include "tokenizer/added_tokens.h"

namespace inkstone {
namespace {

// The first is what is added where there is none.
constexpr std::array kMaskNames = {"<|mask|>", "<mask>", "[MASK]"};

std::optional<std::string> mask_name(const Tokenizer& tokenizer) {
  if (const auto id = mask_token(tokenizer)) return std::string(tokenizer.token_bytes(*id));
  for (const char* name : kMaskNames) {
    if (tokenizer.special_token(name)) return name;
  }
  return std::nullopt;
}

}  // namespace

bool needs_mask_token(const TrainOptions& o) {
  const bool masks = o.masked_fraction > 0 || o.mask_rate.second > 0;
  return o.mask_with == MaskWith::kAuto ? o.masked_fraction > 0
                                        : masks && o.mask_with == MaskWith::kMask;
}

Tokenizer with_objective_tokens(const TrainOptions& options, const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  std::optional<std::string> mask;
  if (needs_mask_token(options)) {
    mask = mask_name(tokenizer).value_or(kMaskNames.front());
    texts.push_back(*mask);
  }
  if (options.fim_rate > 0) {
    for (std::string& name : fill_in_names(tokenizer)) texts.push_back(std::move(name));
  }
  return texts.empty() ? tokenizer : with_special_tokens(tokenizer, texts, mask);
}

}  // namespace inkstone
