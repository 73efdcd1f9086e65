// Pages of HTML and XHTML as they lie in files.
#pragma once

#include <cstdint>
#include <string>

#include "corpus/read/encoding_guess.h"

namespace inkstone {

struct DecodedPage {
  std::string text;  // UTF-8, without a byte order mark
  EncodingGuess guess;
  int64_t replaced = 0;  // sequences that could not be decoded and became U+FFFD
};

// `encoding`: as in ReadOptions; empty: by a byte order mark; UTF-8 where it is valid; what the
// page declares (<meta charset>, <?xml encoding?>); else by detection. Throws kInvalidData for a
// page longer than kLongestHtml_bytes.
DecodedPage decode_page(std::string page, const std::string& encoding);

}  // namespace inkstone
