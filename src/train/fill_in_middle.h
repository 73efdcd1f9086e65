// Documents of a window turned around, so that their middle comes last (inkstone/fill_in.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inkstone/fill_in.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Of each document, or part of one, that a window holds: with the probability `rate` it is cut at
// two of its characters' bounds, drawn uniformly, and written, half of the times each, as
//   PSM  <prefix> beginning <suffix> end <middle> middle
//   SPM  <prefix> <suffix> end <middle> beginning middle
// and an end mark. Beginning, middle and end are encoded one by one. What no longer fits is cut off
// the end of the end, or else the document stays as it is; what comes behind the window's length is
// left out.
class FillInMiddle {
 public:
  // The tokenizer has an end mark and the tokens for filling in (INK_CHECK).
  FillInMiddle(const Tokenizer& tokenizer, double rate, uint64_t seed);

  // A pure function of (seed, window, tokens); as many tokens as before, the last of which may be
  // none (-1): there is no text for them.
  void apply(int64_t window, std::span<TokenId> tokens) const;

  bool is_sentinel(TokenId token) const {
    return token == sentinels_.beginning || token == sentinels_.end || token == sentinels_.middle;
  }

 private:
  struct Parts {
    std::vector<TokenId> beginning, middle, end;
  };
  std::optional<Parts> cut(int64_t window, uint64_t document,
                           std::span<const TokenId> tokens) const;
  std::vector<TokenId> turned(const Parts& parts, bool end_first) const;

  Tokenizer tokenizer_;
  FillInTokens sentinels_;
  TokenId end_of_text_;
  double rate_;
  uint64_t seed_;
};

}  // namespace inkstone
