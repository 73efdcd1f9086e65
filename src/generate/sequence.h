// One continuation while it is being written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "generate/whole_characters.h"
#include "inkstone/generator.h"
#include "model/decoder.h"

namespace inkstone {

// Seed of a sequence: a pure function of the user's seed, the prompt and the number of the sample.
uint64_t sequence_seed(uint64_t seed, std::string_view prompt, int64_t sample);

// Writes one continuation with a slot of a decoder. The caller runs the decoder's steps, so that
// several sequences share them; a sequence's own course does not depend on the others.
class Sequence {
 public:
  // `characters`: as WholeCharacters takes it. `history`: all tokens before the continuation, at
  // least one.
  Sequence(const Tokenizer& tokenizer, const GenerateOptions& options,
           const CharacterTable* characters, uint64_t seed, std::vector<TokenId> history);

  // The next token by the logits after the last one; nullopt: it has its max_tokens. Several
  // sequences may choose at the same time.
  std::optional<Choice> choose(std::span<const float> logits);
  // Adds what was chosen. False when the continuation is finished. on_text gets what may be shown;
  // it returns false to cancel.
  bool take(const std::optional<Choice>& chosen,
            const std::function<bool(std::string_view)>& on_text);

  // The token that was taken last, to be fed to the decoder next.
  TokenId last_token() const { return history_.back(); }
  const std::vector<TokenId>& history() const { return history_; }
  // To be called when the sequence has ended.
  Completion take_result();
  bool finished() const { return finish_.has_value(); }
  // Ends at once (max_tokens of 0).
  void finish(FinishReason reason, const std::function<bool(std::string_view)>& on_text);

 private:
  const Tokenizer* tokenizer_;
  const GenerateOptions* options_;
  uint64_t seed_;
  std::vector<TokenId> history_;
  TextStream stream_;
  WholeCharacters characters_;
  Sampler sampler_;
  Completion result_;
  std::optional<FinishReason> finish_;
};

// Where in a history the tokens of a slot begin.
struct Window {
  size_t first = 0;  // index in the history of the slot's first token
};

// Feeds the tokens of `history` that the slot does not hold yet, at least one, and returns the
// logits after the last one. A history that does not fit any more is cut: of a text that outgrew
// its window the last half of a window is fed again (with learned positions the kept keys would be
// at wrong places), of a prompt (the slot is empty) as Generator::generate says.
std::vector<float> refill(Decoder& decoder, int64_t slot, const std::vector<TokenId>& history,
                          int64_t max_tokens, Window& window);

}  // namespace inkstone
