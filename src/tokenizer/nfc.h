// The normalizer NFC of tokenizer.json.
#pragma once

#include <string>
#include <string_view>

namespace inkstone {

// `text` in NFC of Unicode 9, as Hugging Face's tokenizers have it: its parts between runs of bytes
// that are not UTF-8, each for itself. Throws kUnsupported when a part has more than 2 GiB.
std::string to_nfc(std::string_view text);

}  // namespace inkstone
