// Which tokens of a text belong to one word.
#pragma once

#include <cstdint>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// A word is letters and digits in a row, with the blank that GPT-2's vocabularies keep in front of
// it. Of the scripts that are written without blanks (Chinese characters, kana) every character is
// one; of everything else (punctuation, blanks by themselves) every token. A character whose bytes
// are spread over several tokens is never divided.
class WordBounds {
 public:
  // Every token is a word.
  WordBounds() = default;
  explicit WordBounds(const Tokenizer& tokenizer);

  // Whether `next`, which follows `token` in a text, goes on with the word that `token` ends with.
  // Ids outside the vocabulary are words of their own.
  bool joined(TokenId token, TokenId next) const;

 private:
  enum class Edge : uint8_t {
    kLetter,  // of a word: letters, digits, marks on them
    kRest,    // bytes that go on with a character
    kOther,
  };
  struct Edges {
    Edge first = Edge::kOther, last = Edge::kOther;
  };
  static Edges edges_of(std::string_view bytes);

  std::vector<Edges> edges_;  // by id
};

}  // namespace inkstone
