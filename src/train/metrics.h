// RUN/metrics.jsonl, RUN/samples.jsonl and TensorBoard events.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>

#include "formats/tensorboard.h"
#include "inkstone/trainer.h"

namespace inkstone {

class MetricsLog {
 public:
  // Goes on after step `first_step`: lines of later steps, which a killed run left, are removed.
  MetricsLog(const std::filesystem::path& run, int64_t first_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // One line and its scalars, flushed.
  void write(const StepReport& report);
  void write_sample(int64_t step, const std::string& text);

 private:
  // Appends a line to samples.jsonl; the file is there from the first on.
  void append_sample(int64_t step, const std::string& text) const;

  std::filesystem::path path_, samples_;
  std::FILE* file_ = nullptr;
  std::unique_ptr<TensorBoardWriter> events_;
};

}  // namespace inkstone
