// Several continuations at once, by an engine that lives as long as they take.
#include "inkstone/generator.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "generate/generator_impl.h"
#include "inkstone/engine.h"
#include "inkstone/fill_in.h"

namespace inkstone {

std::vector<TokenId> Generator::Impl::prompt_tokens(std::string_view prompt,
                                                    SpecialTokens special) const {
  auto tokens = tokenizer.encode(prompt, special);
  if (tokens.empty()) tokens.push_back(first_token());
  return tokens;
}

std::vector<TokenId> Generator::Impl::tokens_before(std::string_view prompt,
                                                    const GenerateOptions& options) const {
  if (options.suffix.empty()) return prompt_tokens(prompt, options.special);
  auto tokens = fill_in_prompt(tokenizer, prompt, options.suffix);
  const int64_t context = model.config().context;
  if (static_cast<int64_t>(tokens.size()) >= context) {
    fail(
        ErrorCode::kUsage,
        "prompt and suffix have {} tokens together, expected fewer than the model's context of {}, "
        "so that there is room to write: give shorter ones",
        tokens.size(), context);
  }
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
  const std::lock_guard lock(mutex);
  auto& table = characters[options.ignore_end_of_text ? 1 : 0];
  if (!table) {
    const std::span<const TokenId> marks = tokenizer.end_marks();
    table.emplace(tokenizer, options.ignore_end_of_text ? marks.first(0) : marks);
  }
  return &*table;
}

EngineOptions engine_options(const Model& model, int64_t sequences, int64_t parallel) {
  if (parallel < 0)
    fail(ErrorCode::kUsage, "the number of parallel sequences is {}, expected 0 or more", parallel);
  constexpr int64_t kBytes = 1'000'000'000, kLeast = 8, kMost = 64;
  const ModelConfig& config = model.config();
  EngineOptions options{.kept_tokens = config.context,
                        .max_sequences = std::min(parallel > 0 ? parallel : kMost, sequences)};
  if (parallel > 0) return options;
  const int64_t of_token = 2 * config.layers * config.width *
                           size_bytes(model.impl().weights->cache());
  // A prompt of its own and a whole context, and three pages that are not full.
  const int64_t of_sequence = 2 * config.context + 3 * kPagePositions;
  options.cache_tokens = std::min(options.max_sequences * of_sequence,
                                  std::max(kLeast * of_sequence, kBytes / of_token));
  return options;
}

namespace {

// A batch of prompts as requests, of which no more are under way than there are sequences: a prompt
// is encoded when it comes to it.
class BatchRun {
 public:
  BatchRun(Generator& generator, std::span<const std::string> prompts,
           const GenerateOptions& options, const OnText& on_text, const EngineOptions& engine)
      : prompts_(prompts),
        options_(options),
        stop_requested_(std::exchange(options_.stop_requested, {})),
        on_text_(on_text),
        parallel_(static_cast<size_t>(engine.max_sequences)),
        completions_(prompts.size()),
        engine_(generator, engine) {}

  std::vector<Completion> run() {
    bool is_more = true;
    while (is_more || next_ < prompts_.size()) {
      if (stop_requested_ && stop_requested_()) {
        cancel();
      } else {
        while (next_ < prompts_.size() && running_.size() < parallel_) submit();
      }
      is_more = engine_.step();
      if (error_) std::rethrow_exception(error_);
    }
    return joined();
  }

 private:
  void submit() {
    const size_t prompt = next_++;
    Request request{.prompt = prompts_[prompt], .options = options_};
    if (on_text_) {
      request.on_text = [this, prompt](int64_t sample, std::string_view text) {
        return on_text_(prompt, sample, text);
      };
    }
    request.on_end = [this, prompt](std::vector<Completion> completions, std::exception_ptr error) {
      completions_[prompt] = std::move(completions);
      running_.erase(prompt);
      if (error && !error_) error_ = error;
    };
    running_.emplace(prompt, engine_.submit(std::move(request)));
  }

  // Ends what is being written; what was not begun has no result.
  void cancel() {
    for (const auto& [prompt, id] : running_) engine_.cancel(id);
    next_ = prompts_.size();
  }

  std::vector<Completion> joined() {
    std::vector<Completion> all;
    for (size_t prompt = 0; prompt < completions_.size(); ++prompt) {
      for (Completion& completion : completions_[prompt]) {
        completion.prompt_index = prompt;
        all.push_back(std::move(completion));
      }
    }
    return all;
  }

  std::span<const std::string> prompts_;
  GenerateOptions options_;
  std::function<bool()> stop_requested_;
  const OnText& on_text_;
  size_t parallel_;
  size_t next_ = 0;                      // the first prompt that was not begun
  std::map<size_t, RequestId> running_;  // by prompt
  std::vector<std::vector<Completion>> completions_;
  std::exception_ptr error_;
  Engine engine_;
};

}  // namespace

Generator::Generator(Model model, Tokenizer tokenizer)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(tokenizer))) {
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

std::vector<TokenId> Generator::prompt_tokens(std::string_view prompt,
                                              const GenerateOptions& options) const {
  return impl_->tokens_before(prompt, options);
}

const Model& Generator::model() const { return impl_->model; }
const Tokenizer& Generator::tokenizer() const { return impl_->tokenizer; }

std::vector<Completion> Generator::generate(std::span<const std::string> prompts,
                                            const GenerateOptions& options, const OnText& on_text,
                                            int64_t parallel) {
  validate(options);
  if (prompts.empty()) return {};
  const auto total = static_cast<int64_t>(prompts.size()) * options.samples;
  return BatchRun(*this, prompts, options, on_text, engine_options(model(), total, parallel)).run();
}

std::vector<TextScore> Generator::score(std::span<const TextToScore> texts, int64_t parallel) {
  // A text of several windows has several sequences.
  const EngineOptions options = engine_options(model(), std::numeric_limits<int64_t>::max(),
                                               parallel);
  Engine engine(*this, options);
  std::vector<TextScore> scores(texts.size());
  std::exception_ptr error;
  int64_t running = 0;
  const auto submit = [&](size_t text) {
    if (texts[text].completion.empty()) return;
    engine.submit(ScoreRequest{.text = texts[text],
                               .on_end = [&, text](TextScore score, std::exception_ptr its_error) {
                                 scores[text] = std::move(score);
                                 if (its_error && !error) error = its_error;
                                 --running;
                               }});
    ++running;
  };
  for (size_t next = 0; next < texts.size() || running > 0;) {
    while (next < texts.size() && running < options.max_sequences) submit(next++);
    engine.step();
    if (error) std::rethrow_exception(error);
  }
  return scores;
}

}  // namespace inkstone
