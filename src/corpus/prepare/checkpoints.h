// How far an unfinished prepare has come.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"

namespace inkstone {

class Checkpoints {
 public:
  // file: where the state is kept. A state that is found there counts when its fingerprint is this
  // one (the same inputs, options, tokenizer and program) and its checksum holds: what reads it
  // need not doubt it. Whatever else the file holds, the work begins anew.
  Checkpoints(std::filesystem::path file, std::string fingerprint, double seconds,
              std::function<bool()> stop);
  ~Checkpoints();

  // The state that was found; null: begin anew.
  const Json& found() const { return *found_; }

  // True when the last one is old enough, or when the user wants to stop: save() then.
  bool due();
  // Throws Interrupted after it has saved, when the user wants to stop.
  void save(const Json& state);

 private:
  std::filesystem::path file_;
  std::string fingerprint_;
  std::chrono::duration<double> interval_;
  std::function<bool()> stop_;
  bool stops_ = false;
  std::unique_ptr<const Json> found_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace inkstone
