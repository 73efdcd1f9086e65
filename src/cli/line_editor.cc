#include "cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <iostream>

#include "cli/command.h"

namespace inkstone::cli {

struct LineEditor::Impl {
  InterruptFlag* interrupt = nullptr;
  std::filesystem::path history_file;
  std::string prompt;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool interrupted = false;
};

namespace {

LineEditor::Impl& impl_of(EditLine* editor) {
  LineEditor::Impl* impl = nullptr;
  ::el_get(editor, EL_CLIENTDATA, &impl);
  return *impl;
}

char* prompt_of(EditLine* editor) { return impl_of(editor).prompt.data(); }

// Waits for input, or for the flag. A signal is let in only while ppoll waits, so that none is
// missed between the look at the flag and the waiting. False with errno EINTR when the flag is up.
bool wait_for_input(const InterruptFlag& flag) {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGINT);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  int ready = 0;
  while (!flag.raised() && ready <= 0) {
    ready = ::ppoll(&input, 1, nullptr, &before);
    if (ready < 0 && errno != EINTR) break;  // reading will say what is wrong
  }
  const bool interrupted = flag.raised();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (interrupted) errno = EINTR;
  return !interrupted;
}

// One character for libedit: 1, 0 at the end, -1 with errno.
int read_character(EditLine* editor, wchar_t* character) {
  std::mbstate_t state{};
  while (true) {
    if (!wait_for_input(*impl_of(editor).interrupt)) return -1;
    char byte = 0;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return static_cast<int>(n);
    const size_t length = std::mbrtowc(character, &byte, 1, &state);
    if (length == static_cast<size_t>(-2)) continue;  // more bytes of it follow
    if (length != static_cast<size_t>(-1)) return 1;
    state = {};  // no character: dropped
  }
}

}  // namespace

LineEditor::LineEditor(std::filesystem::path history, InterruptFlag& interrupt)
    : impl_(std::make_unique<Impl>()) {
  impl_->interrupt = &interrupt;
  impl_->history_file = std::move(history);
  if (!stdin_is_terminal() || !stdout_is_terminal()) return;
  impl_->editor = ::el_init("inkstone", stdin, stdout, stderr);
  impl_->history = ::history_init();
  if (impl_->editor == nullptr || impl_->history == nullptr) return;
  HistEvent event;
  ::history(impl_->history, &event, H_SETSIZE, 1000);
  ::history(impl_->history, &event, H_SETUNIQUE, 1);
  if (!impl_->history_file.empty())
    ::history(impl_->history, &event, H_LOAD, impl_->history_file.c_str());
  ::el_set(impl_->editor, EL_CLIENTDATA, impl_.get());
  ::el_set(impl_->editor, EL_PROMPT, prompt_of);
  ::el_set(impl_->editor, EL_GETCFN, read_character);
  ::el_set(impl_->editor, EL_EDITOR, "emacs");
  ::el_set(impl_->editor, EL_HIST, ::history, impl_->history);
  // With a Ctrl-C the terminal throws away what was written, also what we write quickly enough in
  // answer to it: the next prompt. noflsh forbids it, while a line is typed (-d) and in between
  // (-x).
  ::el_set(impl_->editor, EL_SETTY, "-d", "+noflsh", nullptr);
  ::el_set(impl_->editor, EL_SETTY, "-x", "+noflsh", nullptr);
  ::el_set(impl_->editor, EL_SIGNAL, 0);  // signals are ours: Ctrl-C must reach the flag
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (impl_->history != nullptr) {
    if (!impl_->history_file.empty())
      ::history(impl_->history, &event, H_SAVE, impl_->history_file.c_str());
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
      impl_->interrupt->reset();
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
