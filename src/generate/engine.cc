#include "inkstone/engine.h"

#include <utility>

#include "base/error.h"
#include "generate/engine_impl.h"
#include "generate/scoring.h"

namespace inkstone {
namespace {

void require(std::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  fail(ErrorCode::kUsage, "{} is {}, expected {} to {}", name, value, low, high);
}

const EngineOptions& checked(const EngineOptions& o) {
  require("cache_tokens", static_cast<double>(o.cache_tokens), 0,
          static_cast<double>(kMostCacheTokens));
  require("kept_tokens", static_cast<double>(o.kept_tokens), 0, 1e12);
  require("max_sequences", static_cast<double>(o.max_sequences), 1, 1e6);
  require("prompt_rows", static_cast<double>(o.prompt_rows), 1, 1e6);
  require("prompt_ms", o.prompt_ms, 0, 1e9);
  return o;
}

// A prompt of its own and a whole context for each sequence, and the page that it copies.
int64_t cache_tokens(const EngineOptions& o, int64_t context) {
  if (o.cache_tokens > 0) return o.cache_tokens;
  return o.max_sequences * (2 * pages_of(context) + 1) * kPagePositions;
}

void check_ids(std::span<const TokenId> tokens, int64_t vocab_size) {
  for (const TokenId token : tokens) {
    if (token >= 0 && token < vocab_size) continue;
    fail(ErrorCode::kMismatch, "token id {} lies outside the model's vocabulary of {}", token,
         vocab_size);
  }
}

}  // namespace

Engine::Impl::Impl(Generator& its_generator, const EngineOptions& options)
    : generator(its_generator),
      scheduler(*generator.model().impl().weights, checked(options),
                cache_tokens(options, generator.model().config().context)),
      state(scheduler.state()) {}

RequestId Engine::Impl::submit(JobRequest request) {
  const PageNeed need = scheduler.checked_need(request);
  const std::lock_guard lock(mutex);
  arrivals.push_back({next_id, std::move(request), need});
  arrived.notify_all();
  return next_id++;
}

RequestId Engine::Impl::submit(SamplingTask task) {
  const auto size = static_cast<int64_t>(task.prompt.size());
  task.kept = kept_of_prompt(size, generator.model().config().context, task.options.max_tokens);
  JobRequest request{.prompt = {task.prompt.end() - task.kept, task.prompt.end()},
                     .max_tokens = task.options.max_tokens,
                     .strategy = nullptr,
                     .stop_requested = task.options.stop_requested};
  request.strategy = std::make_unique<Sampling>(generator.tokenizer(), std::move(task));
  return submit(std::move(request));
}

bool Engine::Impl::step() {
  std::vector<Arrival> came;
  std::vector<RequestId> leave;
  {
    const std::lock_guard lock(mutex);
    came.swap(arrivals);
    leave.swap(cancelled);
  }
  for (Arrival& arrival : came) scheduler.add(arrival.id, std::move(arrival.request), arrival.need);
  for (const RequestId id : leave) scheduler.cancel(id);
  const bool is_more = scheduler.step();
  const std::lock_guard lock(mutex);
  state = scheduler.state();
  return is_more || !arrivals.empty();
}

Engine::Engine(Generator& generator, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(generator, options)) {}
Engine::~Engine() = default;

RequestId Engine::submit(Request request) {
  validate(request.options);
  Generator::Impl& generator = impl_->generator.impl();
  SamplingTask task;
  if (request.tokens.empty()) {
    task.prompt = generator.tokens_before(request.prompt, request.options);
    task.seed_text = std::move(request.prompt);
  } else {
    check_ids(request.tokens, generator.model.config().vocab_size);
    task.seed_text = generator.tokenizer.decode(request.tokens);
    task.prompt = std::move(request.tokens);
  }
  task.characters = generator.characters_for(task.seed_text, request.options);
  task.options = std::move(request.options);
  task.on_token = std::move(request.on_token);
  task.on_text = std::move(request.on_text);
  task.on_end = std::move(request.on_end);
  return impl_->submit(std::move(task));
}

RequestId Engine::submit(ScoreRequest request) {
  const ModelConfig& config = impl_->generator.model().config();
  if (request.text.context.empty()) {
    fail(ErrorCode::kUsage,
         "nothing to condition on: give at least one token of context, such as the end-of-text "
         "token");
  }
  if (request.text.completion.empty())
    fail(ErrorCode::kUsage, "nothing to score: give at least one token of completion");
  check_ids(request.text.context, config.vocab_size);
  check_ids(request.text.completion, config.vocab_size);
  auto strategy = std::make_unique<Scoring>(
      ScoringTask{std::move(request.text), std::move(request.on_end)}, config.context);
  std::vector<TokenId> prompt = strategy->prompt();
  return impl_->submit(JobRequest{.prompt = std::move(prompt),
                                  .max_tokens = 0,
                                  .strategy = std::move(strategy),
                                  .stop_requested = std::move(request.stop_requested)});
}

void Engine::cancel(RequestId id) {
  const std::lock_guard lock(impl_->mutex);
  impl_->cancelled.push_back(id);
  impl_->arrived.notify_all();
}

bool Engine::step() { return impl_->step(); }

bool Engine::wait(std::chrono::milliseconds most) {
  std::unique_lock lock(impl_->mutex);
  return impl_->arrived.wait_for(
      lock, most, [&] { return !impl_->arrivals.empty() || !impl_->cancelled.empty(); });
}

EngineState Engine::state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state;
}

}  // namespace inkstone
