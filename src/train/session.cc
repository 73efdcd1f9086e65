#include "train/session.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"
#include "model/model_impl.h"
#include "model/trained_adapter.h"
#include "model/training_pass.h"
#include "tokenizer/added_tokens.h"
#include "train/announcement.h"
#include "train/first_words.h"
#include "train/options.h"
#include "train/plan.h"
#include "train/schedule.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMostEvalTokens = int64_t{1} << 20;

// Random tokens are drawn from the text's own ids, as without objectives.
TrainingBatches::Shape batches_shape(const TrainOptions& options, const DataSets& data,
                                     int64_t context) {
  const Tokenizer& tokenizer = data.tokenizer();
  return {.context = context,
          .vocab_size = data.text_ids(),
          .end_of_text = tokenizer.end_of_text(),
          .mask = mask_token(tokenizer),
          .words = options.mask_unit == MaskUnit::kWord ? WordBounds(tokenizer) : WordBounds(),
          .fill_in = options.fim_rate > 0 ? std::make_shared<const FillInMiddle>(
                                                tokenizer, options.fim_rate, options.seed)
                                          : nullptr,
          .spans = data.train_spans()};
}

}  // namespace

Session::Session(TrainerState state, Model model, DataSets data, const TrainObserver& observer,
                 std::shared_ptr<Communicator> communicator)
    : state_(std::move(state)),
      observer_(observer),
      ranks_(std::move(communicator)),
      model_(std::move(model)),
      network_(*model_.impl().network),
      data_(std::move(data)),
      checkpoints_(options().run),
      optimizer_(network_, options().optimizer),
      gradients_(network_),
      loss_(network_.backend(), size_bytes(DType::kF64)),
      log_(network_.backend()) {
  check_model_and_data();
  check_objective();
  check_fingerprint();
  check_base();
  check_ranks();
  // The ranks' micro-batches of a step follow each other.
  TrainOptions of_all = options();
  of_all.accumulate *= ranks_.size();
  batches_ = std::make_unique<TrainingBatches>(data_.train(), data_.shares(), of_all,
                                               batches_shape(options(), data_, wanted_context()));
  open_validation_records();
  pass_ = std::make_unique<TrainingPass>(network_, options().batch, batches_->window(),
                                         static_cast<float>(options().dropout),
                                         options().recompute);
}

Session::~Session() = default;

void Session::open_validation_records() {
  for (size_t k = 0; k < data_.count(); ++k) {
    val_records_.emplace_back();
    const auto& spans = data_.val_spans()[k];
    if (!spans) continue;
    val_records_[k].emplace(
        data_.val()[k], *spans,
        RecordWindows::Shape{.context = batches_->window(), .view = prompt_view(options())});
    val_windows_.resize(k + 1);
    val_windows_[k] = val_records_[k]->windows_for(most_eval_tokens());
  }
  val_windows_.resize(data_.count());
}

void Session::restore_moments() { checkpoints_.read_moments(state_.step, network_, optimizer_); }

void Session::begin() {
  announce();
  if (ranks_.is_first()) metrics_ = std::make_unique<MetricsLog>(options().run, state_.step);
  speed_ = std::make_unique<Speed>(
      network_.backend(), network_.compute(),
      Speed::Work{static_cast<double>(tokens_per_step()),
                  training_flops(network_, tokens_per_step(), batches_->window())});
  if (data_.can_validate()) val_rates_ = validation_rates();
  before_s_ = state_.elapsed_s;
  start_s_ = seconds_now();
  first_step_ = state_.step;
  stopped_ = ranks_.take_first(has_reached_stop());  // it stopped here before
}

bool Session::step() {
  if (!speed_) begin();
  if (is_over() || stopped_) return false;
  speed_->step_begins();
  one_step();
  if (must_settle()) settle();
  speed_->step_ends();
  state_.elapsed_s = before_s_ + seconds_now() - start_s_;
  keep_to_the_clock();
  stopped_ = after_step();
  return !stopped_ && !is_over();
}

TrainResult Session::run() {
  while (step()) {
  }
  return result();
}

// Of the tokens that are predicted: of records with a completion, of that alone.
TextRates Session::validation_rates() const {
  std::vector<std::optional<double>> bytes(data_.count()), characters(data_.count());
  for (size_t k = 0; k < data_.count(); ++k) {
    const TokenStream& stream = data_.val()[k];
    if (stream.count() < 2) continue;
    const TextRates rates = val_records_[k]
                                ? val_records_[k]->rates(val_windows_[k], data_.tokenizer())
                                : text_rates(stream, 1,
                                             predicted_tokens(stream, most_eval_tokens()),
                                             data_.tokenizer());
    bytes[k] = rates.bytes_per_token;
    characters[k] = rates.characters_per_token;
  }
  return {*weighted_mean(bytes, data_.shares()), *weighted_mean(characters, data_.shares())};
}

