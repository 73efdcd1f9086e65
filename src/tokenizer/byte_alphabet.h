// GPT-2's way of writing bytes as visible characters in its vocabulary files: " the" is written
// "Ġthe". Bytes 33..126, 161..172 and 174..255 stand for themselves (code point = byte); the k-th
// of the other 68 is written U+0100+k. Source: bytes_to_unicode of OpenAI's encoder.py.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace inkstone {

uint32_t byte_to_code_point(uint8_t byte);
std::optional<uint8_t> code_point_to_byte(uint32_t code_point);

// Any bytes in the alphabet, as UTF-8.
std::string to_byte_alphabet(std::string_view bytes);

// The inverse; nullopt when `text` has a character outside the alphabet or is not UTF-8.
std::optional<std::string> from_byte_alphabet(std::string_view text);

// The bytes in ascending order of their code points: the order of GPT-2's byte tokens.
const std::array<uint8_t, 256>& bytes_in_alphabet_order();

}  // namespace inkstone
