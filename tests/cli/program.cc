#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>
#include <utility>

namespace inkstone::test {
namespace {

// Only so that a program that hangs ends the test: nothing is measured.
constexpr std::chrono::seconds kPatience{240}, kSilence{60};
using Clock = std::chrono::steady_clock;

std::string binary() {
  const char* path = std::getenv("INKSTONE_BINARY");
  if (path == nullptr)
    throw std::runtime_error("INKSTONE_BINARY names the program to test; ctest sets it");
  return path;
}

// The child's side: as a shell would start it, and in English in every locale. Signals that the
// test's own parent ignored are taken again.
[[noreturn]] void execute(const std::string& program, const std::vector<std::string>& arguments,
                          const std::filesystem::path& folder,
                          const std::function<void()>& prepare) {
  if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(126);
  ::setenv("LANGUAGE", "en", 1);
  if (prepare) prepare();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
  std::vector<char*> words = {const_cast<char*>("inkstone")};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

int exit_status(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Ends {
  int read = -1, write = -1;
};

Ends make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return {fds[0], fds[1]};
}

// Every write() is a packet of its own.
Ends make_packet_channel() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    throw std::runtime_error("no socket pair");
  return {fds[0], fds[1]};
}

// Feeds and reads all of a child's streams until it has closed them.
class Exchange {
 public:
  Exchange(int in, int out, int err, std::string_view input)
      : fds_{{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}}, input_(input) {
    if (in >= 0) ::fcntl(in, F_SETFL, O_NONBLOCK);
  }

  void run(Outcome& outcome) {
    const auto deadline = Clock::now() + kPatience;
    while (fds_[1].fd >= 0 || fds_[2].fd >= 0) {
      ::poll(fds_, 3, 1000);
      if (fds_[0].fd >= 0 && fds_[0].revents != 0) feed();
      if (fds_[1].fd >= 0 && fds_[1].revents != 0 && take(fds_[1], outcome.out))
        outcome.chunks.push_back(last_);
      if (fds_[2].fd >= 0 && fds_[2].revents != 0) take(fds_[2], outcome.err);
      if (Clock::now() > deadline) {
        outcome.timed_out = true;
        break;
      }
    }
    for (pollfd& p : fds_) close(p);
  }

 private:
  static void close(pollfd& p) {
    if (p.fd >= 0) ::close(std::exchange(p.fd, -1));
  }

  void feed() {
    const ssize_t n = ::write(fds_[0].fd, input_.data(), input_.size());
    if (n > 0) input_.remove_prefix(static_cast<size_t>(n));
    if (input_.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) close(fds_[0]);
  }

  bool take(pollfd& p, std::string& to) {
    char buffer[65536];
    const ssize_t n = ::read(p.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return false;
    if (n <= 0) {
      close(p);
      return false;
    }
    last_.assign(buffer, static_cast<size_t>(n));
    to += last_;
    return true;
  }

  pollfd fds_[3];
  std::string_view input_;
  std::string last_;
};

Outcome run_program(const std::string& program, const Launch& launch) {
  const Ends in = make_pipe(), err = make_pipe();
  const Ends out = launch.one_chunk_per_write ? make_packet_channel() : make_pipe();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    ::dup2(in.read, STDIN_FILENO);
    ::dup2(launch.stdout_file.empty() ? out.write : ::open(launch.stdout_file.c_str(), O_WRONLY),
           STDOUT_FILENO);
    ::dup2(err.write, STDERR_FILENO);
    execute(program, launch.arguments, launch.folder, launch.in_child);
  }
  for (const int fd : {in.read, out.write, err.write}) ::close(fd);
  Outcome outcome;
  const auto ignored = ::signal(SIGPIPE, SIG_IGN);  // a child need not read its input
  Exchange(in.write, out.read, err.read, launch.input).run(outcome);
  ::signal(SIGPIPE, ignored);
  if (outcome.timed_out) {
    ::kill(child, SIGKILL);
    ADD_FAILURE() << "the program hung; it had said: " << outcome.out << outcome.err;
  }
  outcome.status = exit_status(child);
  return outcome;
}

}  // namespace

Outcome run_inkstone(const Launch& launch) { return run_program(binary(), launch); }

Outcome run_inkstone(std::vector<std::string> arguments, const std::filesystem::path& folder) {
  return run_inkstone(Launch{.arguments = std::move(arguments), .folder = folder});
}

Outcome run_shell(const std::string& line, const std::filesystem::path& folder) {
  const std::string path = std::filesystem::path(binary()).parent_path().string();
  return run_program("/bin/sh",
                     {.arguments = {"-c", "PATH='" + path + "':$PATH; " + line}, .folder = folder});
}

RunningProgram::RunningProgram(std::vector<std::string> arguments,
                               const std::filesystem::path& folder, Terminal terminal,
                               const std::function<void()>& in_child) {
  const std::string program = binary();
  if (terminal == Terminal::kPseudo) {
    child_ = ::forkpty(&fd_, nullptr, nullptr, nullptr);
    if (child_ == 0) {
      ::setenv("TERM", "xterm", 1);
      ::setenv("XDG_STATE_HOME", (folder / "state").c_str(), 1);
      execute(program, arguments, folder, in_child);
    }
    return;
  }
  const Ends err = make_pipe();
  ::fcntl(err.write, F_SETPIPE_SZ, 4096);
  child_ = ::fork();
  if (child_ == 0) {
    ::dup2(::open("/dev/null", O_RDWR), STDIN_FILENO);
    ::dup2(STDIN_FILENO, STDOUT_FILENO);
    ::dup2(err.write, STDERR_FILENO);
    execute(program, arguments, folder, in_child);
  }
  ::close(err.write);
  fd_ = err.read;
}

RunningProgram::~RunningProgram() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    exit_status(child_);
  }
  if (fd_ >= 0) ::close(fd_);
}

bool RunningProgram::read_some() {
  pollfd p = {fd_, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(std::chrono::milliseconds(kSilence).count())) <= 0) {
    ADD_FAILURE() << "the program hung; it had said: " << output_;
    return false;
  }
  char buffer[1024];
  const ssize_t n = ::read(fd_, buffer, sizeof buffer);  // a terminal whose child is gone says EIO
  if (n > 0) output_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string RunningProgram::wait_for(const std::string& text) {
  size_t at;
  while ((at = output_.find(text, waited_)) == std::string::npos) {
    if (read_some()) continue;
    ADD_FAILURE() << "waited in vain for '" << text
                  << "'; the program had said: " << output_.substr(waited_);
    return "";
  }
  const size_t begin = std::exchange(waited_, at + text.size());
  return output_.substr(begin, waited_ - begin);
}

void RunningProgram::wait_for_prompt(const std::string& prompt) {
  wait_for(prompt);
  const auto deadline = Clock::now() + kSilence;
  while (terminal_echoes()) {
    if (Clock::now() > deadline) {
      ADD_FAILURE() << "the prompt is there, but no line editor: " << output_;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool RunningProgram::terminal_echoes() const {
  termios modes{};
  return ::tcgetattr(fd_, &modes) == 0 && (modes.c_lflag & ICANON) != 0 &&
         (modes.c_lflag & ECHO) != 0;
}

void RunningProgram::write(const std::string& text) {
  if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    ADD_FAILURE() << "cannot type";
}

void RunningProgram::signal(int number) { ::kill(child_, number); }

int RunningProgram::finish() {
  while (read_some()) {
  }
  return exit_status(std::exchange(child_, -1));
}

}  // namespace inkstone::test
