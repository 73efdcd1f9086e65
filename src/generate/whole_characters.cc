#include "generate/whole_characters.h"

#include <cmath>

#include "base/check.h"

namespace inkstone {

CharacterTable::CharacterTable(const Tokenizer& tokenizer, std::span<const TokenId> end_marks) {
  const auto ids = static_cast<TokenId>(tokenizer.vocab_size());
  for (size_t s = 0; s < kUtf8States; ++s) {
    const auto state = static_cast<Utf8State>(s);
    next_[s].reserve(static_cast<size_t>(ids));
    for (TokenId id = 0; id < ids; ++id)
      next_[s].push_back(next_utf8_state(state, tokenizer.token_bytes(id)));
    for (const TokenId mark : end_marks) {
      next_[s][static_cast<size_t>(mark)] = state == Utf8State::kBoundary ? Utf8State::kBoundary
                                                                          : Utf8State::kInvalid;
    }
  }
}

void WholeCharacters::bar(std::span<float> logits) {
  if (!is_held()) return;
  const std::span<const Utf8State> after = table_->after(state_);
  INK_CHECK(logits.size() <= after.size(), "ids outside the vocabulary");
  size_t first = 0;  // that can be drawn
  while (first < logits.size() &&
         !(after[first] != Utf8State::kInvalid && logits[first] > -INFINITY))
    ++first;
  if (first == logits.size()) {
    table_ = nullptr;
    return;
  }
  for (size_t id = 0; id < logits.size(); ++id)
    logits[id] = after[id] == Utf8State::kInvalid ? -INFINITY : logits[id];
}

void WholeCharacters::add(TokenId token) {
  if (is_held()) state_ = table_->after(state_)[static_cast<size_t>(token)];
}

}  // namespace inkstone
