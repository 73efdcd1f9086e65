// The training loop.
#include "inkstone/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "base/json.h"
#include "kernels/peak.h"
#include "model/model_impl.h"
#include "model/training_pass.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/data_sets.h"
#include "train/metrics.h"
#include "train/options.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMostEvalTokens = int64_t{1} << 20;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One run in this process: everything that stays the same from step to step.
class Session {
 public:
  // The state's options are valid; the model holds the weights to start from.
  Session(TrainerState state, Model model, DataSets data, const TrainObserver& observer)
      : state_(std::move(state)),
        observer_(observer),
        model_(std::move(model)),
        network_(*model_.impl().network),
        data_(std::move(data)),
        checkpoints_(options().run),
        optimizer_(network_),
        gradients_(network_) {
    check_data();
    batches_ = std::make_unique<TrainingBatches>(
        data_.train(), data_.shares(), options(),
        TrainingBatches::Shape{wanted_context(), network_.config().vocab_size,
                               data_.tokenizer().end_of_text()});
    pass_ = std::make_unique<TrainingPass>(network_, options().batch, batches_->window(),
                                           static_cast<float>(options().dropout));
  }

  // Continues from a checkpoint: its moments, and its data must be the same.
  void restore_moments() { checkpoints_.read_moments(state_.step, network_, optimizer_); }

  TrainResult run() {
    announce();
    MetricsLog metrics(options().run, state_.step);
    metrics_ = &metrics;
    peak_flops_ = measure_gemm_peak_flops(network_.backend(), network_.compute());
    const double before_s = state_.elapsed_s;
    start_s_ = report_s_ = seconds_now();
    first_step_ = reported_step_ = state_.step;
    while (state_.step < options().steps && !state_.stopped_early) {
      const StepOutcome outcome = one_step();
      state_.elapsed_s = before_s + seconds_now() - start_s_;
      if (after_step(outcome)) return result(TrainResult::End::kStopped);
    }
    return result(state_.stopped_early ? TrainResult::End::kEarlyStop : TrainResult::End::kDone);
  }

 private:
  struct StepOutcome {
    double lr, grad_norm;
  };

  const TrainOptions& options() const { return state_.options; }
  int64_t wanted_context() const {
    return options().context > 0 ? options().context : network_.config().context;
  }
  void say(const std::string& message) const {
    if (observer_.on_message) observer_.on_message(message);
  }

  void check_data() {
    if (data_.tokenizer().vocab_size() != network_.config().vocab_size) {
      fail(ErrorCode::kMismatch,
           "the data in '{}' was prepared with a vocabulary of {} tokens, the model has {}; "
           "prepare the data with the "
           "model's own tokenizer",
           options().data.front().string(), data_.tokenizer().vocab_size(),
           network_.config().vocab_size);
    }
    if (wanted_context() > network_.config().context) {
      fail(ErrorCode::kUsage, "--context is {}, more than the model's {}", wanted_context(),
           network_.config().context);
    }
    for (const TokenStream& stream : data_.train()) {
      if (data_.count() == 1 || stream.count() > wanted_context()) continue;
      fail(ErrorCode::kUsage,
           "'{}' has {} training tokens, expected more than the context of {} to be mixed with "
           "others: leave it out, or "
           "give a smaller --context",
           stream.folder().string(), stream.count(), wanted_context());
    }
    const std::string found = data_.fingerprint();
    if (state_.data_fingerprint.empty()) state_.data_fingerprint = found;
    if (state_.data_fingerprint != found) {
      fail(ErrorCode::kMismatch,
           "the data in {} has changed since this run began ({}, expected {}); put the old data "
           "back, or start a new "
           "run with --init {}",
           folders_text(), found, state_.data_fingerprint, options().run.string());
    }
  }

  // 'A', 'B'
  std::string folders_text() const {
    std::string text;
    for (const fs::path& folder : options().data)
      text += fmt::format("{}'{}'", text.empty() ? "" : ", ", folder.string());
    return text;
  }

