// This program as a child of itself: an experiment that runs out of memory or crashes takes nobody
// with it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace inkstone::cli {

// The file of this program.
std::filesystem::path own_program();

// Started by the constructor; its output and errors are appended to a file, its input is empty.
// When this process ends, however it ends, the child gets SIGTERM. It is in a process group of its
// own: a Ctrl-C reaches this process alone, which says what the child gets. Call from one thread.
class ChildProcess {
 public:
  // Throws kInputOutput.
  ChildProcess(const std::vector<std::string>& words, const std::filesystem::path& log);
  // Asks it to end (SIGTERM), and waits until it has.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void signal(int number) const;
  // Its exit status once it has ended, 128 + N if signal N ended it; does not wait.
  std::optional<int> poll();

 private:
  std::optional<int> wait(int options);

  pid_t child_ = -1;
  std::optional<int> status_;
};

}  // namespace inkstone::cli
