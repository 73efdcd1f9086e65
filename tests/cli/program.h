// The built program as a child process: captured output, exit status, signals, a pseudo-terminal.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace inkstone::test {

struct Launch {
  std::vector<std::string> arguments;
  std::filesystem::path folder = {};  // to run in; empty: this process's
  std::string input = {};             // standard input, through a pipe, then closed
  std::string stdout_file = {};       // instead of capturing: "/dev/full"
  // Chunks are the child's single writes, however late they are read.
  bool one_chunk_per_write = false;
  std::function<void()> in_child = {};  // before exec: limits, another user
};

struct Outcome {
  int status = -1;  // exit status; 128 + N when signal N ended it
  std::string out, err;
  std::vector<std::string> chunks;  // of standard output, as they were read
  bool timed_out = false;           // killed, for it hung
};

// Runs it to its end. A child that does not end within some minutes is killed and the test fails.
Outcome run_inkstone(const Launch& launch);
Outcome run_inkstone(std::vector<std::string> arguments, const std::filesystem::path& folder = {});
// A line for `sh -c`, in which the word inkstone names the built program.
Outcome run_shell(const std::string& line, const std::filesystem::path& folder);

// A program that is talked to while it runs. `err` is read slowly: the child cannot run far ahead
// of the test.
class RunningProgram {
 public:
  enum class Terminal { kNone, kPseudo };  // on a pseudo-terminal standard output and error are one

  // `in_child` is called before exec: another environment.
  RunningProgram(std::vector<std::string> arguments, const std::filesystem::path& folder,
                 Terminal terminal, const std::function<void()>& in_child = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  // Reads until `text` has appeared behind what was waited for before, and returns what came up to
  // its end. The test fails, and "" comes back, when the program ends or hangs first.
  std::string wait_for(const std::string& text);
  // wait_for, and then until the line editor has the terminal: what is typed before is echoed by
  // the terminal itself, and its echo would say nothing about the program.
  void wait_for_prompt(const std::string& prompt);
  // Whether the terminal itself echoes what is typed, and hands on whole lines.
  bool terminal_echoes() const;
  void write(const std::string& text);
  void signal(int number);
  // Reads to the end and returns the exit status, as Outcome has it.
  int finish();
  const std::string& output() const { return output_; }

 private:
  bool read_some();

  pid_t child_ = -1;
  int fd_ = -1;  // of the terminal, or of standard error
  size_t waited_ = 0;
  std::string output_;
};

}  // namespace inkstone::test