  void announce() const {
    const int64_t per_step = options().batch * options().accumulate * batches_->window();
    say(fmt::format(
        "model: {} layers, {} heads, width {}, context {}, vocabulary {}: {:.2f} M parameters",
        network_.config().layers, network_.config().heads, network_.config().width,
        network_.config().context, network_.config().vocab_size,
        static_cast<double>(network_.config().parameter_count()) / 1e6));
    say(fmt::format(
        "data: {} training tokens, {} validation tokens; {} tokens a step, {:.2f} epochs",
        data_.train_tokens(), data_.val_tokens(), per_step,
        static_cast<double>(per_step * options().steps) /
            static_cast<double>(data_.train_tokens())));
    announce_data_sets(static_cast<double>(per_step * options().steps));
    const double bytes = 16.0 * static_cast<double>(network_.table().flat_count()) +
                         (network_.compute() == DType::kBF16
                              ? 2.0 * static_cast<double>(network_.table().flat_count())
                              : 0) +
                         static_cast<double>(TrainingPass::planned_bytes(network_, options().batch,
                                                                         batches_->window()));
    say(fmt::format("device: {}, {}; memory: {:.0f} MB", network_.backend().description(),
                    name(network_.compute()), bytes / 1e6));
    if (batches_->window() < wanted_context()) {
      say(
          fmt::format("the training text is shorter than one context: it has {} tokens, the "
                      "context is {}; training on "
                      "windows of {} tokens",
                      data_.train_tokens(), wanted_context(), batches_->window()));
    }
    if (!data_.can_validate())
      say("there is no validation text: no validation loss, no best checkpoint");
    if (state_.step > 0)
      say(fmt::format("resuming at step {} of {}", state_.step, options().steps));
  }

  // Of several: each one's part. Of aligned documents: what no window of an epoch has.
  void announce_data_sets(double tokens) const {
    for (size_t k = 0; k < data_.count(); ++k) {
      const auto targets = static_cast<double>(data_.train()[k].count() - 1);
      const auto in_epoch = static_cast<double>(batches_->windows_per_epoch(k) *
                                                batches_->window());
      if (data_.count() > 1) {
        say(
            fmt::format("  {}: {:.2f} % of the windows; {} training tokens, {} validation tokens, "
                        "{:.2f} epochs",
                        data_.names()[k], 100 * data_.shares()[k], data_.train()[k].count(),
                        data_.val()[k].count(), data_.shares()[k] * tokens / in_epoch));
      }
      if (options().align_documents) {
        say(
            fmt::format("  {}: windows begin where documents begin; {:.1f} % of the tokens are "
                        "between windows and left out",
                        data_.names()[k], 100 * (1 - in_epoch / targets)));
      }
    }
  }

  StepOutcome one_step() {
    const int64_t step = state_.step;
    const int64_t tokens = options().batch * options().accumulate * batches_->window();
    double loss = 0;
    for (int64_t micro = 0; micro < options().accumulate; ++micro) {
      batches_->read(step, micro, batch_);
      loss += pass_->forward_backward(
          {.inputs = batch_.inputs,
           .targets = batch_.targets,
           .gradient_scale = 1.0f / static_cast<float>(tokens),
           .accumulate = micro > 0,
           .dropout_seed = options().seed +
                           static_cast<uint64_t>(step * options().accumulate + micro) *
                               0x9E3779B97F4A7C15u},
          batches_->window(), gradients_);
    }
    loss /= static_cast<double>(tokens);
    const double lr = learning_rate(options(), step);
    const double norm = std::isfinite(loss) ? update(lr, step) : loss;
    if (!std::isfinite(norm)) fail_diverged(step, loss);
    state_.step = step + 1;
    state_.loss_sum += loss;
    state_.loss_count += 1;
    last_loss_ = loss;
    return {lr, norm};
  }

  double update(double lr, int64_t step) {
    return optimizer_.step(gradients_,
                           {.lr = lr,
                            .beta1 = options().beta1,
                            .beta2 = options().beta2,
                            .epsilon = options().epsilon,
                            .weight_decay = options().weight_decay,
                            .clip = options().clip},
                           step);
  }

  [[noreturn]] void fail_diverged(int64_t step, double loss) const {
    const auto saved = checkpoints_.steps();
    fail(ErrorCode::kInvalidData,
         "training diverged at step {}: the loss is {} or its gradient is not finite; nothing was "
         "saved from this step{}. "
         "Try a smaller --lr (it was {}) or a longer --warmup",
         step + 1, loss,
         saved.empty() ? std::string()
                       : fmt::format(", the last checkpoint is that of step {}", saved.back()),
         options().lr);
  }

