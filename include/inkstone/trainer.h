// Training a GPT-2 on prepared token shards: from scratch, from a model, or from a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inkstone/model.h"
#include "inkstone/model_config.h"

namespace inkstone {

// The learning rate at step t (0-based) of S, after `warmup` linear steps lr * (t + 1) / warmup:
enum class Schedule {
  kCosine,    // from lr to min_lr over half a cosine (nanoGPT)
  kLinear,    // straight from lr to min_lr
  kConstant,  // lr
  // Warm-up, stable, decay: lr, then over the last `decay_fraction` of the steps straight to
  // min_lr.
  kWsd,
};

struct TrainOptions {
  // Folders that `prepare` wrote, all with the same tokenizer.
  std::vector<std::filesystem::path> data;
  // What part of the training windows comes from each folder; only the ratios count. Empty: so that
  // every token is seen equally often. Validation is per folder, its mean weighted in the same way.
  std::vector<double> weights;
  bool align_documents = false;  // windows begin where documents begin; docs/data.md
  std::filesystem::path run;     // output; must be absent or empty
  ModelConfig model;             // vocab_size is taken from the data's tokenizer
  // A model to start from (its config replaces `model`); empty: from scratch.
  std::filesystem::path init;

  int64_t steps = 2000;
  int64_t batch = 16;      // sequences per micro-batch
  int64_t accumulate = 1;  // micro-batches per step
  int64_t context = 0;     // training window; 0: the model's context
  double lr = 1e-3, min_lr = 1e-4;
  Schedule schedule = Schedule::kCosine;
  int64_t warmup = 100;
  double decay_fraction = 0.2;  // of kWsd
  double weight_decay = 0.1, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1.0;  // global gradient norm; 0: no clipping
  double dropout = 0.0;
  double mask_rate = 0.0;  // probability that an input word is replaced by a random one
  ComputeType compute = ComputeType::kF32;
  Runtime runtime = Runtime();
  uint64_t seed = 1;

  int64_t eval_every = 250;  // steps; 0: only at the end
  int64_t eval_tokens = 0;   // validation tokens per evaluation and data set; 0: all, at most 2^20
  int64_t sample_every = 0;  // steps; 0: never
  std::string sample_prompt;
  int64_t save_every = 250;  // steps; the last step always saves
  int64_t keep = 2;          // latest checkpoints kept, besides the best one
  // Stop after so many evaluations without a better validation loss; 0: never.
  int64_t patience = 0;
  int64_t log_every = 10;
};

// Throws kUsage naming the first option that is out of range or contradicts another.
void validate(const TrainOptions& options);

// What a step reports. Loss in nats per token.
struct StepReport {
  int64_t step = 0, steps = 0;  // steps done, steps planned
  double loss = 0;              // mean over the steps since the last report
  double lr = 0, grad_norm = 0, tokens_per_s = 0, elapsed_s = 0, seconds_left = 0;
  double gemm_fraction = 0;  // of this machine's measured GEMM peak; 0: not measured
  std::optional<double> val_loss;
  // With several data sets: the validation loss of each that has validation text, by its name.
  std::vector<std::pair<std::string, double>> val_losses;
};

// Called from the training thread. Empty members are not called.
struct TrainObserver {
  std::function<void(const std::string& message)> on_message;  // what a user should know, one line
  std::function<void(const StepReport&)> on_step;
  std::function<void(int64_t step, const std::string& text)> on_sample;
  std::function<void(const std::filesystem::path& checkpoint, bool best)> on_checkpoint;
  std::function<bool()> stop_requested;  // asked after every step; true: checkpoint and return
  // Writes text with the model being trained; the trainer knows no generation code.
  std::function<std::string(const Model&, const std::string& prompt)> make_sample;
};

struct TrainResult {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> val_loss, best_val_loss;
  int64_t best_step = 0;
  enum class End { kDone, kStopped, kEarlyStop } end = End::kDone;
  std::filesystem::path last_checkpoint;
};

struct ResumeOptions {
  std::filesystem::path run;
  bool fall_back = false;  // use the newest intact checkpoint when the last one is damaged
  // Train to this step instead (the schedule is stretched).
  std::optional<int64_t> steps = std::nullopt;
  int threads = 0;  // as RuntimeOptions::threads; the device is the run's
};

// Starts a run. Writes RUN/run.json, RUN/metrics.jsonl, TensorBoard events and checkpoints
// RUN/checkpoints/step-NNNNNNN, with the links RUN/last and RUN/best. kill -9 costs at most the
// steps since the last checkpoint.
TrainResult train(const TrainOptions& options, const TrainObserver& observer = {});
// Goes on from the last checkpoint; the end is the same, byte for byte, as that of a run never
// stopped.
TrainResult resume(const ResumeOptions& options, const TrainObserver& observer = {});

}  // namespace inkstone
