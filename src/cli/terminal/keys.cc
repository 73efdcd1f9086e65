#include "cli/terminal/keys.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace inkstone::cli {
namespace {

constexpr char kEscape = '\x1b', kDeleteCharacter = '\x7f';
constexpr std::string_view kPasteBegin = "[200~", kPasteEnd = "\x1b[201~";
constexpr size_t kLongestSequence = 32;  // a longer one is no key: noise

struct Binding {
  std::string_view sequence;
  Key key;
};

// Behind ESC. Of a key with modifiers (";5" Ctrl, ";3" Alt) the arrows alone mean something.
constexpr auto kEscapes = std::to_array<Binding>({
    {"[A", Key::kUp},           {"[B", Key::kDown},         {"[C", Key::kRight},
    {"[D", Key::kLeft},         {"[H", Key::kHome},         {"[F", Key::kEnd},
    {"OA", Key::kUp},           {"OB", Key::kDown},         {"OC", Key::kRight},
    {"OD", Key::kLeft},         {"OH", Key::kHome},         {"OF", Key::kEnd},
    {"[1~", Key::kHome},        {"[7~", Key::kHome},        {"[4~", Key::kEnd},
    {"[8~", Key::kEnd},         {"[3~", Key::kDelete},      {"[1;5C", Key::kWordRight},
    {"[1;5D", Key::kWordLeft},  {"[1;3C", Key::kWordRight}, {"[1;3D", Key::kWordLeft},
    {"Oc", Key::kWordRight},    {"Od", Key::kWordLeft},     {"f", Key::kWordRight},
    {"b", Key::kWordLeft},      {"d", Key::kKillWordRight}, {"\x7f", Key::kKillWordLeft},
    {"\b", Key::kKillWordLeft}, {"\r", Key::kNewLine},      {"\n", Key::kNewLine},
});

constexpr auto kControls = std::to_array<Binding>({
    {"\x01", Key::kHome},          // A
    {"\x02", Key::kLeft},          // B
    {"\x04", Key::kDeleteOrEnd},   // D
    {"\x05", Key::kEnd},           // E
    {"\x06", Key::kRight},         // F
    {"\x07", Key::kCancel},        // G
    {"\b", Key::kBackspace},       // H
    {"\n", Key::kEnter},           // J
    {"\x0b", Key::kKillToEnd},     // K
    {"\x0c", Key::kClearScreen},   // L
    {"\r", Key::kEnter},           // M
    {"\x0e", Key::kDown},          // N
    {"\x10", Key::kUp},            // P
    {"\x12", Key::kSearch},        // R
    {"\x14", Key::kTranspose},     // T
    {"\x15", Key::kKillToHome},    // U
    {"\x17", Key::kKillWordLeft},  // W
    {"\x19", Key::kYank},          // Y
    {"\x7f", Key::kBackspace},
});

template <size_t kCount>
std::optional<Key> find(const std::array<Binding, kCount>& bindings, std::string_view sequence) {
  const auto found = std::ranges::find(bindings, sequence, &Binding::sequence);
  return found == bindings.end() ? std::nullopt : std::optional(found->key);
}

bool is_control_byte(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == kDeleteCharacter;
}

size_t character_size(std::string_view text) {
  return text.empty() ? 0 : static_cast<size_t>(decode_utf8(text, 0).size_bytes);
}

// The length of the sequence behind an ESC; 0: its end has not come. "[", parameters and a last
// byte (ECMA-48, 5.4); "O" or "[[" (Linux's F1 to F5) and one character more; else one character.
size_t escape_length(std::string_view text) {
  for (const std::string_view begin : {"O", "[["}) {
    const size_t more = text.starts_with(begin) ? character_size(text.substr(begin.size())) : 0;
    if (more > 0) return begin.size() + more;
    if (text == begin) return 0;
  }
  if (!text.starts_with('[')) return character_size(text);
  size_t last = 1;
  while (last < text.size() && text[last] >= ' ' && text[last] <= '?') ++last;
  if (last >= kLongestSequence) return kLongestSequence;
  if (last == text.size()) return 0;
  return text[last] >= '@' && text[last] <= '~' ? last + 1 : last;
}

// The newlines that terminals send are carriage returns.
std::string with_newlines(std::string_view text) {
  std::string lines;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      lines += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      lines += '\n';
    }
  }
  return lines;
}

// Taken from the beginning of a text.
std::string take(std::string& text, size_t size) {
  std::string taken = text.substr(0, size);
  text.erase(0, size);
  return taken;
}

}  // namespace

std::optional<KeyPress> KeyDecoder::next() {
  while (!pasting_ && !pending_.empty()) {
    std::optional<Key> key;
    if (pending_[0] == kEscape) {
      // Two in a row: the first says Alt, which no key with a sequence of its own needs.
      const bool twice = pending_.starts_with("\x1b\x1b");
      const size_t length = twice ? 0 : escape_length(std::string_view(pending_).substr(1));
      if (length == 0 && !twice) return std::nullopt;
      const std::string sequence = take(pending_, 1 + length).substr(1);
      pasting_ = sequence == kPasteBegin;
      key = find(kEscapes, sequence);
    } else if (is_control_byte(pending_[0])) {
      key = find(kControls, take(pending_, 1));
    } else {
      const auto end = std::ranges::find_if(pending_, is_control_byte) - pending_.begin();
      return KeyPress{Key::kText, take(pending_, static_cast<size_t>(end))};
    }
    if (key) return KeyPress{*key};
  }
  return pasting_ ? next_pasted() : std::nullopt;
}

std::optional<KeyPress> KeyDecoder::next_pasted() {
  const size_t end = pending_.find(kPasteEnd, searched_);
  if (end == std::string::npos) {
    searched_ = pending_.size() - std::min(pending_.size(), kPasteEnd.size());
    return std::nullopt;
  }
  KeyPress pasted{Key::kPaste, with_newlines(take(pending_, end))};
  pending_.erase(0, kPasteEnd.size());
  pasting_ = false;
  searched_ = 0;
  return pasted;
}

void KeyDecoder::drop_unfinished_paste() {
  if (std::exchange(pasting_, false)) pending_.clear();
  searched_ = 0;
}

}  // namespace inkstone::cli
