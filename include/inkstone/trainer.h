// Training a GPT-2 on prepared token shards: from scratch, from a model, or from a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inkstone/communicator.h"
#include "inkstone/lora.h"
#include "inkstone/model.h"
#include "inkstone/model_config.h"
#include "inkstone/recompute.h"
#include "inkstone/runtime.h"
#include "inkstone/tokenizer.h"

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

enum class OptimizerKind {
  kAdamW,
  // The matrices of the layers by Muon, everything else by AdamW: fewer steps to the same loss,
  // each of which costs more (five products with each matrix), so that larger batches pay.
  kMuon,
};

// "cosine", "linear", "constant", "wsd". Parsing another name throws kUsage.
std::string_view schedule_name(Schedule schedule);
Schedule parse_schedule(std::string_view name);
// "adamw", "muon".
std::string_view optimizer_name(OptimizerKind optimizer);
OptimizerKind parse_optimizer(std::string_view name);
// "f32", "bf16".
std::string_view compute_name(ComputeType compute);
ComputeType parse_compute(std::string_view name);

// What is masked together, when part of a text is masked.
enum class MaskUnit {
  kToken,
  kWord,  // all tokens of a word; in Chinese and Japanese text, of a character
};

// What stands in place of a masked token.
enum class MaskWith {
  kAuto,    // kMask in the windows of masked_fraction, else kRandom
  kRandom,  // a token drawn from the vocabulary
  kMask,    // the vocabulary's mask token, which is added where there is none
};

struct TrainOptions {
  // Folders that `prepare` wrote, all with the same tokenizer.
  std::vector<std::filesystem::path> data;
  // What part of the training windows comes from each folder; only the ratios count. Empty: so that
  // every token is seen equally often. Validation is per folder, its mean weighted in the same way.
  std::vector<double> weights;
  bool align_documents = false;  // windows begin where documents begin; docs/data.md
  // Output: absent, empty, or with nothing in it but what `inkstone train TEXT` makes of a text
  // beforehand (RUN/tokenizer, RUN/data).
  std::filesystem::path run;
  ModelConfig model;  // vocab_size is taken from the data's tokenizer
  // A model to start from (its config replaces `model`); empty: from scratch.
  std::filesystem::path init;
  // An adapter that is merged into it first: as LoadOptions::adapter.
  std::filesystem::path init_adapter;
  // With a rank: `init` stays as it is stored, and an adapter is trained for it.
  LoraOptions lora;
  // Parts that are not trained, with commas between them: wte, wpe, ln_f, lm_head, h.3 (a layer),
  // h.0-5 (layers), h.*.mlp (a part of each), h.2.attn.c_attn.bias, ...
  std::string freeze;
  // The learning rate of layer l of L is lr * layer_lr_decay^(L - 1 - l), that of the embeddings
  // lr * layer_lr_decay^L. In (0, 1]. Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.2.
  double layer_lr_decay = 1;

  int64_t steps = 2000;
  // The run is to end after so many seconds of work, whatever becomes of the machine: where the
  // steps fall behind the clock there are fewer of them, and the learning rate falls sooner.
  // 0: when the steps are done. See fit_to_time.
  double seconds = 0;
  int64_t batch = 16;      // sequences per micro-batch
  int64_t accumulate = 1;  // micro-batches per step
  int64_t context = 0;     // training window; 0: the model's context
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  double lr = 1e-3, min_lr = 1e-4;
  double muon_lr = 0.02;  // at the rate lr; it rises and falls with it
  Schedule schedule = Schedule::kCosine;
  int64_t warmup = 100;
  double decay_fraction = 0.2;  // of kWsd
  double weight_decay = 0.1, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1.0;  // global gradient norm; 0: no clipping
  double dropout = 0.0;
  // Of data with completions: what the loss of a prompt's token weighs, 0 to 1, beside 1 of a
  // completion's.
  double prompt_loss_weight = 0.0;
  // Objectives (docs/objectives.md).
  //
  // The probability that an input is masked, drawn anew for each window between the two.
  std::pair<double, double> mask_rate = {0, 0};
  MaskUnit mask_unit = MaskUnit::kToken;
  MaskWith mask_with = MaskWith::kAuto;
  // The part of the windows that is read in both directions, where what is masked is predicted and
  // nothing else; the other windows are then not masked. Source: Charpentier and Samuel 2024,
  // arXiv:2410.24159.
  double masked_fraction = 0.0;
  // A part at the beginning of each window is seen whole, and the rest is predicted. The model says
  // so ever after (ModelConfig::prefix_lm).
  bool prefix_lm = false;
  // The probability that a document is to be filled in: beginning and end come first, then the
  // middle. Source: Bavarian et al. 2022, arXiv:2207.14255.
  double fim_rate = 0.0;
  bool separate_documents = false;  // a document does not see those before it in its window
  ComputeType compute = ComputeType::kF32;
  Recompute recompute = Recompute::kNone;
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
  int64_t tokens = 0;           // trained on so far
  double loss = 0;              // mean over the steps since the last report
  double lr = 0, grad_norm = 0;
  // Of the steps alone since the last report: not of evaluations, samples and checkpoints.
  double tokens_per_s = 0;
  double elapsed_s = 0, seconds_left = 0;  // with everything
  // Of the fastest that this machine was seen to multiply matrices: 0 to 1.
  double gemm_fraction = 0;
  std::optional<double> val_loss;
  int64_t val_tokens = 0;  // whose mean loss it is
  // The same loss by measures that do not depend on the vocabulary, of exactly the text that was
  // validated on. A character is a code point.
  std::optional<double> val_nats_per_character, val_bits_per_byte;
  // With several data sets: the validation loss of each that has validation text, by its name.
  std::vector<std::pair<std::string, double>> val_losses;
};

