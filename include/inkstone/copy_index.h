// Keeping a model from copying: which tokens would go on with a passage of some text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// A text, of which never more than `most` tokens in a row are to be written. Immutable: several
// threads may ask.
class CopyIndex {
 public:
  // `text`: documents one behind another, each followed by one of `end_marks`; a passage reaches
  // across none. 1 <= most. 16 bytes for each token of the text. Throws kUsage for most < 1 and for
  // more than 2^32 - 1 tokens.
  CopyIndex(std::vector<TokenId> text, int64_t most, std::span<const TokenId> end_marks);

  int64_t most() const { return most_; }
  // The tokens that stand in the text behind the last most() of `written`, each once, in rising
  // order; none where fewer are written.
  std::vector<TokenId> next(std::span<const TokenId> written) const;

 private:
  // A passage of `most` tokens and the token behind it.
  struct Passage {
    uint32_t hash, begin;  // of its tokens; in the text
    TokenId next;
  };
  bool same(const Passage& a, const Passage& b) const;
  void add_passages(std::span<const TokenId> end_marks);
  void keep_different();

  std::vector<TokenId> text_;
  int64_t most_;
  std::vector<Passage> passages_;  // by hash, then next
};

}  // namespace inkstone
