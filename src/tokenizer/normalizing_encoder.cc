#include "tokenizer/normalizing_encoder.h"

#include <cstdint>
#include <string>

#include "tokenizer/nfc.h"
#include "tokenizer/pre_tokenizer.h"

namespace inkstone {
namespace {

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<uint8_t>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

void NormalizingEncoder::encode(std::string_view text, EncodeScratch& scratch,
                                std::vector<TokenId>& out) const {
  const bool changes = is_nfc_ && !is_ascii(text);
  const bool lacks_space = add_prefix_space_ && !text.empty() && text[0] != ' ';
  if (!changes && !lacks_space) return encoder_->encode(text, scratch, out);
  std::string changed = lacks_space ? " " : "";
  changed += changes ? to_nfc(text) : std::string(text);
  encoder_->encode(changed, scratch, out);
}

// NFC joins ASCII white space with nothing before it; with other ASCII it may ('=' and U+0338).
bool NormalizingEncoder::is_cut(std::string_view text, size_t at) const {
  if (add_prefix_space_ || (is_nfc_ && !is_ascii_white_space(text[at]))) return false;
  return encoder_->is_cut(text, at);
}

}  // namespace inkstone
