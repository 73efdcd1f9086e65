// One run in this process: everything that stays the same from step to step, and the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "corpus/load/text_rates.h"
#include "inkstone/model.h"
#include "inkstone/trainer.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/data_sets.h"
#include "train/metrics.h"
#include "train/optimizer.h"
#include "train/ranks.h"
#include "train/speed.h"
#include "train/step_log.h"

namespace inkstone {

class TrainingPass;

class Session {
 public:
  // The state's options are valid; the model holds the weights to start from. Throws kMismatch when
  // the data does not fit the model, or is not what the state's fingerprint says; kUsage when the
  // options do not fit the data. Writes nothing. With a communicator every rank has a session of
  // the same options and weights; the first one writes the run's files.
  Session(TrainerState state, Model model, DataSets data, const TrainObserver& observer,
          std::shared_ptr<Communicator> communicator = nullptr);
  ~Session();

  const TrainerState& state() const { return state_; }

  // Continues from a checkpoint: its moments.
  void restore_moments();

  // One step, and what falls due after it: evaluation, report, sample, checkpoint. False when the
  // run is over, or the observer asks to stop.
  bool step();
  // Steps to the end, or until the observer asks to stop.
  TrainResult run();
  bool is_over() const { return state_.step >= options().steps || state_.stopped_early; }
  TrainResult result() const;

  // The validation loss of the weights as they are. Changes nothing of the run.
  double validation_loss();
  // Writes a checkpoint of the steps done.
  const std::filesystem::path& checkpoint();

  // With the adapter that is trained, if there is one.
  Model whole_model() const;
  const DataSets& data() const { return data_; }

  // Does `steps` steps and returns the seconds that one takes, the median: to see what the model
  // costs here. Leaves nothing behind; the session is not to be run after that.
  double try_steps(int64_t steps);
  int64_t tokens_per_step() const;

  // Does a step at each of these learning rates (Muon's follows) and returns what the steps lost;
  // it ends before the first loss that is not finite, and when `enough` says so of those so far.
  // Leaves nothing behind; the session is not to be run after that.
  std::vector<double> try_rates(std::span<const double> rates,
                                const std::function<bool(const std::vector<double>&)>& enough);

 private:
  const TrainOptions& options() const { return state_.options; }
  int64_t wanted_context() const;
  void say(const Message& text) const;
  void check_model_and_data();
  void check_objective();
  void check_fingerprint();
  void check_base();
  void check_ranks();
  void announce() const;
  void begin();
  void open_validation_records();
  TextRates validation_rates() const;

  void one_step();
  double read_step(int64_t step);
  void share_gradients();
  void update(int64_t step);
  bool is_last() const { return state_.step == options().steps; }
  bool is_due(int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool has_reached_stop() const;
  bool must_settle() const;
  void settle();
  std::string first_not_finite() const;
  [[noreturn]] void fail_diverged(int64_t step, double loss) const;
  void keep_to_the_clock();
  bool after_step();
  int64_t most_eval_tokens() const;
  int64_t evaluated_tokens() const;
  double evaluate();
  bool note_evaluation(double val_loss);
  void report(std::optional<double> val_loss);
  void sample();
  void save();

  TrainerState state_;
  const TrainObserver& observer_;
  Ranks ranks_;
  Model model_;
  Network& network_;
  DataSets data_;
  CheckpointFolder checkpoints_;
  Optimizer optimizer_;
  Gradients gradients_;
  Buffer loss_;  // [1] f64: of the step, over all ranks
  StepLog log_;
  std::unique_ptr<TrainingBatches> batches_;
  // By data set, where it is of records with a completion; and how many windows are validated on.
  std::vector<std::optional<RecordWindows>> val_records_;
  std::vector<int64_t> val_windows_;
  std::unique_ptr<TrainingPass> pass_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<Speed> speed_;
  std::vector<TokenBatch> step_batches_;  // of one step, each micro-batch
  double start_s_ = 0, before_s_ = 0;     // when work began here; what it had taken before
  double last_lr_ = 0, last_loss_ = 0, last_grad_norm_ = 0;  // of the last step
  std::optional<double> tried_lr_;                           // in place of the schedule's
  int64_t first_step_ = 0;
  bool told_of_the_clock_ = false, stopped_ = false;
  TextRates val_rates_;  // of what is validated on
  std::optional<double> last_val_loss_;
  std::vector<std::pair<std::string, double>> last_val_losses_;  // of this step, if it evaluated
  std::filesystem::path last_checkpoint_;
};

}  // namespace inkstone