  // Evaluation, report, sample and checkpoint as they fall due. True if the caller asked to stop.
  bool after_step(const StepOutcome& outcome) {
    const int64_t step = state_.step;
    const bool last = step == options().steps;
    const auto due = [&](int64_t every) { return every > 0 && step % every == 0; };
    std::optional<double> val_loss;
    bool improved = false;
    last_val_losses_.clear();
    if (data_.can_validate() && (last || due(options().eval_every))) {
      val_loss = evaluate();
      if (!std::isfinite(*val_loss)) fail_diverged(step - 1, *val_loss);
      improved = note_evaluation(*val_loss);
    }
    if (val_loss || last || due(options().log_every)) report(outcome, val_loss);
    if (observer_.make_sample && due(options().sample_every)) sample();
    const bool stop = observer_.stop_requested && observer_.stop_requested();
    if (last || improved || stop || state_.stopped_early || due(options().save_every)) save();
    return stop && !last && !state_.stopped_early;
  }

  // The mean over the data sets; with several, each one's loss too.
  double evaluate() {
    const int64_t most = options().eval_tokens > 0 ? options().eval_tokens : kMostEvalTokens;
    std::vector<std::optional<double>> losses(data_.count());
    for (size_t k = 0; k < data_.count(); ++k) {
      if (data_.val()[k].count() < 2) continue;
      losses[k] = mean_loss(*pass_, data_.val()[k], options().batch, batches_->window(), most);
      if (data_.count() > 1) last_val_losses_.emplace_back(data_.names()[k], *losses[k]);
    }
    return *weighted_mean(losses, data_.shares());
  }

  // True if this is the best validation loss so far.
  bool note_evaluation(double val_loss) {
    last_val_loss_ = val_loss;
    if (!state_.best_val_loss || val_loss < *state_.best_val_loss) {
      state_.best_val_loss = val_loss;
      state_.best_step = state_.step;
      state_.evaluations_without_improvement = 0;
      return true;
    }
    ++state_.evaluations_without_improvement;
    state_.stopped_early = options().patience > 0 &&
                           state_.evaluations_without_improvement >= options().patience;
    return false;
  }

  void report(const StepOutcome& outcome, std::optional<double> val_loss) {
    const double now = seconds_now();
    const int64_t steps = state_.step - reported_step_;
    const int64_t per_step = options().batch * options().accumulate * batches_->window();
    StepReport r{
        .step = state_.step,
        .steps = options().steps,
        .loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.loss_count)),
        .lr = outcome.lr,
        .grad_norm = outcome.grad_norm,
        .elapsed_s = state_.elapsed_s,
        .val_loss = val_loss,
        .val_losses = last_val_losses_};
    const double seconds = std::max(1e-9, now - report_s_);
    r.tokens_per_s = static_cast<double>(steps * per_step) / seconds;
    r.seconds_left = (now - start_s_) / static_cast<double>(state_.step - first_step_) *
                     static_cast<double>(options().steps - state_.step);
    r.gemm_fraction = training_flops(network_.config(), steps * per_step, batches_->window()) /
                      seconds / peak_flops_;
    metrics_->write(r);
    if (observer_.on_step) observer_.on_step(r);
    state_.loss_sum = 0;
    state_.loss_count = 0;
    reported_step_ = state_.step;
    report_s_ = seconds_now();
  }

  void sample() {
    const std::string text = observer_.make_sample(model_, options().sample_prompt);
    metrics_->write_sample(state_.step, text);
    if (observer_.on_sample) observer_.on_sample(state_.step, text);
  }

  void save() {
    last_checkpoint_ = checkpoints_.save(state_, network_, optimizer_, data_.tokenizer());
    if (observer_.on_checkpoint) {
      observer_.on_checkpoint(last_checkpoint_,
                              state_.best_val_loss && state_.best_step == state_.step);
    }
  }

  TrainResult result(TrainResult::End end) const {
    return {.step = state_.step,
            .loss = last_loss_,
            .val_loss = last_val_loss_,
            .best_val_loss = state_.best_val_loss,
            .best_step = state_.best_step,
            .end = end,
            .last_checkpoint = last_checkpoint_.empty() ? checkpoints_.path(state_.step)
                                                        : last_checkpoint_};
  }

  TrainerState state_;
  const TrainObserver& observer_;
  Model model_;
  Network& network_;
  DataSets data_;
  CheckpointFolder checkpoints_;
  Optimizer optimizer_;
  Gradients gradients_;
  std::unique_ptr<TrainingBatches> batches_;
  std::unique_ptr<TrainingPass> pass_;
  MetricsLog* metrics_ = nullptr;
  TokenBatch batch_;
  double peak_flops_ = 1, start_s_ = 0, report_s_ = 0, last_loss_ = 0;
  int64_t first_step_ = 0, reported_step_ = 0;
  std::optional<double> last_val_loss_;
  std::vector<std::pair<std::string, double>> last_val_losses_;  // of this step, if it evaluated
  fs::path last_checkpoint_;
};

