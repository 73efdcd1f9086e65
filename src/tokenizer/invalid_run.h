// The rule for bytes that are not UTF-8, the same for every pre-tokenizer: a maximal run is one
// piece.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/utf8.h"

namespace inkstone {

// End of the run of bytes that are not UTF-8 at text[at]; `at` when there is none.
inline size_t invalid_run_end(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Step step = decode_utf8(text, at);
    if (step.ok) break;
    at += static_cast<size_t>(step.size_bytes);
  }
  return at;
}

// End of the valid text at text[at]; `at` when there is none.
inline size_t valid_end(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok) break;
    at += static_cast<size_t>(step.size_bytes);
  }
  return at;
}

}  // namespace inkstone
