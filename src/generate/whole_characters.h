// Keeping what is written UTF-8: the tokens after which a text can still become whole characters.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/utf8.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// What every token of a vocabulary does to a text that stands in each state: one byte each.
class CharacterTable {
 public:
  // A token does what its bytes do. An end mark ends a text, which may be between two characters
  // only; where they are written on past, end_marks is empty.
  CharacterTable(const Tokenizer& tokenizer, std::span<const TokenId> end_marks);

  // By id: the state after it. `state` is not kInvalid.
  std::span<const Utf8State> after(Utf8State state) const {
    return next_[static_cast<size_t>(state)];
  }

 private:
  std::array<std::vector<Utf8State>, kUtf8States> next_;
};

// Where one text stands.
class WholeCharacters {
 public:
  // A text that begins between two characters. Without a table it is not held to UTF-8. The table
  // must outlive it.
  explicit WholeCharacters(const CharacterTable* table) : table_(table) {}

  // Sets the logits of the tokens that the text cannot go on with to -infinity. Where that leaves
  // none (no vocabulary of ours: each has all bytes), they stay, and from here on the text is not
  // held to UTF-8. At most as many logits as the vocabulary has ids.
  void bar(std::span<float> logits);
  void add(TokenId token);
  bool is_held() const { return table_ != nullptr; }

 private:
  const CharacterTable* table_;
  Utf8State state_ = Utf8State::kBoundary;
};

}  // namespace inkstone
