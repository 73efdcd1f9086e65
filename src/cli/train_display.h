// What `train` and `finetune` show.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "cli/command.h"
#include "inkstone/trainer.h"

namespace inkstone::cli {

// Shows a run's events: people get a status line and a line per evaluation, machines JSON lines.
class TrainDisplay {
 public:
  TrainDisplay(bool json, const InterruptFlag& interrupt) : json_(json), interrupt_(interrupt) {}

  // Valid as long as this.
  TrainObserver observer();
  // A line for people; nothing with --json.
  void say(const Message& text);
  // A line for machines; nothing without --json. A reader that left ends the run as Ctrl-C does.
  void event(const Json& json);
  bool json() const { return json_; }
  bool stop_requested() const { return interrupt_.raised() || reader_has_left_; }
  StatusLine& status() { return status_; }

  // After the run. Returns the exit status.
  int finish(const TrainResult& result, const std::filesystem::path& run);
  // After an interruption before training began.
  int interrupted(const std::filesystem::path& run);

 private:
  void on_step(const StepReport& report);

  bool json_;
  const InterruptFlag& interrupt_;
  bool reader_has_left_ = false;
  StatusLine status_;
};

}  // namespace inkstone::cli
