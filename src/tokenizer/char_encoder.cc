#include "tokenizer/char_encoder.h"

#include "base/utf8.h"

namespace inkstone {

CharEncoder::CharEncoder(const std::array<TokenId, 256>& byte_tokens,
                         IntegerMap<TokenId> tokens_of_characters)
    : byte_tokens_(byte_tokens), characters_(std::move(tokens_of_characters)) {
  for (uint32_t c = 0; c < ascii_.size(); ++c) {
    const TokenId* character = characters_.find(c);
    ascii_[c] = character != nullptr ? *character : byte_tokens_[c];
  }
}

void CharEncoder::encode(std::string_view text, EncodeScratch&, std::vector<TokenId>& out) const {
  for (size_t at = 0; at < text.size();) {
    const uint8_t byte = static_cast<uint8_t>(text[at]);
    if (byte < 0x80) {
      out.push_back(ascii_[byte]);
      ++at;
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    const TokenId* character = step.ok ? characters_.find(step.code_point) : nullptr;
    if (character != nullptr) {
      out.push_back(*character);
    } else {
      for (int i = 0; i < step.size_bytes; ++i) {
        out.push_back(byte_tokens_[static_cast<uint8_t>(text[at + static_cast<size_t>(i)])]);
      }
    }
    at += static_cast<size_t>(step.size_bytes);
  }
}

void ByteEncoder::encode(std::string_view text, EncodeScratch&, std::vector<TokenId>& out) const {
  for (const char c : text) out.push_back(byte_tokens_[static_cast<uint8_t>(c)]);
}

}  // namespace inkstone
