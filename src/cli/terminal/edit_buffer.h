// A text with a place in it, and what keys do to the two.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/terminal/keys.h"

namespace inkstone::cli {

// The cursor stands before a grapheme cluster, or at the end; so no key leaves half a character.
class EditBuffer {
 public:
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }

  // The cursor goes to the end.
  void set(std::string text);
  // The text, which is then empty.
  std::string take();
  // What the key does; false: it does nothing to a text (kEnter, kSearch, ...), or nothing is left
  // to do: the arrow up in the first line, the arrow down in the last.
  bool apply(const KeyPress& press);

 private:
  // To this place; from the middle of a cluster, to its end.
  void go_to(size_t at);
  void insert(std::string_view text);
  void erase(size_t begin, size_t end);
  void kill(size_t begin, size_t end);
  void transpose();
  bool to_line_above();
  bool to_line_below();
  size_t line_begin() const;  // of the line that the cursor is in
  size_t line_end() const;

  std::string text_;
  size_t cursor_ = 0;
  std::string killed_;  // what the last kill removed, for kYank
};

}  // namespace inkstone::cli
