#include "cli/terminal/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace inkstone::cli {
namespace {

constexpr std::string_view kMarkPastes = "\x1b[?2004h", kDoNotMarkPastes = "\x1b[?2004l";

// What the signal handlers need, which know no object.
struct State {
  termios before{}, ours{};
  volatile std::sig_atomic_t taken = 0, resized = 0, continued = 0;
  std::vector<std::pair<int, struct sigaction>> handlers;  // as they were
};
State state;

// What the terminal does not take is lost: there is nobody to tell.
void write_or_lose(std::string_view text) {
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
}

bool in_foreground() { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

void take_terminal() {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &state.ours);
  write_or_lose(kMarkPastes);
  state.taken = 1;
}

// In the background it is not ours to change, and trying to would stop the program.
void give_terminal_back() {
  if (!state.taken || !in_foreground()) return;
  state.taken = 0;
  write_or_lose(kDoNotMarkPastes);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &state.before);
}

// As if there were no handler, from within it.
void act_by_default(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void on_end(int signal) {
  give_terminal_back();
  act_by_default(signal);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // what is being written goes on
  ::sigaction(signal, &action, nullptr);
}

void on_stop(int signal) {
  const int error = errno;
  give_terminal_back();
  act_by_default(signal);
  handle(signal, on_stop);  // it goes on
  errno = error;
}

void on_continue(int) {
  const int error = errno;
  if (in_foreground()) take_terminal();
  state.continued = 1;
  errno = error;
}

void on_resize(int) { state.resized = 1; }

// What the parent had ignored (nohup) stays ignored.
void handle_unless_ignored(int signal, void (*handler)(int)) {
  struct sigaction before {};
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  state.handlers.emplace_back(signal, before);
  handle(signal, handler);
}

// Keys one by one and unseen, Ctrl-V and the like as keys too. NOFLSH: with a Ctrl-C the terminal
// would throw away what was written, also what is written quickly in answer to it. VMIN 0: reading
// never waits, for what was there may have gone to the shell while the program was stopped.
termios unseen(termios modes) {
  modes.c_iflag &= ~static_cast<tcflag_t>(ISTRIP | INLCR | IGNCR);
  modes.c_iflag |= ICRNL;
  modes.c_oflag |= OPOST | ONLCR;
  modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  modes.c_lflag |= NOFLSH | ISIG;
  modes.c_cc[VMIN] = 0;
  modes.c_cc[VTIME] = 0;
  return modes;
}

// Waits for input; false when `stop` says so first. Signals are let in only while it waits, so that
// none is missed between the look at `stop` and the waiting. One that another thread took does not
// end the waiting, hence the half seconds.
bool wait_for_input(const std::function<bool()>& stop) {
  constexpr timespec kHalfSecond = {0, 500'000'000};
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  for (const int signal : {SIGINT, SIGWINCH, SIGCONT}) ::sigaddset(&blocked, signal);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  int ready = 0;
  bool stopped;
  while (!(stopped = stop()) && ready == 0) {
    ready = ::ppoll(&input, 1, &kHalfSecond, &before);
    if (ready < 0 && errno == EINTR) ready = 0;  // else reading will say what is wrong
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return !stopped;
}

// How many bytes; 0 at the end of the input (of a terminal that we have: nothing is there), -1 when
// it cannot be read.
ssize_t read_some(std::string& bytes) {
  char some[65536];
  ssize_t n;
  do {
    n = ::read(STDIN_FILENO, some, sizeof some);
  } while (n < 0 && errno == EINTR);
  if (n > 0) bytes.append(some, static_cast<size_t>(n));
  return n;
}

bool has_hung_up() {
  struct pollfd input = {STDIN_FILENO, 0, 0};
  return ::poll(&input, 1, 0) > 0;
}

}  // namespace

bool Terminal::is_there() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && kind != nullptr &&
         *kind != '\0' && std::string_view(kind) != "dumb";
}

Terminal::Terminal(std::function<bool()> interrupted) : interrupted_(std::move(interrupted)) {
  ::tcgetattr(STDIN_FILENO, &state.before);
  state.ours = unseen(state.before);
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT}) handle_unless_ignored(signal, on_end);
  handle_unless_ignored(SIGTSTP, on_stop);
  handle_unless_ignored(SIGCONT, on_continue);
  handle_unless_ignored(SIGWINCH, on_resize);
  take_terminal();
}

Terminal::~Terminal() {
  give_terminal_back();
  for (const auto& [signal, action] : std::exchange(state.handlers, {}))
    ::sigaction(signal, &action, nullptr);
}

void Terminal::take() {
  if (!state.taken) take_terminal();
  state.continued = 0;
}

Terminal::Event Terminal::wait(std::string& bytes) {
  const auto stop = [this] { return interrupted_() || state.resized || state.continued; };
  while (wait_for_input(stop)) {
    const ssize_t n = read_some(bytes);
    if (n > 0) return Event::kTyped;
    if (n < 0 || has_hung_up()) return Event::kEnd;
  }
  if (interrupted_()) return Event::kInterrupted;
  if (!state.continued) {
    state.resized = 0;
    return Event::kResized;
  }
  state.continued = 0;
  return Event::kContinued;
}

bool Terminal::has_input() const {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) > 0;
}

TerminalSize Terminal::size() const {
  struct winsize size {};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known && size.ws_row > 0 ? TerminalSize{size.ws_col, size.ws_row} : TerminalSize{};
}

void Terminal::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      fail(ErrorCode::kInputOutput, "cannot write to the terminal: {}", errno_text(errno));
    }
  }
}

bool wait_and_read(const std::function<bool()>& interrupted, std::string& bytes) {
  if (!wait_for_input(interrupted)) return false;
  read_some(bytes);
  return true;
}

}  // namespace inkstone::cli
