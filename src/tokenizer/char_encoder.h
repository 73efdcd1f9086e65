// Encoders without merges: one token per character, and one per byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/encoder.h"
#include "tokenizer/integer_map.h"

namespace inkstone {

// A character that is not in the vocabulary becomes the byte tokens of its UTF-8 form, and so does
// every byte that is not UTF-8.
class CharEncoder final : public Encoder {
 public:
  // byte_tokens[b] may be -1 for an ASCII byte whose character is in the vocabulary.
  CharEncoder(const std::array<TokenId, 256>& byte_tokens,
              IntegerMap<TokenId> tokens_of_characters);

  void encode(std::string_view text, EncodeScratch& scratch,
              std::vector<TokenId>& out) const override;
  bool is_cut(std::string_view text, size_t at) const override {
    return static_cast<uint8_t>(text[at]) < 0x80;
  }

 private:
  std::array<TokenId, 128> ascii_;
  std::array<TokenId, 256> byte_tokens_;
  IntegerMap<TokenId> characters_;
};

class ByteEncoder final : public Encoder {
 public:
  explicit ByteEncoder(const std::array<TokenId, 256>& byte_tokens) : byte_tokens_(byte_tokens) {}

  void encode(std::string_view text, EncodeScratch& scratch,
              std::vector<TokenId>& out) const override;
  bool is_cut(std::string_view, size_t) const override { return true; }

 private:
  std::array<TokenId, 256> byte_tokens_;
};

}  // namespace inkstone
