// Ordinary text (no special tokens in it) to ids.
#pragma once

#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// Immutable: encode() is safe from several threads.
class Encoder {
 public:
  virtual ~Encoder() = default;

  // Appends the ids of `text`, any bytes, to `out`.
  virtual void encode(std::string_view text, std::vector<TokenId>& out) const = 0;
};

}  // namespace inkstone
