// What a run's files say of it, while it trains too: for `info`, `compare` and `sweep`. Changes
// nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
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

// A line of metrics.jsonl as a point of a curve.
struct CurvePoint {
  int64_t step = 0, tokens = 0;  // tokens: 0 where a run of an earlier version does not say
  double elapsed_s = 0;
  double loss = 0;  // nats per token: mean since the point before, or the validation loss

  bool operator==(const CurvePoint&) const = default;
};

// What metrics.jsonl says of all steps.
struct RunMetrics {
  int64_t step = 0;                    // of the last line
  std::optional<int64_t> tokens = {};  // trained on; runs of earlier versions do not say
  double elapsed_s = 0;
  std::vector<Evaluation> evaluations;  // as they stand
  std::vector<CurvePoint> training, validation;

  // The lowest validation loss, the first of equal ones.
  std::optional<Evaluation> best() const;
  std::optional<Evaluation> at(int64_t wanted) const;
};

// Lines that are no report (the last one may be half written) are passed over, and numbers that no
// run has.
RunMetrics run_metrics_from_jsonl(std::string_view text);
// Of a run that has not reported yet: nothing.
RunMetrics read_run_metrics(const std::filesystem::path& run);

// At most so many points that look the same. Of training: means over equal numbers of points, each
// at its last one's place. Of validation: the lowest of each of so many parts, so that the best
// stays.
std::vector<CurvePoint> thinned_means(std::span<const CurvePoint> points, size_t most);
std::vector<CurvePoint> thinned_lowest(std::span<const CurvePoint> points, size_t most);

// A text that a run wrote while it trained: a line of samples.jsonl.
struct Sample {
  int64_t step = 0;
  std::string text;

  bool operator==(const Sample&) const = default;
};

// As run_metrics_from_jsonl. Of runs of earlier versions, and without --sample-every: none.
std::vector<Sample> samples_from_jsonl(std::string_view text);
std::vector<Sample> read_samples(const std::filesystem::path& run);

struct RunSummary {
  std::filesystem::path run;
  TrainOptions options;  // of the last checkpoint; before the first one, what run.json says
  std::string data_fingerprint;
  RunMetrics metrics;
};

// How far a run's last checkpoint came. Before the first: step 0.
struct RunProgress {
  int64_t step = 0;
  bool finished = false;  // all steps, or stopped early
};
RunProgress read_run_progress(const std::filesystem::path& run);

// The run is the folder's, or whose checkpoint it is. Throws kNotFound if there is none or it has
// not begun to train, kInvalidData naming the file and the key.
RunSummary read_run_summary(const std::filesystem::path& run);

}  // namespace inkstone
