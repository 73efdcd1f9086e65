// Several continuations at once: each prompt is fed once, and the sequences share the decoder's
// steps.
#include "inkstone/generator.h"

#include <algorithm>
#include <deque>
#include <list>
#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "generate/generator_impl.h"
#include "generate/sequence.h"
#include "model/decoder.h"

namespace inkstone {

void validate(const GenerateOptions& o) {
  validate(o.sampling);
  if (o.max_tokens < 0)
    fail(ErrorCode::kUsage, "max-tokens is {}, expected 0 or more", o.max_tokens);
  if (o.samples < 1 || o.samples > 1'000'000) {
    fail(ErrorCode::kUsage, "the number of samples is {}, expected 1 to 1000000", o.samples);
  }
  for (const std::string& stop : o.stop) {
    if (stop.empty()) fail(ErrorCode::kUsage, "a stop string is empty");
    if (!o.whole_characters || is_valid_utf8(stop)) continue;
    fail(ErrorCode::kUsage,
         "the stop string '{}' is not UTF-8, which what is written is: give other text, or write "
         "any "
         "bytes (--bytes)",
         replace_invalid_utf8(stop));
  }
}

std::vector<TokenId> Generator::Impl::prompt_tokens(std::string_view prompt,
                                                    SpecialTokens special) const {
  auto tokens = tokenizer.encode(prompt, special);
  if (tokens.empty()) tokens.push_back(first_token());
  return tokens;
}

TokenId Generator::Impl::first_token() const {
  if (const auto begin = tokenizer.begin_of_text()) return *begin;
  fail(ErrorCode::kUsage,
       "the prompt is empty, and the model has no token that begins a text (bos_token or eos_token "
       "in tokenizer_config.json, or their ids in config.json): give a prompt");
}

const CharacterTable* Generator::Impl::characters_for(std::string_view prompt,
                                                      const GenerateOptions& options) {
  if (!options.whole_characters || !is_valid_utf8(prompt)) return nullptr;
  auto& table = characters[options.ignore_end_of_text ? 1 : 0];
  if (!table) {
    const std::span<const TokenId> marks = tokenizer.end_marks();
    table.emplace(tokenizer, options.ignore_end_of_text ? marks.first(0) : marks);
  }
  return &*table;
}

namespace {

struct Task {
  size_t prompt;
  int64_t sample;
};

// A sequence with a slot of the decoder.
struct Active {
  Task task;
  int64_t slot;
  Sequence sequence;
  Window window;
  size_t prompt_tokens;
  size_t prompt_first;        // the first of them that fits
  std::vector<float> logits;  // after the last token that the slot holds
};

class BatchRun {
 public:
  BatchRun(Generator::Impl& impl, std::span<const std::string> prompts,
           const GenerateOptions& options, const OnText& on_text, int64_t parallel)
      : impl_(impl),
        prompts_(prompts),
        options_(options),
        on_text_(on_text),
        decoder_(*impl.model.impl().network, parallel, impl.model.config().context),
        first_logits_(prompts.size()),
        results_(prompts.size() * options.samples) {
    for (size_t p = 0; p < prompts.size(); ++p) {
      for (int64_t s = 0; s < options.samples; ++s) waiting_.push_back({p, s});
    }
    for (int64_t slot = parallel - 1; slot >= 0; --slot) free_.push_back(slot);
  }

  std::vector<Completion> run() {
    while (!waiting_.empty() || !active_.empty()) {
      if (options_.stop_requested && options_.stop_requested()) {
        cancel();
        break;
      }
      while (!waiting_.empty() && !free_.empty()) start();
      advance();
      step();
    }
    return std::move(results_);
  }

 private:
  // Ends what is being written; what was not begun has no result.
  void cancel() {
    for (Active& active : active_) {
      active.sequence.finish(FinishReason::kCancelled, {});
      take_result(active);
    }
    active_.clear();
    std::vector<bool> begun(results_.size(), true);
    for (const Task& task : waiting_) begun[place_of(task)] = false;
    waiting_.clear();
    std::vector<Completion> kept;
    for (size_t i = 0; i < results_.size(); ++i) {
      if (begun[i]) kept.push_back(std::move(results_[i]));
    }
    results_ = std::move(kept);
  }

  ThreadPool& pool() const { return impl_.model.impl().network->backend().runtime().pool(); }

  size_t place_of(const Task& task) const {
    return task.prompt * static_cast<size_t>(options_.samples) + static_cast<size_t>(task.sample);
  }

  void take_result(Active& active) {
    Completion& result = results_[place_of(active.task)];
    result = active.sequence.take_result();
    result.prompt_index = active.task.prompt;
    result.sample_index = active.task.sample;
    result.prompt_tokens = static_cast<int64_t>(active.prompt_tokens);
    result.prompt_tokens_kept = static_cast<int64_t>(active.prompt_tokens - active.prompt_first);
  }

