// A program in tmux: keys as a person presses them, and the screen as a person sees it.
#pragma once

#include <filesystem>
#include <string>

#include "program.h"

namespace inkstone::test {

class Tmux {
 public:
  static bool is_there();

  // Runs a line of `sh` in a terminal of so many columns, in which the word inkstone names the
  // built program. TMPDIR's path must be short: it holds a socket.
  Tmux(const std::string& line, const std::filesystem::path& folder, int columns, int rows = 24);
  ~Tmux();
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  void type(const std::string& text) const;   // at most one line
  void press(const std::string& keys) const;  // names of tmux: "Home", "C-c", "Enter"
  void paste(const std::string& text) const;
  void resize(int columns, int rows = 24) const;

  // The rows without the blanks at their ends, and without empty ones at the end.
  std::string screen() const;
  // The same of everything since the beginning, with what was scrolled away.
  std::string lines() const;
  // "column,row" of the cursor, from 0.
  std::string cursor() const;

  // Waits until the screen ends with `text`, or has it anywhere; fails the test when that does not
  // come.
  void expect_end(const std::string& text) const;
  void wait_for(const std::string& text) const;

 private:
  std::string tmux(const std::string& words) const;

  std::filesystem::path folder_;
  std::string socket_;
};

}  // namespace inkstone::test
