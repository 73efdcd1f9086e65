#include "corpus/clean/characters.h"

#include <algorithm>

#include "base/utf8.h"

namespace inkstone {
namespace {

constexpr size_t kBlock_bytes = 32;

bool is_plain_ascii(uint8_t byte) {
  return (byte >= 0x20 && byte < 0x7F) || byte == '\n' || byte == '\t';
}

// True if all kBlock_bytes bytes are plain ASCII. Without a branch, so that the compiler vectorises
// it.
bool is_plain_ascii_block(const char* block) {
  uint8_t special = 0;
  for (size_t i = 0; i < kBlock_bytes; ++i) {
    const auto byte = static_cast<uint8_t>(block[i]);
    // 0x20 to 0x7E is inside.
    const uint8_t outside = static_cast<uint8_t>(byte - 0x20) > 0x5E ? 1 : 0;
    const uint8_t not_tab_or_newline = static_cast<uint8_t>(byte - '\t') > 1 ? 1 : 0;
    special |= outside & not_tab_or_newline;
  }
  return special == 0;
}

bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Size of the character at `p`, which is not ASCII, if it is valid and nothing is to be done about
// it; else 0. The ranges are those of Unicode 15, table 3-7.
size_t plain_size(const uint8_t* p, size_t left) {
  const uint8_t lead = p[0];
  if (lead >= 0xE0 && lead < 0xF0) {
    if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
    if (lead == 0xE0 && p[1] < 0xA0) return 0;
    if (lead == 0xED && p[1] >= 0xA0) return 0;
    if (lead == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) return 0;  // U+2028, U+2029
    if (lead == 0xEF && p[1] == 0xBB && p[2] == 0xBF) return 0;                    // U+FEFF
    return 3;
  }
  if (lead < 0xE0) {
    if (lead < 0xC2 || left < 2 || !is_continuation(p[1])) return 0;
    return lead == 0xC2 && p[1] < 0xA0 ? 0 : 2;  // U+0080 to U+009F
  }
  if (lead > 0xF4 || left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) ||
      !is_continuation(p[3]))
    return 0;
  return (lead == 0xF0 && p[1] < 0x90) || (lead == 0xF4 && p[1] > 0x8F) ? 0 : 4;
}

// The end of a stretch of three-byte characters from `at` on of which none needs a closer look:
// most of Chinese, Japanese and Korean. (Not U+0000-0FFF, 2000-2FFF, D000-DFFF and F000-FFFF.)
size_t skip_plain_three_bytes(const uint8_t* bytes, size_t at, size_t size) {
  // By the lead's low bits.
  constexpr uint32_t kCloserLook = (1u << 0x0) | (1u << 0x2) | (1u << 0xD) | (1u << 0xF);
  for (; size - at >= 3; at += 3) {
    const uint8_t* p = bytes + at;
    const bool three_bytes = ((p[0] ^ 0xE0) & 0xF0) == 0 &&
                             (((p[1] ^ 0x80) | (p[2] ^ 0x80)) & 0xC0) == 0;
    if (!three_bytes || ((kCloserLook >> (p[0] & 0x0F)) & 1) != 0) break;
  }
  return at;
}

bool is_control(uint32_t c) {
  return (c < 0x20 && c != '\t') || (c >= 0x7F && c <= 0x9F) || c == 0xFEFF;
}

// Copies text to `out`, a clean stretch or one unclean character at a time.
class Rewriter {
 public:
  Rewriter(std::string_view text, std::string& out, const CharacterOptions& options,
           CharacterCounts& counts)
      : text_(text), out_(out), options_(options), counts_(counts) {}

  void run(size_t first_unclean) {
    out_.assign(text_.substr(0, first_unclean));
    for (size_t at = first_unclean; at < text_.size();) {
      at = copy_character(at);
      const size_t next = find_unclean_character(text_, at);
      out_.append(text_.substr(at, next - at));
      at = next;
    }
  }

 private:
  // Returns where the next character begins.
  size_t copy_character(size_t at) {
    const Utf8Step step = decode_utf8(text_, at);
    const size_t end = at + static_cast<size_t>(step.size_bytes);
    const std::string_view bytes = text_.substr(at, end - at);
    if (!step.ok) {
      ++counts_.invalid_sequences;
      out_.append(options_.invalid == InvalidText::kReplace ? kReplacementCharacter : bytes);
      return end;
    }
    if (is_newline_function(step.code_point)) return copy_line_end(step.code_point, bytes, end);
    if (options_.control_characters && is_control(step.code_point)) {
      ++counts_.control_characters;
    } else {
      out_.append(bytes);
    }
    return end;
  }

  size_t copy_line_end(uint32_t code_point, std::string_view bytes, size_t end) {
    if (!options_.line_ends || code_point == '\n') {
      out_.append(bytes);
      return end;
    }
    ++counts_.line_ends;
    out_.push_back('\n');
    return code_point == '\r' && end < text_.size() && text_[end] == '\n' ? end + 1 : end;
  }

  std::string_view text_;
  std::string& out_;
  const CharacterOptions& options_;
  CharacterCounts& counts_;
};

}  // namespace

bool is_newline_function(uint32_t code_point) {
  return (code_point >= 0x0A && code_point <= 0x0D) || code_point == 0x85 || code_point == 0x2028 ||
         code_point == 0x2029;
}

size_t find_unclean_character(std::string_view text, size_t at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  while (at < text.size()) {
    if (text.size() - at >= kBlock_bytes && is_plain_ascii_block(text.data() + at)) {
      at += kBlock_bytes;
      continue;
    }
    const size_t stop = std::min(text.size(), at + kBlock_bytes);
    while (at < stop) {
      if (bytes[at] < 0x80) {
        if (!is_plain_ascii(bytes[at])) return at;
        ++at;
        continue;
      }
      const size_t size_bytes = plain_size(bytes + at, text.size() - at);
      if (size_bytes == 0) return at;
      at = skip_plain_three_bytes(bytes, at + size_bytes, text.size());
    }
  }
  return at;
}

void clean_characters(std::string& text, std::string& spare, const CharacterOptions& options,
                      CharacterCounts& counts) {
  const size_t first = find_unclean_character(text);
  if (first == text.size()) return;
  Rewriter(text, spare, options, counts).run(first);
  text.swap(spare);
}

}  // namespace inkstone