  void start() {
    const Task task = waiting_.front();
    waiting_.pop_front();
    const std::string& prompt = prompts_[task.prompt];
    auto history = impl_.prompt_tokens(prompt, options_.special);
    const size_t count = history.size();
    Active active{
        .task = task,
        .slot = free_.back(),
        .sequence = Sequence(impl_.tokenizer, options_, impl_.characters_for(prompt, options_),
                             sequence_seed(options_.seed, prompt, task.sample), std::move(history)),
        .window = {},
        .prompt_tokens = count,
        .prompt_first = 0,
        .logits = {}};
    free_.pop_back();
    feed_prompt(active);
    // Nobody needs them any more.
    if (task.sample + 1 == options_.samples) first_logits_[task.prompt] = {};
    active_.push_back(std::move(active));
  }

  // From another sample of the same prompt whose slot still begins with it, or by feeding it.
  void feed_prompt(Active& active) {
    decoder_.truncate(active.slot, 0);
    for (const Active& other : active_) {
      if (other.task.prompt != active.task.prompt || other.window.first != 0) continue;
      if (active.prompt_tokens > static_cast<size_t>(decoder_.length(other.slot))) continue;
      decoder_.fork(other.slot, active.slot);
      decoder_.truncate(active.slot, static_cast<int64_t>(active.prompt_tokens));
      active.logits = first_logits_[active.task.prompt];
      return;
    }
    active.logits = refill(decoder_, active.slot, active.sequence.history(), options_.max_tokens,
                           active.window);
    active.prompt_first = active.window.first;
    if (options_.samples > 1) first_logits_[active.task.prompt] = active.logits;
  }

  // One token for every sequence, chosen side by side and taken one by one; finished ones leave.
  void advance() {
    std::vector<Active*> choosing;
    for (Active& active : active_) choosing.push_back(&active);
    std::vector<std::optional<Choice>> choices(choosing.size());
    pool().parallel_each(static_cast<int64_t>(choosing.size()), [&](int64_t i, int) {
      const auto at = static_cast<size_t>(i);
      choices[at] = choosing[at]->sequence.choose(choosing[at]->logits);
    });
    size_t i = 0;
    for (auto at = active_.begin(); at != active_.end();) {
      const auto shown = [&, task = at->task](std::string_view text) {
        return !on_text_ || on_text_(task.prompt, task.sample, text);
      };
      if (at->sequence.take(choices[i++], shown)) {
        ++at;
        continue;
      }
      take_result(*at);
      free_.push_back(at->slot);
      at = active_.erase(at);
    }
  }

  // The chosen tokens through the model: together, but for sequences whose window is full.
  void step() {
    std::vector<int64_t> slots;
    std::vector<TokenId> tokens;
    std::vector<Active*> stepping;
    for (Active& active : active_) {
      if (decoder_.length(active.slot) >= decoder_.capacity()) {
        active.logits = refill(decoder_, active.slot, active.sequence.history(),
                               options_.max_tokens, active.window);
        continue;
      }
      stepping.push_back(&active);
      slots.push_back(active.slot);
      tokens.push_back(active.sequence.last_token());
    }
    if (stepping.empty()) return;
    const auto V = static_cast<size_t>(impl_.model.config().vocab_size);
    logits_.resize(stepping.size() * V);
    decoder_.step(slots, tokens, logits_);
    for (size_t i = 0; i < stepping.size(); ++i) {
      stepping[i]->logits.assign(logits_.begin() + i * V, logits_.begin() + (i + 1) * V);
    }
  }

  Generator::Impl& impl_;
  std::span<const std::string> prompts_;
  const GenerateOptions& options_;
  const OnText& on_text_;
  Decoder decoder_;
  std::deque<Task> waiting_;
  std::vector<int64_t> free_;
  std::list<Active> active_;
  // After each prompt, while one of its samples is active.
  std::vector<std::vector<float>> first_logits_;
  std::vector<float> logits_;
  std::vector<Completion> results_;
};

}  // namespace

Generator::Generator(Model model, Tokenizer tokenizer)
    : impl_(std::make_unique<Impl>(Impl{std::move(model), std::move(tokenizer)})) {
  if (impl_->tokenizer.vocab_size() > impl_->model.config().vocab_size) {
    fail(ErrorCode::kMismatch,
         "the tokenizer has {} ids, the model only {}: they do not belong together",
         impl_->tokenizer.vocab_size(), impl_->model.config().vocab_size);
  }
}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;

std::vector<TokenId> Generator::prompt_tokens(std::string_view prompt,
                                              SpecialTokens special) const {
  return impl_->prompt_tokens(prompt, special);
}

const Model& Generator::model() const { return impl_->model; }
const Tokenizer& Generator::tokenizer() const { return impl_->tokenizer; }

std::vector<Completion> Generator::generate(std::span<const std::string> prompts,
                                            const GenerateOptions& options, const OnText& on_text,
                                            int64_t parallel) {
  validate(options);
  if (parallel < 1)
    fail(ErrorCode::kUsage, "the number of parallel sequences is {}, expected 1 or more", parallel);
  if (prompts.empty()) return {};
  const auto total = static_cast<int64_t>(prompts.size()) * options.samples;
  return BatchRun(*impl_, prompts, options, on_text, std::min(parallel, total)).run();
}

}  // namespace inkstone
