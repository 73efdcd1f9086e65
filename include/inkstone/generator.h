// Writing text with a model: sampling, stop rules, streaming, several samples, chat past the
// context; and scoring text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/model.h"
#include "inkstone/tokenizer.h"
#include "inkstone/turns.h"

namespace inkstone {

class CopyIndex;  // inkstone/copy_index.h

// How the next token is chosen from the logits. The filters act in this order: repetition penalty,
// temperature, top-k, top-p, min-p; then one draw.
struct SamplingOptions {
  double temperature = 1.0;  // >= 0; 0 is greedy: the largest logit, the lowest id on a tie
  // Keep the k most probable; 0: all. Fan et al. 2018, arXiv:1805.04833.
  int64_t top_k = 0;
  // Keep the smallest set with at least this mass. Holtzman et al. 2020, arXiv:1904.09751.
  double top_p = 1.0;
  // Drop tokens below min_p * the largest probability. arXiv:2407.01082.
  double min_p = 0.0;
  // >= 1 in use: logit > 0 divided, < 0 multiplied. Keskar et al. 2019, arXiv:1909.05858.
  double repetition_penalty = 1.0;
  // How many last tokens it looks at (prompt included); 0: all in context.
  int64_t repetition_window = 0;
};

// Throws kUsage naming the option, its value and its range.
void validate(const SamplingOptions& options);

enum class FinishReason {
  kEndMark,    // the model wrote an end mark (which is not part of the text)
  kStop,       // a stop string was complete, the first to be so; the text ends before it
  kLength,     // max_tokens reached
  kCancelled,  // the callback asked to stop
};

struct GenerateOptions {
  SamplingOptions sampling = {};
  int64_t max_tokens = 256;            // >= 0
  std::vector<std::string> stop = {};  // stop strings, none empty
  bool keep_stop = false;              // the stop string that ended a text stays at its end
  bool ignore_end_of_text = false;     // write on past the end marks
  // What follows a prompt that is UTF-8 is UTF-8: tokens after which it could not be any more are
  // not drawn, and a character that is not whole where the text ends is not part of it. A prompt
  // that is not UTF-8 (for a model of other text), and false: any bytes.
  bool whole_characters = true;
  // What becomes of the text of a special token in a prompt.
  SpecialTokens special = SpecialTokens::kAsText;
  // Not empty: the text that comes after what is written; the model fills in between it and the
  // prompt, up to its end mark (inkstone/fill_in.h). All of both must fit into the context.
  std::string suffix = {};
  uint64_t seed = 0;
  int64_t samples = 1;  // continuations of each prompt
  // Of every token that is written, so many of the likeliest tokens are told; 0 to 20.
  int64_t log_probs = 0;
  // Of its text never more tokens in a row are written than it allows: the tokens that would go on
  // with a copy are not drawn, and where no other token is left the text ends (kLength). What
  // counts is what is written, not the prompt. Empty: whatever the model writes.
  std::shared_ptr<const CopyIndex> no_copy = {};
  // Asked before every step; true: what is being written ends as kCancelled, what is not begun has
  // no Completion.
  std::function<bool()> stop_requested = {};
};

// A token and its log-probability under the model: at temperature 1, no filter, nothing left out,
// in nats.
struct TokenLogProb {
  TokenId token = 0;
  float log_prob = 0;

  bool operator==(const TokenLogProb&) const = default;
};

struct Completion {
  size_t prompt_index = 0;
  int64_t sample_index = 0;
  // Without the prompt: the bytes of the tokens, up to the stop string (or with it, see keep_stop)
  // and up to the last whole character (see whole_characters).
  std::string text;
  std::vector<TokenId> tokens;
  std::vector<float> log_probs;  // of each token, as TokenLogProb has it
  // In the place of each token the likeliest, most likely first (on a tie the lowest id): as many
  // as GenerateOptions::log_probs asks for; empty if that is 0.
  std::vector<std::vector<TokenLogProb>> likeliest;
  FinishReason finish = FinishReason::kLength;
  // Of the prompt (of a conversation: all its text so far), and how many of the last ones the model
  // was given: fewer when they are more than the context.
  int64_t prompt_tokens = 0, prompt_tokens_kept = 0;
};

// P(completion | context): tokens of the model's vocabulary. With nothing to condition on, the
// context is begin_of_text() (Generator::prompt_tokens of an empty prompt).
struct TextToScore {
  std::vector<TokenId> context;  // at least one
  std::vector<TokenId> completion;
};

struct TextScore {
  // log P(completion[i] | context, completion[<i]) in nats, one for each token of the completion.
  std::vector<double> log_probs;
  // Whether each token of the completion was the most probable one in its place (of equal ones the
  // lowest id): greedy decoding would have written it.
  bool is_greedy = true;

