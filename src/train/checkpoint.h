// Checkpoints: RUN/checkpoints/step-NNNNNNN, complete Hugging Face folders, or adapters of PEFT's
// format, with the trainer's state beside the weights. Layout: docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "inkstone/tokenizer.h"
#include "inkstone/model.h"
#include "inkstone/trainer.h"
#include "model/network.h"
#include "train/optimizer.h"

namespace inkstone {

// What a run knows besides weights and moments. Everything else is a pure function of options and
// step.
struct TrainerState {
  TrainOptions options;
  std::string data_fingerprint;
  std::string base_fingerprint;  // of an adapter's model; empty: the model itself is trained
  int64_t step = 0;              // steps done
  // What options.steps was before the clock took some away; see TrainOptions::seconds.
  int64_t planned_steps = 0;
  double elapsed_s = 0;
  std::optional<double> best_val_loss;
  int64_t best_step = 0;
  int64_t evaluations_without_improvement = 0;
  double loss_sum = 0;  // of the steps since the last report
  int64_t loss_count = 0;
  bool stopped_early = false;
};

Json to_json(const TrainerState& state);
// Throws kInvalidData naming the key. Takes what earlier versions wrote too.
TrainerState trainer_state_from_json(const Json& json);

// True if the run folder holds a complete checkpoint. Changes nothing.
bool has_checkpoint(const std::filesystem::path& run);

// The checkpoints of one run. Every change is done beside and renamed: a folder step-* is complete,
// or absent.
class CheckpointFolder {
 public:
  // Makes nothing: the first save() does.
  explicit CheckpointFolder(std::filesystem::path run);

  // Removes what a killed process left. For who has the run's folder to himself.
  void remove_unfinished() const;

  // Steps with a checkpoint, ascending.
  std::vector<int64_t> steps() const;
  std::filesystem::path path(int64_t step) const;

  // Writes step state.step, points RUN/last (and RUN/best if state.best_step is this step) at it,
  // then removes all but the latest `keep` and the best. On failure the unfinished folder is
  // removed and the others are as they were.
  std::filesystem::path save(const TrainerState& state, const Network& network,
                             const Optimizer& optimizer, const Tokenizer& tokenizer);

  // Throws kInvalidData naming the file if a file of the checkpoint is missing, cut or changed.
  void verify(int64_t step) const;
  TrainerState read_state(int64_t step) const;
  // The weights of state.step: the model, or the adapter's model with the adapter.
  Model load(const TrainerState& state) const;
  // The moments.
  void read_moments(int64_t step, const Network& network, const Optimizer& optimizer) const;

  // Points RUN/last at state.step, and RUN/best at state.best_step if that checkpoint is there
  // (else RUN/best goes): a killed process may have left them behind, and a copy of the run that
  // followed its links has folders there.
  void repair_links(const TrainerState& state) const;

  // Moves checkpoints after `step`, which are damaged, out of the way (step-NNNNNNN.damaged).
  void set_aside_after(int64_t step) const;

 private:
  void remove_old(int64_t keep, int64_t best_step) const;
  // Removes what stands in place of a link when it is a copy of a checkpoint that is here.
  void remove_copy(const std::filesystem::path& link) const;

  std::filesystem::path run_, folder_;
};

}  // namespace inkstone
