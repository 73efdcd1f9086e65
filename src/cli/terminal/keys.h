// What a terminal sends when keys are pressed, as keys: the sequences of VT220 and xterm.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace inkstone::cli {

enum class Key {
  kText,   // characters
  kPaste,  // the same, pasted: newlines are part of it
  kEnter,
  kNewLine,  // Alt-Enter
  kLeft,
  kRight,
  kWordLeft,
  kWordRight,
  kHome,
  kEnd,
  kUp,
  kDown,
  kBackspace,
  kDelete,
  kDeleteOrEnd,  // Ctrl-D
  kKillToHome,
  kKillToEnd,
  kKillWordLeft,
  kKillWordRight,
  kYank,
  kTranspose,
  kClearScreen,
  kSearch,  // Ctrl-R
  kCancel,  // Ctrl-G
};

struct KeyPress {
  Key key = Key::kText;
  std::string text = {};  // of kText and kPaste
};

class KeyDecoder {
 public:
  // Characters as they came, whole ones, in UTF-8. An unfinished sequence waits for the next call.
  void feed(std::string_view text) { pending_ += text; }
  // The next key; nullopt: no whole one has come. Sequences that mean nothing are passed over.
  std::optional<KeyPress> next();
  // Forgets what was pasted so far when its end has not come.
  void drop_unfinished_paste();

 private:
  std::optional<KeyPress> next_pasted();

  std::string pending_;
  bool pasting_ = false;
  size_t searched_ = 0;  // of pending_, for the end of what is pasted
};

}  // namespace inkstone::cli