void require_new_run(const fs::path& run) {
  if (!fs::exists(run)) return;
  if (!fs::is_directory(run)) fail(ErrorCode::kUsage, "'{}' is not a folder", run.string());
  if (fs::is_empty(run)) return;
  // Only looked at: another process may be at work there.
  if (fs::exists(run / "run.json") && !has_checkpoint(run)) {
    fail(ErrorCode::kUsage,
         "the run folder '{}' is not empty: it holds a run without a checkpoint; if that is not "
         "running any more, "
         "remove it, or choose another -o",
         run.string());
  }
  fail(ErrorCode::kUsage,
       "the run folder '{}' is not empty; choose another -o, or go on with --resume {}",
       run.string(), run.string());
}

Model starting_model(const TrainOptions& options) {
  const LoadOptions load{.runtime = options.runtime, .compute = options.compute};
  return options.init.empty() ? Model::create(options.model, options.seed, load)
                              : Model::load(options.init, load);
}

// The newest checkpoint that may be resumed from.
int64_t choose_checkpoint(const CheckpointFolder& checkpoints, const ResumeOptions& options,
                          const TrainObserver& observer) {
  auto steps = checkpoints.steps();
  if (steps.empty()) {
    fail(ErrorCode::kNotFound, "'{}' has no checkpoint to resume from", options.run.string());
  }
  for (; !steps.empty(); steps.pop_back()) {
    try {
      checkpoints.verify(steps.back());
      break;
    } catch (const Error& e) {
      if (!options.fall_back || e.code() != ErrorCode::kInvalidData) throw;
      if (observer.on_message) {
        observer.on_message(fmt::format("checkpoint of step {} is damaged and set aside: {}",
                                        steps.back(), e.what()));
      }
    }
  }
  if (!steps.empty()) {
    checkpoints.set_aside_after(steps.back());
    return steps.back();
  }
  fail(ErrorCode::kInvalidData, "no checkpoint in '{}' is intact", options.run.string());
}

}  // namespace

TrainResult train(const TrainOptions& given, const TrainObserver& observer) {
  TrainerState state;
  state.options = given;
  TrainOptions& options = state.options;
  validate(options);
  require_new_run(options.run);
  DataSets data(options);
  options.model.vocab_size = data.tokenizer().vocab_size();
  if (options.init.empty()) validate(options.model);
  Model model = starting_model(options);
  options.model = model.config();
  if (!options.init.empty()) options.init = fs::absolute(options.init);
  const Json description = {{"program", "inkstone"}, {"options", to_json(options)}};
  Session session(std::move(state), std::move(model), std::move(data), observer);
  make_folders(given.run);  // only now: what was refused leaves no folder behind
  const FolderLock lock(given.run);
  write_json(given.run / "run.json", description);
  return session.run();
}

TrainResult resume(const ResumeOptions& given, const TrainObserver& observer) {
  if (!fs::is_directory(given.run / "checkpoints")) {
    fail(ErrorCode::kNotFound, "'{}' is not a run folder: it has no folder 'checkpoints'",
         given.run.string());
  }
  const FolderLock lock(given.run);  // first: whoever is at work there has unfinished files
  const CheckpointFolder checkpoints(given.run);
  const int64_t step = choose_checkpoint(checkpoints, given, observer);
  TrainerState state = checkpoints.read_state(step);
  state.options.runtime = Runtime(
      {.device = state.options.runtime.device(), .threads = given.threads});
  if (given.steps) state.options.steps = *given.steps;
  if (given.steps && *given.steps > step) {
    state.stopped_early = false;
    state.evaluations_without_improvement = 0;
  }
  validate(state.options);
  DataSets data(state.options);
  checkpoints.repair_links(state);
  if (state.step >= state.options.steps && observer.on_message) {
    observer.on_message(fmt::format(
        "this run is finished: it did {} of {} steps; to train longer, resume with --steps N",
        state.step, state.options.steps));
  }
  Model model = Model::load(checkpoints.path(step),
                            {.runtime = state.options.runtime, .compute = state.options.compute});
  Session session(std::move(state), std::move(model), std::move(data), observer);
  session.restore_moments();
  return session.run();
}

}  // namespace inkstone