double Session::try_steps(int64_t steps) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < steps; ++i) {
    const double begin = seconds_now();
    one_step();
    settle();
    seconds.push_back(seconds_now() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

std::vector<double> Session::try_rates(
    std::span<const double> rates, const std::function<bool(const std::vector<double>&)>& enough) {
  std::vector<double> losses;
  for (const double rate : rates) {
    tried_lr_ = rate;
    one_step();
    const double loss = log_.take().back().loss;
    if (!std::isfinite(loss)) break;
    losses.push_back(loss);
    if (enough(losses)) break;
  }
  return losses;
}

int64_t Session::wanted_context() const {
  return options().context > 0 ? options().context : network_.config().context;
}

int64_t Session::tokens_per_step() const {
  return inkstone::tokens_per_step(options(), batches_->window()) * ranks_.size();
}

void Session::say(const Message& text) const {
  if (observer_.on_message) observer_.on_message(text);
}

void Session::announce() const {
  for (size_t k = 0; k < data_.count(); ++k) {
    if (observer_.on_records && batches_->records(k) != nullptr)
      observer_.on_records(record_facts(data_.names()[k], batches_->records(k)->packed()));
  }
  const RunFacts facts = {state_, network_, data_, *batches_, wanted_context(), tokens_per_step()};
  for (const Message& line : announcement(facts)) say(line);
}

// Queues a step; what it lost is known when settle() returns.
void Session::one_step() {
  const int64_t step = state_.step;
  const double weight = read_step(step);
  for (int64_t micro = 0; micro < options().accumulate; ++micro) {
    const int64_t of_all = micro * ranks_.size() + ranks_.rank();
    MicroBatch batch = micro_batch(step_batches_[static_cast<size_t>(micro)]);
    batch.gradient_scale = weight > 0 ? 1.0f / static_cast<float>(weight) : 0.0f;
    batch.accumulate = micro > 0;
    batch.dropout_seed = options().seed +
                         static_cast<uint64_t>(step * options().accumulate * ranks_.size() +
                                               of_all) *
                             0x9E3779B97F4A7C15u;
    pass_->forward_backward(batch, batches_->window(), gradients_);
  }
  share_gradients();
  update(step);
  log_.note(ranks_.is_alone() ? pass_->loss() : loss_.view(DType::kF64, {1}),
            optimizer_.squared_norm(), weight);
  state_.step = step + 1;
}

// Reads the micro-batches of a step. Returns the weight of all that is trained in it, on all ranks,
// which divides the gradients of each.
double Session::read_step(int64_t step) {
  step_batches_.resize(static_cast<size_t>(options().accumulate));
  double weight = 0;
  for (int64_t micro = 0; micro < options().accumulate; ++micro) {
    TokenBatch& batch = step_batches_[static_cast<size_t>(micro)];
    batches_->read(step, micro * ranks_.size() + ranks_.rank(), batch);
    weight += trained_weight(batch);
  }
  return ranks_.sum(weight);
}

// Sums the gradients and the loss over the ranks.
void Session::share_gradients() {
  if (ranks_.is_alone()) return;
  Backend& backend = network_.backend();
  const View loss = loss_.view(DType::kF64, {1});
  backend.copy(pass_->loss(), loss);
  ranks_.sum(backend, loss);
  ranks_.sum(backend, gradients_.flat());
}

void Session::update(int64_t step) {
  last_lr_ = tried_lr_.value_or(learning_rate(options(), step));
  optimizer_.step(gradients_,
                  {.lr = last_lr_,
                   .beta1 = options().beta1,
                   .beta2 = options().beta2,
                   .epsilon = options().epsilon,
                   .muon_lr = options().muon_lr * (last_lr_ / options().lr),
                   .weight_decay = options().weight_decay,
                   .clip = options().clip},
                  step);
}

// A finished run is that, and not stopped.
bool Session::has_reached_stop() const {
  return observer_.stop_at > 0 && state_.step >= observer_.stop_at && !is_last() &&
         !state_.stopped_early;
}

// True where somebody is to see what the steps did: before an evaluation, a report, a sample or a
// checkpoint. A run that keeps to the clock must know when a step is done. Where waiting costs
// nothing every step is looked at: a run that diverges ends at once.
bool Session::must_settle() const {
  const TrainOptions& o = options();
  return network_.backend().shares_host_memory() || is_last() || log_.full() || o.seconds > 0 ||
         is_due(o.eval_every) || is_due(o.log_every) || is_due(o.sample_every) ||
         is_due(o.save_every);
}

// Waits for the steps that are queued and counts what they lost. Throws kInvalidData if one of them
// diverged: whatever came after it is dropped.
void Session::settle() {
  int64_t step = state_.step - log_.count();
  for (const StepLog::Entry& entry : log_.take()) {
    last_loss_ = entry.loss;
    last_grad_norm_ = entry.gradient_norm;
    if (!std::isfinite(last_loss_) || !std::isfinite(last_grad_norm_))
      fail_diverged(step, last_loss_);
    state_.loss_sum += last_loss_;
    state_.loss_count += 1;
    ++step;
  }
}

// The parameter whose gradient is the first on the way back that is not finite; "": all are.
std::string Session::first_not_finite() const {
  Backend& backend = network_.backend();
  const Buffer number(backend, size_bytes(DType::kF64));
  const View sum = number.view(DType::kF64, {1});
  for (int row = network_.table().count() - 1; row >= 0; --row) {
    const View gradient = gradients_.row(row);
    if (!gradient) continue;
    double squares = 0;
    backend.sum_of_squares(gradient, sum);
    backend.copy_to_host(sum, &squares);
    if (!std::isfinite(squares)) return network_.table()[row].name;
  }
  return "";
}

void Session::fail_diverged(int64_t step, double loss) const {
  const auto saved = checkpoints_.steps();
  const Message kept = saved.empty()
                           ? Message()
                           : message(", the last checkpoint is that of step {}", saved.back());
  // The gradients are those of the last step, which need not be this one.
  const std::string name = step + 1 == state_.step ? first_not_finite() : "";
  const Message where = name.empty() ? Message()
                                     : message(" (on the way back first that of '{}')", name);
  fail(ErrorCode::kInvalidData,
       "training diverged at step {}: the loss is {} or its gradient is not finite{}; nothing was "
       "saved from this step{}. Try a smaller --lr (it was {}) or a longer --warmup",
       step + 1, loss, where, kept, options().lr);
}

void Session::keep_to_the_clock() {
  if (options().seconds > 0) state_.elapsed_s = ranks_.take_first(state_.elapsed_s);
  const int64_t possible = steps_by_the_clock(state_);
  if (possible >= options().steps) return;
  state_.options.steps = possible;
  if (told_of_the_clock_) return;
  told_of_the_clock_ = true;
  say(
      message("this machine is slower than it was at first: fewer steps than the {} that were "
              "planned, with the learning rate brought down all the same, so that the run ends "
              "in time",
              state_.planned_steps));
}

// Evaluation, report, sample and checkpoint as they fall due. True if the caller asked to stop.
bool Session::after_step() {
  std::optional<double> val_loss;
  bool improved = false;
  last_val_losses_.clear();
  if (data_.can_validate() && (is_last() || is_due(options().eval_every))) {
    val_loss = evaluate();
    if (!std::isfinite(*val_loss)) fail_diverged(state_.step - 1, *val_loss);
    improved = note_evaluation(*val_loss);
  }
  if (val_loss || is_last() || is_due(options().log_every)) report(val_loss);
  if (observer_.make_sample && is_due(options().sample_every)) sample();
  const bool stop = ranks_.take_first(has_reached_stop() ||
                                      (observer_.stop_requested && observer_.stop_requested()));
  if (is_last() || improved || stop || state_.stopped_early || is_due(options().save_every)) save();
  return stop && !is_last() && !state_.stopped_early;
}

int64_t Session::most_eval_tokens() const {
  return options().eval_tokens > 0 ? options().eval_tokens : kMostEvalTokens;
}

int64_t Session::evaluated_tokens() const {
  int64_t tokens = 0;
  for (size_t k = 0; k < data_.count(); ++k) {
    const TokenStream& stream = data_.val()[k];
    tokens += val_records_[k]      ? val_records_[k]->trained_tokens(val_windows_[k])
              : stream.count() < 2 ? 0
                                   : predicted_tokens(stream, most_eval_tokens());
  }
  return tokens;
}

// The mean over the data sets; with several, each one's loss too.
double Session::evaluate() {
  speed_->pause();
  std::vector<std::optional<double>> losses(data_.count());
  for (size_t k = 0; k < data_.count(); ++k) {
    if (data_.val()[k].count() < 2) continue;
    losses[k] = val_records_[k]
                    ? mean_loss(*pass_, *val_records_[k], options().batch, val_windows_[k])
                    : mean_loss(*pass_, data_.val()[k],
                                {.batch = options().batch,
                                 .window = batches_->window(),
                                 .most_tokens = most_eval_tokens()},
                                batches_->objective());
    if (data_.count() > 1) last_val_losses_.emplace_back(data_.names()[k], *losses[k]);
  }
  return ranks_.take_first(*weighted_mean(losses, data_.shares()));
}

double Session::validation_loss() {
  if (!data_.can_validate()) {
    fail(ErrorCode::kUsage, "the data has no validation text: prepare it with --val-fraction");
  }
  if (!speed_) begin();
  settle();
  const double loss = evaluate();
  last_val_losses_.clear();
  return loss;
}

// True if this is the best validation loss so far.
bool Session::note_evaluation(double val_loss) {
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

void Session::report(std::optional<double> val_loss) {
  const Speed::Rate rate = speed_->take();
  StepReport r{
      .step = state_.step,
      .steps = options().steps,
      .tokens = state_.step * tokens_per_step(),
      .loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(1, state_.loss_count)),
      .lr = last_lr_,
      .grad_norm = last_grad_norm_,
      .tokens_per_s = rate.tokens_per_s,
      .elapsed_s = state_.elapsed_s,
      .seconds_left = (seconds_now() - start_s_) / static_cast<double>(state_.step - first_step_) *
                      static_cast<double>(options().steps - state_.step),
      .gemm_fraction = rate.gemm_fraction,
      .val_loss = val_loss,
      .val_tokens = val_loss ? evaluated_tokens() : 0,
      .val_nats_per_character = {},
      .val_bits_per_byte = {},
      .val_losses = last_val_losses_};
  if (val_loss) {
    r.val_nats_per_character = nats_per_character(*val_loss, val_rates_);
    r.val_bits_per_byte = bits_per_byte(*val_loss, val_rates_);
  }
  if (metrics_) metrics_->write(r);
  if (observer_.on_step) observer_.on_step(r);
  state_.loss_sum = 0;
  state_.loss_count = 0;
}

// With an adapter: merged into a copy of its model, which is there for as long as a sample is
// written.
Model Session::whole_model() const {
  if (network_.base() == nullptr) return model_;
  return merged_model(network_, options().init,
                      {.runtime = options().runtime, .compute = options().compute});
}

void Session::sample() {
  const std::string text = observer_.make_sample(whole_model(), data_.tokenizer(),
                                                 options().sample_prompt);
  if (metrics_) metrics_->write_sample(state_.step, text);
  if (observer_.on_sample) observer_.on_sample(state_.step, text);
}

void Session::save() {
  settle();  // a caller may ask to stop at any step
  last_checkpoint_ = ranks_.is_first()
                         ? checkpoints_.save(state_, network_, optimizer_, data_.tokenizer())
                         : checkpoints_.path(state_.step);
  if (observer_.on_checkpoint) {
    observer_.on_checkpoint(last_checkpoint_,
                            state_.best_val_loss && state_.best_step == state_.step);
  }
}

const fs::path& Session::checkpoint() {
  if (fs::exists(checkpoints_.path(state_.step))) {
    last_checkpoint_ = checkpoints_.path(state_.step);
  } else {
    save();
  }
  return last_checkpoint_;
}

TrainResult Session::result() const {
  const auto end = state_.stopped_early ? TrainResult::End::kEarlyStop
                   : stopped_           ? TrainResult::End::kStopped
                                        : TrainResult::End::kDone;
  TrainResult result{.step = state_.step,
                     .loss = last_loss_,
                     .val_loss = last_val_loss_,
                     .best_val_loss = state_.best_val_loss,
                     .best_val_nats_per_character = {},
                     .best_val_bits_per_byte = {},
                     .best_step = state_.best_step,
                     .end = end,
                     .last_checkpoint = last_checkpoint_.empty() ? checkpoints_.path(state_.step)
                                                                 : last_checkpoint_,
                     .first_words = first_words(data_.train().front(), data_.tokenizer())};
  if (const auto best = state_.best_val_loss) {
    result.best_val_nats_per_character = nats_per_character(*best, val_rates_);
    result.best_val_bits_per_byte = bits_per_byte(*best, val_rates_);
  }
  return result;
}

}  // namespace inkstone
