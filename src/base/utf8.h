// UTF-8 at the level of bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace inkstone {

// U+FFFD, which stands for what cannot be decoded.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// One step of decoding.
struct Utf8Step {
  uint32_t code_point = 0;  // valid only if ok
  // Bytes consumed, at least 1; of an invalid sequence: its maximal prefix.
  int size_bytes = 0;
  bool ok = false;
};

// Decodes the character at text[at], at < text.size(). Rejects overlong forms, surrogates and
// values above U+10FFFF. An invalid sequence consumes the maximal subpart that Unicode 15,
// section 3.9 (table 3-8), replaces by one U+FFFD, as Python's errors="replace" does.
Utf8Step decode_utf8(std::string_view text, size_t at);

// Appends a code point (at most 0x10FFFF, no surrogate).
void append_utf8(std::string& text, uint32_t code_point);

bool is_valid_utf8(std::string_view text);

// Sequences that replace_invalid_utf8 replaces.
int64_t count_invalid_utf8(std::string_view text);

// Invalid sequences replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// Length in bytes (0 to 3) of a character at the end of `text` that more bytes could still
// complete. Streaming output holds these bytes back.
int incomplete_utf8_tail(std::string_view text);

}  // namespace inkstone
