// What a run's files say of it, while it trains too: for `info` and `compare`. Changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "inkstone/trainer.h"

namespace inkstone {

// A line of metrics.jsonl with a validation loss.
struct Evaluation {
  int64_t step = 0;
  double val_loss = 0;                     // nats per token
  std::optional<int64_t> val_tokens = {};  // whose mean it is; runs of earlier versions do not say
  std::optional<double> val_nats_per_character, val_bits_per_byte;

  bool operator==(const Evaluation&) const = default;
};

// With the keys of metrics.jsonl; what is not known has none.
Json to_json(const Evaluation& evaluation);

// What metrics.jsonl says of all steps.
struct RunMetrics {
  int64_t step = 0;                    // of the last line
  std::optional<int64_t> tokens = {};  // trained on; runs of earlier versions do not say
  double elapsed_s = 0;
  std::vector<Evaluation> evaluations;  // as they stand

  // The lowest validation loss, the first of equal ones.
  std::optional<Evaluation> best() const;
  std::optional<Evaluation> at(int64_t wanted) const;
};

// Lines that are no report (the last one may be half written) are passed over, and numbers that no
// run has.
RunMetrics run_metrics_from_jsonl(std::string_view text);
// Of a run that has not reported yet: nothing.
RunMetrics read_run_metrics(const std::filesystem::path& run);

struct RunSummary {
  std::filesystem::path run;
  TrainOptions options;  // of the last checkpoint; before the first one, what run.json says
  std::string data_fingerprint;
  RunMetrics metrics;
};

// The run is the folder's, or whose checkpoint it is. Throws kNotFound if there is none or it has
// not begun to train, kInvalidData naming the file and the key.
RunSummary read_run_summary(const std::filesystem::path& run);

}  // namespace inkstone
