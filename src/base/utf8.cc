#include "base/utf8.h"

#include <algorithm>

namespace inkstone {
namespace {

struct LeadByte {
  int length;         // of the whole sequence; 0: not a lead byte
  uint8_t low, high;  // allowed range of the second byte
};

// Unicode 15, table 3-7, "Well-Formed UTF-8 Byte Sequences".
LeadByte classify(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// The state behind a lead byte, which its length and its second byte's range tell.
Utf8State state_after(LeadByte lead) {
  switch (lead.length) {
    case 1: return Utf8State::kBoundary;
    case 2: return Utf8State::kOneMore;
    case 3:
      return lead.low > 0x80    ? Utf8State::kAfterE0
             : lead.high < 0xBF ? Utf8State::kAfterED
                                : Utf8State::kTwoMore;
    case 4:
      return lead.low > 0x80    ? Utf8State::kAfterF0
             : lead.high < 0xBF ? Utf8State::kAfterF4
                                : Utf8State::kThreeMore;
    default: return Utf8State::kInvalid;
  }
}

}  // namespace

Utf8Step decode_utf8(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const LeadByte lead = classify(byte(at));
  if (lead.length == 1) return {byte(at), 1, true};
  if (lead.length == 0) return {0, 1, false};
  uint32_t code_point = byte(at) & (0x7F >> lead.length);
  for (int i = 1; i < lead.length; ++i) {
    const uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {0, i, false};
    code_point = (code_point << 6) | (byte(at + i) & 0x3F);
  }
  return {code_point, lead.length, true};
}

void append_utf8(std::string& text, uint32_t c) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok) return false;
    at += step.size_bytes;
  }
  return true;
}

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; });
}

int64_t count_invalid_utf8(std::string_view text) {
  int64_t invalid = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    invalid += step.ok ? 0 : 1;
    at += static_cast<size_t>(step.size_bytes);
  }
  return invalid;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    result.append(step.ok ? text.substr(at, step.size_bytes) : kReplacementCharacter);
    at += step.size_bytes;
  }
  return result;
}

int incomplete_utf8_tail(std::string_view text) {
  for (size_t length = 1; length <= std::min<size_t>(3, text.size()); ++length) {
    const size_t at = text.size() - length;
    const LeadByte lead = classify(static_cast<uint8_t>(text[at]));
    if (lead.length == 0) continue;
    const Utf8Step step = decode_utf8(text, at);
    const bool could_continue = !step.ok && step.size_bytes == static_cast<int>(length);
    return could_continue && lead.length > static_cast<int>(length) ? static_cast<int>(length) : 0;
  }
  return 0;
}

std::string_view utf8_beginning(std::string_view text, size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  text = text.substr(0, most_bytes);
  text.remove_suffix(static_cast<size_t>(incomplete_utf8_tail(text)));
  return text;
}

std::string shown_text(std::string_view text) {
  constexpr size_t kMostBytes = 80;
  text = utf8_beginning(text, kMostBytes);
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    const uint32_t c = step.code_point;
    const bool is_control = c < 0x20 || (c >= 0x7F && c < 0xA0);  // C0, DEL and C1
    const auto size = static_cast<size_t>(step.size_bytes);
    shown += step.ok && !is_control ? text.substr(at, size) : kReplacementCharacter;
    at += size;
  }
  return shown;
}

Utf8State next_utf8_state(Utf8State state, uint8_t byte) {
  const auto between = [byte](uint8_t low, uint8_t high, Utf8State then) {
    return byte >= low && byte <= high ? then : Utf8State::kInvalid;
  };
  switch (state) {
    case Utf8State::kBoundary: return state_after(classify(byte));
    case Utf8State::kOneMore: return between(0x80, 0xBF, Utf8State::kBoundary);
    case Utf8State::kTwoMore: return between(0x80, 0xBF, Utf8State::kOneMore);
    case Utf8State::kThreeMore: return between(0x80, 0xBF, Utf8State::kTwoMore);
    case Utf8State::kAfterE0: return between(0xA0, 0xBF, Utf8State::kOneMore);
    case Utf8State::kAfterED: return between(0x80, 0x9F, Utf8State::kOneMore);
    case Utf8State::kAfterF0: return between(0x90, 0xBF, Utf8State::kTwoMore);
    case Utf8State::kAfterF4: return between(0x80, 0x8F, Utf8State::kTwoMore);
    case Utf8State::kInvalid: break;
  }
  return Utf8State::kInvalid;
}

Utf8State next_utf8_state(Utf8State state, std::string_view bytes) {
  for (const char byte : bytes) {
    if (state == Utf8State::kInvalid) break;
    state = next_utf8_state(state, static_cast<uint8_t>(byte));
  }
  return state;
}

}  // namespace inkstone
