#include "tokenizer/byte_alphabet.h"

#include <algorithm>

#include "base/utf8.h"

namespace inkstone {
namespace {

constexpr uint32_t kFirstStandIn = 0x100;
constexpr uint32_t kStandIns = 68;

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) ||
         (byte >= 174 && byte <= 255);
}

// Most of the characters of most tokens: they stand for themselves.
constexpr bool is_printable_ascii(char c) { return c >= '!' && c <= '~'; }

struct Tables {
  std::array<uint32_t, 256> code_points{};
  std::array<uint8_t, kStandIns> bytes_of_stand_ins{};
  std::array<uint8_t, 256> order{};

  constexpr Tables() {
    uint32_t stand_ins = 0, in_order = 0;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      if (stands_for_itself(byte)) {
        code_points[byte] = byte;
        order[in_order++] = static_cast<uint8_t>(byte);
      } else {
        bytes_of_stand_ins[stand_ins] = static_cast<uint8_t>(byte);
        code_points[byte] = kFirstStandIn + stand_ins++;
      }
    }
    for (const uint8_t byte : bytes_of_stand_ins) order[in_order++] = byte;
  }
};

constexpr Tables kTables;

}  // namespace

uint32_t byte_to_code_point(uint8_t byte) { return kTables.code_points[byte]; }

std::optional<uint8_t> code_point_to_byte(uint32_t code_point) {
  if (code_point < 256) {
    if (!stands_for_itself(code_point)) return std::nullopt;
    return static_cast<uint8_t>(code_point);
  }
  if (code_point >= kFirstStandIn + kStandIns) return std::nullopt;
  return kTables.bytes_of_stand_ins[code_point - kFirstStandIn];
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 2);
  for (const char c : bytes) append_utf8(text, byte_to_code_point(static_cast<uint8_t>(c)));
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (is_printable_ascii(text[at])) {
      bytes.push_back(text[at++]);
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    const auto byte = step.ok ? code_point_to_byte(step.code_point) : std::nullopt;
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
    at += static_cast<size_t>(step.size_bytes);
  }
  return bytes;
}

const std::array<uint8_t, 256>& bytes_in_alphabet_order() { return kTables.order; }

}  // namespace inkstone
