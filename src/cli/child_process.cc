#include "cli/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

int open_or_fail(const fs::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (file < 0) {
    fail(ErrorCode::kInputOutput, "cannot open '{}': {}", path.string(), errno_text(errno));
  }
  return file;
}

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : kEndingSignals) ::sigaddset(&set, number);
  return set;
}

// In the child: only what may be called between fork and exec. The signals are blocked, for this
// process's handlers would swallow them.
[[noreturn]] void become(char** words, int input, int log, pid_t parent) {
  for (const int number : kEndingSignals) ::signal(number, SIG_DFL);
  const sigset_t blocked = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);  // it has ended meanwhile
  ::dup2(input, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv("/proc/self/exe", words);  // this very program, even if another took its file's place
  constexpr char kSaid[] = "inkstone: error: cannot start this program as a child\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kSaid, sizeof kSaid - 1);
  ::_exit(127);
}

}  // namespace

fs::path own_program() { return fs::read_symlink("/proc/self/exe"); }

ChildProcess::ChildProcess(const std::vector<std::string>& words, const fs::path& log) {
  std::vector<std::string> all = words;
  all.insert(all.begin(), "inkstone");
  std::vector<char*> pointers;
  for (std::string& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int input = open_or_fail("/dev/null", O_RDONLY);
  const int output = open_or_fail(log, O_WRONLY | O_APPEND | O_CREAT);
  const pid_t parent = ::getpid();
  const sigset_t ending = ending_signals();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &ending, &before);
  child_ = ::fork();
  if (child_ == 0) become(pointers.data(), input, output, parent);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(input);
  ::close(output);
  if (child_ < 0) fail(ErrorCode::kInputOutput, "cannot start a process: {}", errno_text(error));
}

ChildProcess::~ChildProcess() {
  if (status_) return;
  signal(SIGTERM);
  wait(0);
}

void ChildProcess::signal(int number) const {
  if (!status_) ::kill(child_, number);
}

std::optional<int> ChildProcess::poll() { return status_ ? status_ : wait(WNOHANG); }

std::optional<int> ChildProcess::wait(int options) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = ::waitpid(child_, &status, options);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) return std::nullopt;
  status_ = ended < 0 ? 1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

}  // namespace inkstone::cli