// What packing made of a data set of records with a completion, for an epoch.
struct RecordFacts {
  std::string name;  // of the data set
  int64_t records = 0, windows = 0, context = 0;
  int64_t inputs = 0;          // positions of the windows that hold text
  int64_t trained_tokens = 0;  // targets in completions
  int64_t prompts_cut = 0, completions_cut = 0, untrained = 0;
};

// Called from the training thread. Empty members are not called.
struct TrainObserver {
  // Once train() has made the run's folder and no other process can: before it writes there.
  std::function<void(const std::filesystem::path& run)> on_begin;
  std::function<void(const Message&)> on_message;      // what a user should know, one line
  std::function<void(const RecordFacts&)> on_records;  // before the first step, each data set's
  std::function<void(const StepReport&)> on_step;
  std::function<void(int64_t step, const std::string& text)> on_sample;
  std::function<void(const std::filesystem::path& checkpoint, bool best)> on_checkpoint;
  std::function<bool()> stop_requested;  // asked after every step; true: checkpoint and return
  // Stop so when this step is done, though more are planned: learning rate, evaluations and all
  // else are those of the whole plan, so that resume() goes on as if the run had never stopped. 0:
  // never.
  int64_t stop_at = 0;
  // Writes text with the model being trained; the trainer knows no generation code.
  std::function<std::string(const Model&, const Tokenizer&, const std::string& prompt)> make_sample;
};

struct TrainResult {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> val_loss, best_val_loss;
  // best_val_loss by measures that do not depend on the vocabulary.
  std::optional<double> best_val_nats_per_character, best_val_bits_per_byte;
  int64_t best_step = 0;
  enum class End { kDone, kStopped, kEarlyStop } end = End::kDone;
  std::filesystem::path last_checkpoint;
  std::string first_words;  // of the training text: something to try the model with
};

struct ResumeOptions {
  std::filesystem::path run;
  bool fall_back = false;  // use the newest intact checkpoint when the last one is damaged
  // Train to this step instead (the schedule is stretched). Ends a limit of time.
  std::optional<int64_t> steps = std::nullopt;
  // Where the data lies now, if it has moved: as many folders as the run began with, and the same
  // data, else kMismatch.
  std::vector<std::filesystem::path> data = {};
  int threads = 0;  // as RuntimeOptions::threads; the device is the run's
};

