// What comes before the pre-tokenizer: NFC, and the space in front of a text.
#pragma once

#include <memory>

#include "tokenizer/encoder.h"

namespace inkstone {

// Encodes the text in NFC of Unicode 9, as Hugging Face's tokenizers (its parts between runs of
// bytes that are not UTF-8, each for itself), with a space in front if it has none
// (add_prefix_space): the ids then decode to that text.
class NormalizingEncoder final : public Encoder {
 public:
  NormalizingEncoder(std::unique_ptr<const Encoder> encoder, bool is_nfc, bool add_prefix_space)
      : encoder_(std::move(encoder)), is_nfc_(is_nfc), add_prefix_space_(add_prefix_space) {}

  void encode(std::string_view text, EncodeScratch& scratch,
              std::vector<TokenId>& out) const override;

  // Never with add_prefix_space: a second part would get a space too.
  bool is_cut(std::string_view text, size_t at) const override;

  const Encoder& inner() const { return *encoder_; }

 private:
  std::unique_ptr<const Encoder> encoder_;
  bool is_nfc_, add_prefix_space_;
};

}  // namespace inkstone
