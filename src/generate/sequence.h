// One continuation while it is being written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "generate/whole_characters.h"
#include "inkstone/engine.h"
#include "inkstone/generator.h"

namespace inkstone {

// Seed of a sequence: a pure function of the user's seed, the prompt and the number of the sample.
uint64_t sequence_seed(uint64_t seed, std::string_view prompt, int64_t sample);

// How many of its last tokens a prompt keeps, as Generator::generate says.
int64_t kept_of_prompt(int64_t tokens, int64_t context, int64_t max_tokens);

// What comes next, and what is told of it.
struct NextToken {
  Choice choice;
  std::vector<TokenLogProb> likeliest;
};

// Who hears of a continuation; each may be empty.
struct SequenceListener {
  std::function<void(const WrittenToken&)> on_token = {};  // before its text
  // What may be shown; it returns false to cancel.
  std::function<bool(std::string_view)> on_text = {};
};

// Chooses the tokens of one continuation and makes its text. The caller has the model's logits, so
// that several sequences share its passes; a sequence's own course does not depend on the others.
class Sequence {
 public:
  // `characters`: as WholeCharacters takes it. `history`: all tokens before the continuation, at
  // least one. Options and tokenizer must outlive it.
  Sequence(const Tokenizer& tokenizer, const GenerateOptions& options,
           const CharacterTable* characters, uint64_t seed, std::vector<TokenId> history);

  // The next token by the logits after the last one; nullopt: it has its max_tokens, or every token
  // would be one too many of a copy. Several sequences may choose at the same time.
  std::optional<NextToken> choose(std::span<const float> logits);
  // Adds what was chosen. False when the continuation is finished.
  bool take(std::optional<NextToken> chosen, const SequenceListener& listener);

  // The token that was taken last, to be fed to the model next.
  TokenId last_token() const { return history_.back(); }
  // To be called when the sequence has ended.
  Completion take_result();
  bool finished() const { return finish_.has_value(); }
  // Ends at once.
  void finish(FinishReason reason, const SequenceListener& listener);

 private:
  bool is_end_mark(TokenId token) const;
  std::vector<TokenId> copies(int64_t usable) const;
  void bar(std::span<float> logits, std::span<const TokenId> copied);

  const Tokenizer* tokenizer_;
  const GenerateOptions* options_;
  uint64_t seed_;
  std::vector<TokenId> history_;
  TextStream stream_;
  WholeCharacters characters_;
  Completion result_;
  std::optional<FinishReason> finish_;
};

}  // namespace inkstone