// A run that the caller takes through its steps: what train() and resume() do by themselves. For
// use by one thread at a time; while it lives no other process trains in the run's folder.
//
//   Trainer trainer = Trainer::begin(options);
//   while (trainer.step())
//     if (trainer.steps_done() % 100 == 0) std::cout << trainer.evaluate() << std::endl;
//   const TrainResult result = trainer.result();
class Trainer {
 public:
  // Begins a run as train() does, or goes on with one as resume() does; throws what they throw.
  //
  // With a communicator every rank calls the same with the same options (paths, device and threads
  // may differ) and observers of its own: a step reads options.batch x options.accumulate windows
  // on every rank and divides by the tokens of all, so that size() ranks do what one would do with
  // size() x options.accumulate micro-batches, but for the order of sums. The first rank alone
  // writes the run's files, decides when to stop, and answers for the validation loss. Ranks that
  // do not train alike are refused (kMismatch).
  static Trainer begin(const TrainOptions& options, const TrainObserver& observer = {},
                       std::shared_ptr<Communicator> communicator = nullptr);
  static Trainer go_on(const ResumeOptions& options, const TrainObserver& observer = {},
                       std::shared_ptr<Communicator> communicator = nullptr);
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  // As the run has them: with the shape of the model that it began from, and fewer steps where the
  // clock took some.
  const TrainOptions& options() const;
  int64_t steps_done() const;
  // All steps are done, or no evaluation was better for options.patience of them.
  bool is_over() const;

  // One step of the optimiser and what falls due after it: evaluation, report, sample, checkpoint,
  // as options say; the last one saves. False when the run is over, where it does nothing more, and
  // when the observer asks to stop, after a checkpoint. Throws kInvalidData when training diverged.
  bool step();
  // Steps until step() is false.
  TrainResult run();
  TrainResult result() const;

  // The validation loss of the weights as they are, in nats per token, over options.eval_tokens. It
  // is no part of the run: nothing is reported, and no best loss is noted. Throws kUsage when there
  // is no validation text.
  double evaluate();
  // Writes a checkpoint of the steps done, and returns its folder.
  std::filesystem::path save();

  // The model as it is now; of an adapter that is trained, a copy of its model with it merged in.
  Model model() const;
  const Tokenizer& tokenizer() const;

 private:
  struct Impl;
  explicit Trainer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// Starts a run. Writes RUN/run.json, RUN/metrics.jsonl, TensorBoard events and checkpoints
// RUN/checkpoints/step-NNNNNNN, with the links RUN/last and RUN/best. kill -9 costs at most the
// steps since the last checkpoint.
TrainResult train(const TrainOptions& options, const TrainObserver& observer = {});
// Goes on from the last checkpoint, or from the beginning when the run was killed before its first;
// the end is the same, byte for byte, as that of a run never stopped. (With a limit of seconds: if
// neither was so slow that steps had to be left out.)
TrainResult resume(const ResumeOptions& options, const TrainObserver& observer = {});

// True if training began in the folder: resume() goes on with it.
bool can_resume(const std::filesystem::path& run);

// The prepared folders that a name stands for: of a run, those that it trains on; else itself.
std::vector<std::filesystem::path> find_data_folders(const std::filesystem::path& data_or_run);

// Training tokens of prepared folders.
int64_t count_training_tokens(const std::vector<std::filesystem::path>& data);

// What suits fine-tuning options.init on options.data; how it was found: docs/performance.md.
//
// Sequences per micro-batch: 8, or as few (at least one) as make 60 steps of three epochs.
int64_t finetune_batch(const TrainOptions& options);
// Three epochs with options.batch, but at least 20 steps.
int64_t finetune_steps(const TrainOptions& options);
// The largest learning rate: L (d / D)^(1/4) for d tokens in options.steps, within [L / 20, L], of
// a model that was trained on D tokens at L: the less it has read before, the more it may change.
// Of a run (or a checkpoint in one) both are known; of another model of N parameters and width w
// L = 6e-4 * 768 / w (after Brown et al. 2020, table 2.1) and D = 100 N are taken. An adapter is
// trained at ten times that (Schulman et al. 2025, "LoRA Without Regret").
double finetune_lr(const TrainOptions& options);

// A shape, and how it is trained.
struct Recipe {
  ModelConfig model;
  int64_t batch = 0;
  OptimizerKind optimizer = OptimizerKind::kMuon;
  double lr = 0, muon_lr = 0, min_lr = 0, beta1 = 0, weight_decay = 0, dropout = 0;
  Schedule schedule = Schedule::kWsd;
  double decay_fraction = 0;
};

struct TimeRequest {
  double seconds = 0;
  // The options of a recipe; what they take from it and what not is the caller's choice.
  std::function<TrainOptions(const Recipe&)> options;
  bool choose_model = true;  // false: the options have the same model whatever the recipe says
};

// The options of the recipe that this machine can teach this text best in the time (the recipes are
// tried for some steps each), with the steps, warm-up, evaluations and checkpoints that fit in.
// Writes nothing.
TrainOptions fit_to_time(const TimeRequest& request, const TrainObserver& observer = {});

}  // namespace inkstone
