// The pieces of a pre-tokenizer, with its promises checked.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone::test {

using Pieces = std::vector<std::string>;

inline Pieces cut(const PreTokenizer& pre_tokenizer, std::string_view text) {
  Pieces pieces;
  size_t last = 0;
  pre_tokenizer.split(text, [&](size_t begin, std::span<const size_t> ends) {
    if (begin != last) throw std::runtime_error("pieces are not adjacent");
    if (ends.empty() || ends.size() > PreTokenizer::kMaxBatch)
      throw std::runtime_error("a batch has a wrong size");
    for (const size_t end : ends) {
      if (end <= last || end > text.size()) throw std::runtime_error("an end is out of place");
      pieces.emplace_back(text.substr(last, end - last));
      last = end;
    }
  });
  if (last != text.size()) throw std::runtime_error("the pieces do not cover the text");
  return pieces;
}

}  // namespace inkstone::test
