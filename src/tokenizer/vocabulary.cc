#include "tokenizer/vocabulary.h"

#include <bit>

#include "base/hash.h"

namespace inkstone {

Vocabulary::Vocabulary(const std::vector<std::string>& tokens) {
  size_t total_bytes = 0;
  for (const std::string& token : tokens) total_bytes += token.size();
  bytes_.reserve(total_bytes);
  begins_.reserve(tokens.size() + 1);
  slots_.assign(std::bit_ceil(2 * tokens.size() + 2), -1);
  begins_.push_back(0);
  for (const std::string& token : tokens) {
    bytes_ += token;
    begins_.push_back(bytes_.size());
    if (token.empty()) continue;
    TokenId& slot = slots_[slot_of(token)];
    if (slot < 0) slot = static_cast<TokenId>(begins_.size() - 2);
  }
}

// The slot that holds the token with these bytes, else the empty one where it belongs.
size_t Vocabulary::slot_of(std::string_view token) const {
  const size_t mask = slots_.size() - 1;
  size_t at = static_cast<size_t>(hash64(token)) & mask;
  while (slots_[at] >= 0 && bytes(slots_[at]) != token) at = (at + 1) & mask;
  return at;
}

std::optional<TokenId> Vocabulary::find(std::string_view token) const {
  if (token.empty()) return std::nullopt;
  const TokenId id = slots_[slot_of(token)];
  if (id < 0) return std::nullopt;
  return id;
}

}  // namespace inkstone