  double log_prob() const { return std::accumulate(log_probs.begin(), log_probs.end(), 0.0); }
};

// New text of one continuation while it is written: whole UTF-8 characters only, except that bytes
// that can never become a character are passed on as they are; a possible beginning of a stop
// string is held back, and an unfinished character at the end is never passed. Return false to stop
// this continuation.
using OnText =
    std::function<bool(size_t prompt_index, int64_t sample_index, std::string_view text)>;

// A model and its tokenizer. Throws kMismatch when the vocabularies do not fit (a tokenizer with
// more ids than the model; fewer is allowed: the surplus ids are never drawn).
class Generator {
 public:
  Generator(Model model, Tokenizer tokenizer);
  ~Generator();
  Generator(Generator&&) noexcept;

  // Continues every prompt, `samples` times each, several at once: `parallel` sequences at most, or
  // (0) as many as a gigabyte of keys and values has room for, 8 to 64.
  // Sample s of prompt p depends on (seed, p's own text, s) alone: the same text comes out whatever
  // else is in the batch. A prompt longer than the context keeps its last tokens: as many as leave
  // room for max_tokens, or all but one of the context where max_tokens is more than half of it.
  // Text goes on past the context: the window is then filled again with the last half of it.
  // Throws as prompt_tokens() when it comes to a prompt.
  std::vector<Completion> generate(std::span<const std::string> prompts,
                                   const GenerateOptions& options, const OnText& on_text = {},
                                   int64_t parallel = 0);

  // Scores of texts, in their order, several at once (`parallel` as in generate). One that is
  // longer than the model's context is read in windows that overlap by half: behind the first
  // window every token has at least half a context before it. A score depends on its own text
  // alone, bit for bit. Throws as Engine::submit.
  std::vector<TextScore> score(std::span<const TextToScore> texts, int64_t parallel = 0);

  // What a prompt starts from: its tokens, or begin_of_text() for an empty one (a new document).
  // Throws kUsage when there is no such token, kInvalidData for a special token that is refused.
  std::vector<TokenId> prompt_tokens(std::string_view prompt, SpecialTokens special) const;
  // The same with the options' suffix, where there is one. Throws also kUnsupported for a model
  // that does not fill in, and kUsage where prompt and suffix leave no room to write.
  std::vector<TokenId> prompt_tokens(std::string_view prompt, const GenerateOptions& options) const;

  const Model& model() const;
  const Tokenizer& tokenizer() const;

  struct Impl;  // defined in src/generate
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// One growing text that user and model write in turn; keeps the cache between turns.
class Conversation {
 public:
  // The generator must outlive it. With a template the model is given the turns as it has them, and
  // its end mark ends a reply; without one the texts as they stand, one behind the other.
  explicit Conversation(Generator& generator, std::optional<TurnTemplate> turns = std::nullopt);
  ~Conversation();

  // Adds the user's text and lets the model continue it. With a template special tokens in texts
  // are text, unless options.special refuses them. (Of whole_characters, what counts is this
  // text alone: a reply to UTF-8 is UTF-8.) The completion becomes part of the text,
  // also when it was cancelled; options.special holds for the user's text, and special tokens in
  // earlier replies are text unless it is kAllow. Each call with the same history and options gives
  // the same text.
  Completion reply(std::string_view user_text, const GenerateOptions& options,
                   const OnText& on_text = {});
  // Removes the last reply and writes another (the seed differs by the number of retries). kUsage:
  // nothing to retry.
  Completion retry(const GenerateOptions& options, const OnText& on_text = {});
  // Removes the last user text and its reply; false when there is none.
  bool undo();
  void clear();

  struct Turn {
    std::string user, reply;
  };
  const std::vector<Turn>& turns() const;
  // Replaces the whole history (a loaded conversation).
  void restore(std::vector<Turn> turns);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
