// Reading lines from a person: history and editing on a terminal, plain lines from a pipe.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace inkstone::cli {

class LineEditor {
 public:
  // history: a file that keeps earlier lines between runs; empty: none.
  explicit LineEditor(std::filesystem::path history);
  ~LineEditor();

  // One line without its end; nullopt at the end of the input (Ctrl-D). A Ctrl-C drops the line and gives an empty one
  // with interrupted() true.
  std::optional<std::string> read(const std::string& prompt);
  bool interrupted() const;

  struct Impl;  // defined in line_editor.cc

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone::cli
