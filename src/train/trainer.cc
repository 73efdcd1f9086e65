// Beginning a run and going on with it.
#include "inkstone/trainer.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "corpus/folder_layout.h"
#include "model/model_impl.h"
#include "train/checkpoint.h"
#include "train/data_sets.h"
#include "train/options.h"
#include "train/run_folder.h"
#include "train/session.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// The newest checkpoint that may be resumed from.
int64_t choose_checkpoint(const CheckpointFolder& checkpoints, const ResumeOptions& options,
                          const TrainObserver& observer) {
  auto steps = checkpoints.steps();
  for (; !steps.empty(); steps.pop_back()) {
    try {
      checkpoints.verify(steps.back());
      break;
    } catch (const Error& e) {
      if (!options.fall_back || e.code() != ErrorCode::kInvalidData) throw;
      if (observer.on_message) {
        observer.on_message(message("checkpoint of step {} is damaged and set aside: {}",
                                    steps.back(), e.message()));
      }
    }
  }
  if (!steps.empty()) {
    checkpoints.set_aside_after(steps.back());
    return steps.back();
  }
  fail(ErrorCode::kInvalidData, "no checkpoint in '{}' is intact", options.run.string());
}

void set_steps(TrainerState& state, int64_t steps) {
  state.options.steps = state.planned_steps = steps;
  state.options.seconds = 0;
  if (steps <= state.step) return;
  state.stopped_early = false;
  state.evaluations_without_improvement = 0;
}

void set_data(TrainerState& state, const std::vector<fs::path>& data) {
  if (data.size() != state.options.data.size()) {
    fail(ErrorCode::kUsage, "{} data folders are given, this run began with {}", data.size(),
         state.options.data.size());
  }
  state.options.data = data;
}

// What the caller changes.
void apply(const ResumeOptions& given, TrainerState& state) {
  state.options.runtime = Runtime(
      {.device = state.options.runtime.device(), .threads = given.threads});
  if (given.steps) set_steps(state, *given.steps);
  if (!given.data.empty()) set_data(state, given.data);
  validate(state.options);
}

DataSets open_data(const TrainOptions& options) {
  for (const fs::path& folder : options.data) {
    if (fs::is_directory(folder)) continue;
    fail(ErrorCode::kNotFound,
         "the data of this run is not at '{}' any more: say where it lies now with --resume {} "
         "--data DIR",
         folder.string(), options.run.string());
  }
  return DataSets(options);
}

// A run that was killed before its first checkpoint. The folder is locked.
TrainResult begin_anew(const ResumeOptions& given, const TrainObserver& observer) {
  const RunDescription description = read_run_description(given.run);
  TrainerState state;
  state.options = description.options;
  state.data_fingerprint = description.data_fingerprint;
  state.planned_steps = state.options.steps;
  apply(given, state);
  if (observer.on_message)
    observer.on_message(marked("this run has no checkpoint yet: it begins at the beginning"));
  DataSets data = open_data(state.options);
  Model model = starting_model(state.options, data, observer);
  return Session(std::move(state), std::move(model), std::move(data), observer).run();
}

TrainResult go_on(const ResumeOptions& given, const TrainObserver& observer) {
  const CheckpointFolder checkpoints(given.run);
  const int64_t step = choose_checkpoint(checkpoints, given, observer);
  TrainerState state = checkpoints.read_state(step);
  apply(given, state);
  DataSets data = open_data(state.options);
  checkpoints.repair_links(state);
  if (state.step >= state.options.steps && observer.on_message) {
    observer.on_message(message(
        "this run is finished: it did {} of {} steps; to train longer, resume with --steps N",
        state.step, state.options.steps));
  }
  Model model = load_trainable(checkpoints.path(step),
                            {.runtime = state.options.runtime, .compute = state.options.compute});
  Session session(std::move(state), std::move(model), std::move(data), observer);
  session.restore_moments();
  return session.run();
}

}  // namespace

TrainResult train(const TrainOptions& given, const TrainObserver& observer) {
  validate(given);
  require_new_run(given.run);
  TrainerState state;
  state.options = given;
  state.planned_steps = given.steps;
  DataSets data(given);
  Model model = starting_model(state.options, data, observer);
  Session session(std::move(state), std::move(model), std::move(data), observer);
  make_folders(given.run);  // only now: what was refused leaves no folder behind
  const FolderLock lock(given.run);
  require_new_run(given.run);  // another process may have begun there meanwhile
  remove_unfinished(given.run);
  if (observer.on_begin) observer.on_begin(given.run);
  write_run_description({session.state().options, session.state().data_fingerprint});
  return session.run();
}

TrainResult resume(const ResumeOptions& given, const TrainObserver& observer) {
  if (!can_resume(given.run)) {
    fail(ErrorCode::kNotFound,
         "'{}' is not a run folder: it has neither 'run.json' nor a checkpoint",
         given.run.string());
  }
  const FolderLock lock(given.run);  // first: whoever is at work there has unfinished files
  return has_checkpoint(given.run) ? go_on(given, observer) : begin_anew(given, observer);
}

bool can_resume(const fs::path& run) { return has_run_description(run) || has_checkpoint(run); }

std::vector<fs::path> find_data_folders(const fs::path& data_or_run) {
  if (has_run_description(data_or_run)) return read_run_description(data_or_run).options.data;
  const fs::path inside = data_or_run / "data";
  if (!fs::exists(data_or_run / kReportName) && fs::exists(inside / kReportName)) return {inside};
  return {data_or_run};
}

int64_t count_training_tokens(const std::vector<fs::path>& data) {
  int64_t tokens = 0;
  for (const fs::path& folder : data)
    tokens += TokenStream(folder, std::string(kTrainSplit)).count();
  return tokens;
}

}  // namespace inkstone
