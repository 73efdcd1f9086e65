// Running a sweep: DIR/NAME for each run, DIR/logs/NAME.log for what it said, and DIR/sweep.json.
// The runs themselves say how far the sweep has come; sweep.json keeps what they cannot say: which
// of them failed, and why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/comparison.h"
#include "cli/run_failure.h"
#include "cli/sweep_plan.h"
#include "cli/sweep_spec.h"

namespace inkstone::cli {

class Sweep {
 public:
  // Looks at what is there; writes nothing. Throws kUsage when a run's command has a fault, naming
  // the run; when a run that is there began with another command, saying what differs; and when the
  // folder holds something else.
  Sweep(SweepSpec spec, std::filesystem::path folder);

  const SweepSpec& spec() const { return spec_; }
  const std::vector<SweepRun>& runs() const { return runs_; }

  // Failed runs are to be tried once more.
  void forget_failures() { failures_.clear(); }
  // By the run's name.
  const std::map<std::string, RunFailure>& failures() const { return failures_; }

  std::vector<Task> next() const;
  // The words of a task's command line, without the program's name.
  std::vector<std::string> words_of_task(const Task& task) const;

  struct Running {
    int jobs = 1;     // runs at a time
    int threads = 0;  // of each; 0: as many as a run takes by itself
  };
  // Runs what is to be run, `jobs` children at a time, and tells of it. A run that fails is noted
  // and left out. Returns false when it, or a child, was interrupted: all children have ended then,
  // and the next call goes on. Killed at any moment, the next one goes on too.
  bool run(const Running& how);

  // The runs that have begun, the lowest loss first.
  std::vector<ComparedRun> results() const;

 private:
  std::filesystem::path folder_of(const SweepRun& run) const { return folder_ / run.name; }
  std::filesystem::path log_of(const SweepRun& run) const {
    return folder_ / "logs" / (run.name + ".log");
  }
  std::vector<RunState> states() const;
  void read_state();
  void forget_failures_of_finished();
  void write_state() const;
  void note_end(const Task& task, int status, uint64_t log_begin);
  bool run_tasks(const std::vector<Task>& tasks, const Running& how);

  SweepSpec spec_;
  std::filesystem::path folder_;
  std::vector<SweepRun> runs_;
  std::map<std::string, RunFailure> failures_;
};

}  // namespace inkstone::cli
