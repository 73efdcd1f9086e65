// Texts in JSON that need not be UTF-8: a model of bytes writes anything.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"

namespace inkstone::cli {

// The bytes of a text as numbers.
inline Json bytes_to_json(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

// A string; where that cannot hold the text, its bytes.
inline Json text_to_json(const std::string& text) {
  return is_valid_utf8(text) ? Json(text) : bytes_to_json(text);
}

// What of a model's text is shown: whole characters, bytes that are none as U+FFFD, and no
// unfinished one at the end.
inline std::string shown_text(std::string_view text) {
  text.remove_suffix(static_cast<size_t>(incomplete_utf8_tail(text)));
  return replace_invalid_utf8(text);
}

}  // namespace inkstone::cli
