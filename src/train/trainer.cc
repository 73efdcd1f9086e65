// Beginning a run and going on with it.
#include "inkstone/trainer.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "corpus/folder_layout.h"
#include "model/model_impl.h"
#include "train/checkpoint.h"
#include "train/data_sets.h"
#include "train/options.h"
#include "train/ranks.h"
#include "train/run_folder.h"
#include "train/session.h"
#include "train/starting_model.h"

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

// A run, and where its training stands.
struct Begun {
  TrainerState state;
  Model model;
  DataSets data;
  bool from_checkpoint = false;
};

// A run that was killed before its first checkpoint. The folder is locked.
Begun begin_anew(const ResumeOptions& given, const TrainObserver& observer) {
  const RunDescription description = read_run_description(given.run);
  TrainerState state;
  state.options = description.options;
  state.data_fingerprint = description.data_fingerprint;
  state.planned_steps = state.options.steps;
  apply(given, state);
  if (observer.on_message) {
    observer.on_message(marked("this run has no checkpoint yet: it begins at the beginning"));
    if (!description.weights_by_name && state.options.init.empty()) {
      observer.on_message(
          marked("it was begun by an earlier version, which drew other initial weights from the "
                 "same seed: its losses will not be those that it had"));
    }
  }
  DataSets data = open_data(state.options);
  Model model = starting_model(state.options, data, observer);
  return {.state = std::move(state), .model = std::move(model), .data = std::move(data)};
}

// The one that the first rank chooses.
int64_t agreed_checkpoint(const CheckpointFolder& checkpoints, const ResumeOptions& given,
                          const TrainObserver& observer, Ranks& ranks) {
  const int64_t own = ranks.is_first() ? choose_checkpoint(checkpoints, given, observer) : 0;
  return static_cast<int64_t>(ranks.take_first(static_cast<double>(own)));
}

Begun go_on(const ResumeOptions& given, const TrainObserver& observer, Ranks& ranks) {
  const CheckpointFolder checkpoints(given.run);
  const int64_t step = agreed_checkpoint(checkpoints, given, observer, ranks);
  TrainerState state = checkpoints.read_state(step);
  apply(given, state);
  DataSets data = open_data(state.options);
  if (ranks.is_first()) checkpoints.repair_links(state);
  if (state.step >= state.options.steps && observer.on_message) {
    observer.on_message(message(
        "this run is finished: it did {} of {} steps; to train longer, resume with --steps N",
        state.step, state.options.steps));
  }
  Model model = checkpoints.load(state);
  set_policy(model, state.options);
  return {.state = std::move(state),
          .model = std::move(model),
          .data = std::move(data),
          .from_checkpoint = true};
}

}  // namespace

// The observer stays where the session looks for it; the folder is unlocked last.
struct Trainer::Impl {
  std::optional<FolderLock> lock;
  TrainObserver observer;
  std::unique_ptr<Session> session;
};

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;

Trainer Trainer::begin(const TrainOptions& given, const TrainObserver& observer,
                       std::shared_ptr<Communicator> communicator) {
  validate(given);
  Ranks ranks(communicator);
  if (ranks.is_first()) require_new_run(given.run);
  auto impl = std::make_unique<Impl>();
  impl->observer = observer;
  TrainerState state;
  state.options = given;
  state.planned_steps = given.steps;
  DataSets data(given);
  Model model = starting_model(state.options, data, impl->observer);
  impl->session = std::make_unique<Session>(std::move(state), std::move(model), std::move(data),
                                            impl->observer, std::move(communicator));
  if (!ranks.is_first()) return Trainer(std::move(impl));
  make_folders(given.run);  // only now: what was refused leaves no folder behind
  impl->lock.emplace(given.run);
  require_new_run(given.run);  // another process may have begun there meanwhile
  remove_unfinished(given.run);
  CheckpointFolder(given.run).remove_unfinished();
  if (observer.on_begin) observer.on_begin(given.run);
  const TrainerState& begun = impl->session->state();
  write_run_description({begun.options, begun.data_fingerprint});
  return Trainer(std::move(impl));
}

Trainer Trainer::go_on(const ResumeOptions& given, const TrainObserver& observer,
                       std::shared_ptr<Communicator> communicator) {
  if (!can_resume(given.run)) {
    fail(ErrorCode::kNotFound,
         "'{}' is not a run folder: it has neither 'run.json' nor a checkpoint",
         given.run.string());
  }
  Ranks ranks(communicator);
  auto impl = std::make_unique<Impl>();
  impl->observer = observer;
  // First: whoever is at work there has unfinished files.
  if (ranks.is_first()) {
    impl->lock.emplace(given.run);
    CheckpointFolder(given.run).remove_unfinished();
  }
  Begun begun = has_checkpoint(given.run) ? inkstone::go_on(given, impl->observer, ranks)
                                          : begin_anew(given, impl->observer);
  impl->session = std::make_unique<Session>(std::move(begun.state), std::move(begun.model),
                                            std::move(begun.data), impl->observer,
                                            std::move(communicator));
  if (begun.from_checkpoint) impl->session->restore_moments();
  return Trainer(std::move(impl));
}

const TrainOptions& Trainer::options() const { return impl_->session->state().options; }
int64_t Trainer::steps_done() const { return impl_->session->state().step; }
bool Trainer::is_over() const { return impl_->session->is_over(); }
bool Trainer::step() { return impl_->session->step(); }
TrainResult Trainer::run() { return impl_->session->run(); }
TrainResult Trainer::result() const { return impl_->session->result(); }
double Trainer::evaluate() { return impl_->session->validation_loss(); }
fs::path Trainer::save() { return impl_->session->checkpoint(); }
Model Trainer::model() const { return impl_->session->whole_model(); }
const Tokenizer& Trainer::tokenizer() const { return impl_->session->data().tokenizer(); }

TrainResult train(const TrainOptions& options, const TrainObserver& observer) {
  return Trainer::begin(options, observer).run();
}

TrainResult resume(const ResumeOptions& options, const TrainObserver& observer) {
  return Trainer::go_on(options, observer).run();
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
