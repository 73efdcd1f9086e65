// Ordinary text (no special tokens in it) to ids.
#pragma once

#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"
#include "tokenizer/bpe.h"

namespace inkstone {

// Of one thread and one encoder.
using EncodeScratch = BpeModel::Workspace;

// Immutable: encode() is safe from several threads, each with its own scratch.
class Encoder {
 public:
  virtual ~Encoder() = default;

  // Appends the ids of `text`, any bytes, to `out`.
  virtual void encode(std::string_view text, EncodeScratch& scratch,
                      std::vector<TokenId>& out) const = 0;

  // True when `text` may be encoded in two parts, before and from text[at] on, 0 < at <
  // text.size(), whatever comes before and after it.
  virtual bool is_cut(std::string_view text, size_t at) const = 0;
};

}  // namespace inkstone
