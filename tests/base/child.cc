#include "child.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inkstone/error.h"

namespace inkstone::test {
namespace {

[[noreturn]] void run_and_report(const std::function<void()>& f, int pipe_fd) {
  int status = 1;
  try {
    f();
    status = 0;
  } catch (const Error& e) {
    const std::string text = e.what();
    if (::write(pipe_fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) status = 0;
  } catch (...) {
  }
  ::_exit(status);  // no destructors, no atexit: they belong to the parent
}

}  // namespace

std::optional<std::string> text_thrown_in_child(const std::function<void()>& f) {
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  const pid_t child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) run_and_report(f, ends[1]);
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return text;
}

void limit_file_size(unsigned long bytes) {
  ::signal(SIGXFSZ, SIG_IGN);  // write() then says EFBIG instead of ending the process
  const rlimit limit = {bytes, bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
}

bool become_ordinary_user() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return true;
  return ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0;
}

}  // namespace inkstone::test
