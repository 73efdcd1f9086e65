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

// Characters that begin in `text`: all bytes but continuation bytes (80..BF). The parts of a text,
// wherever it is cut, have together as many as the whole.
int64_t count_characters(std::string_view text);

// Sequences that replace_invalid_utf8 replaces.
int64_t count_invalid_utf8(std::string_view text);

// Invalid sequences replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// Length in bytes (0 to 3) of a character at the end of `text` that more bytes could still
// complete. Streaming output holds these bytes back.
int incomplete_utf8_tail(std::string_view text);

// The beginning of `text`, at most so many bytes and no part of a character, to show it.
std::string_view utf8_beginning(std::string_view text, size_t most_bytes);

// What a message shows of a text from outside: the beginning, at most 80 bytes of it, with U+FFFD
// in the place of invalid sequences and of control characters, which a terminal would obey.
std::string shown_text(std::string_view text);

// Where a reader of UTF-8 stands between two bytes: the rows of Unicode 15, table 3-7.
enum class Utf8State : uint8_t {
  kBoundary,  // between two characters
  kOneMore,
  kTwoMore,
  kThreeMore,  // so many bytes of 80..BF complete the character
  kAfterE0,
  kAfterED,
  kAfterF0,
  kAfterF4,  // the next byte is limited further
  kInvalid,  // no bytes make text of it any more
};
// All but kInvalid.
inline constexpr size_t kUtf8States = 8;

// The state after one byte more, or several. From kInvalid there is no way back.
Utf8State next_utf8_state(Utf8State state, uint8_t byte);
Utf8State next_utf8_state(Utf8State state, std::string_view bytes);

}  // namespace inkstone
