#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/command.h"

namespace inkstone::cli {

struct LineEditor::Impl {
  std::filesystem::path history_file;
  std::string prompt;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool interrupted = false;
};

namespace {

char* prompt_of(EditLine* editor) {
  LineEditor::Impl* impl = nullptr;
  ::el_get(editor, EL_CLIENTDATA, &impl);
  return impl->prompt.data();
}

}  // namespace

LineEditor::LineEditor(std::filesystem::path history) : impl_(std::make_unique<Impl>()) {
  impl_->history_file = std::move(history);
  if (!stdin_is_terminal() || !stdout_is_terminal()) return;
  impl_->editor = ::el_init("inkstone", stdin, stdout, stderr);
  impl_->history = ::history_init();
  if (impl_->editor == nullptr || impl_->history == nullptr) return;
  HistEvent event;
  ::history(impl_->history, &event, H_SETSIZE, 1000);
  ::history(impl_->history, &event, H_SETUNIQUE, 1);
  if (!impl_->history_file.empty()) ::history(impl_->history, &event, H_LOAD, impl_->history_file.c_str());
  ::el_set(impl_->editor, EL_CLIENTDATA, impl_.get());
  ::el_set(impl_->editor, EL_PROMPT, prompt_of);
  ::el_set(impl_->editor, EL_EDITOR, "emacs");
  ::el_set(impl_->editor, EL_HIST, ::history, impl_->history);
  ::el_set(impl_->editor, EL_SIGNAL, 0);  // signals are ours: Ctrl-C must reach the flag
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (impl_->history != nullptr) {
    if (!impl_->history_file.empty()) ::history(impl_->history, &event, H_SAVE, impl_->history_file.c_str());
    ::history_end(impl_->history);
  }
  if (impl_->editor != nullptr) ::el_end(impl_->editor);
}

bool LineEditor::interrupted() const { return impl_->interrupted; }

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  impl_->interrupted = false;
  std::string line;
  if (impl_->editor == nullptr) {
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  impl_->prompt = prompt;
  int count = 0;
  errno = 0;
  const char* text = ::el_gets(impl_->editor, &count);
  if (text == nullptr || count <= 0) {
    if (count < 0 && errno == EINTR) {
      impl_->interrupted = true;
      ::el_reset(impl_->editor);
      std::fputs("\n", stdout);
      return "";
    }
    return std::nullopt;
  }
  line = text;
  HistEvent event;
  if (line != "\n") ::history(impl_->history, &event, H_ENTER, text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return line;
}

}  // namespace inkstone::cli
