// Reading lines from a person: history and editing on a terminal, plain lines from a pipe.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace inkstone::cli {

class InterruptFlag;

class LineEditor {
 public:
  // history: a file that keeps earlier lines between runs; empty: none. The flag must outlive the
  // editor.
  LineEditor(std::filesystem::path history, InterruptFlag& interrupt);
  ~LineEditor();

  // One line without its end; nullopt at the end of the input (Ctrl-D). A Ctrl-C drops the line and
  // gives an empty one with interrupted() true; the flag is down again.
  std::optional<std::string> read(const std::string& prompt);
  bool interrupted() const;

  struct Impl;  // defined in line_editor.cc

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone::cli
