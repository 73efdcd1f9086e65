// Standard input and output as a terminal whose keys arrive one by one, unechoed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/terminal/screen.h"

namespace inkstone::cli {

// While one lives, what is typed waits unseen until it is read, and what is pasted comes between
// marks. Ctrl-C stays a signal, which others catch; Ctrl-Z and what ends the program (SIGTERM,
// SIGHUP, SIGQUIT) give the terminal back as it was. At most one lives at a time.
class Terminal {
 public:
  // Whether there is a terminal that can be asked for this; TERM=dumb cannot.
  static bool is_there();

  // `interrupted` says whether there was a Ctrl-C.
  explicit Terminal(std::function<bool()> interrupted);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  enum class Event {
    kTyped,        // `bytes` has more
    kEnd,          // nothing will come
    kInterrupted,  // Ctrl-C
    kResized,
    kContinued,  // was stopped, and others may have written meanwhile
  };
  // Waits for the next of these, and adds what was typed to `bytes`.
  Event wait(std::string& bytes);
  // Whether wait() would give kTyped at once.
  bool has_input() const;
  // Takes the terminal again when the program has been in the background.
  void take();

  TerminalSize size() const;
  // Throws kInputOutput.
  static void write(std::string_view bytes);

 private:
  std::function<bool()> interrupted_;
};

// Waits for standard input or for `interrupted`; the latter: false. Reads what is there, at most
// 64 KiB; at the end of the input `bytes` stays as it is.
bool wait_and_read(const std::function<bool()>& interrupted, std::string& bytes);

}  // namespace inkstone::cli
