// Reading lines from a person: history and editing on a terminal, plain lines from anything else.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cli/terminal/encoding.h"

namespace inkstone::cli {

class LineEditor {
 public:
  struct Settings {
    std::filesystem::path history;      // a file that keeps earlier texts between runs; empty: none
    std::function<bool()> interrupted;  // whether there was a Ctrl-C
    Encoding* encoding;                 // of the terminal; outlives the editor
  };
  // On a terminal that can do more than TERM=dumb, keys that are typed while no line is read wait
  // unseen for the next one, and lines are edited.
  explicit LineEditor(Settings settings);
  ~LineEditor();

  enum class Event {
    kLine,
    kEnd,          // of the input; Ctrl-D on a terminal
    kInterrupted,  // Ctrl-C: the line is dropped
    kUndecodable,  // of what was typed, some is no text in the terminal's encoding
  };
  struct Input {
    Event event = Event::kLine;
    std::string text = {};  // without the end of the line; with the newlines of what was pasted
  };
  // From a terminal the text is UTF-8; from anything else, its bytes as they are, without a prompt.
  Input read(const std::string& prompt);
  // Offers it to the arrow up and to Ctrl-R.
  void remember(const std::string& text);

  struct Impl;  // defined in line_editor.cc
  class OnTerminal;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone::cli
