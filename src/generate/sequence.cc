#include "generate/sequence.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "inkstone/copy_index.h"

namespace inkstone {

uint64_t sequence_seed(uint64_t seed, std::string_view prompt, int64_t sample) {
  const auto block = philox4x32(seed, hash64(prompt), static_cast<uint64_t>(sample));
  return block[0] | (uint64_t{block[1]} << 32);
}

// Where the text will outgrow the context in any case, room is left for one token only: what is
// written later sees the same either way.
int64_t kept_of_prompt(int64_t tokens, int64_t context, int64_t max_tokens) {
  if (tokens <= context) return tokens;
  return std::max<int64_t>(1, context - (max_tokens <= context / 2 ? max_tokens : 1));
}

Sequence::Sequence(const Tokenizer& tokenizer, const GenerateOptions& options,
                   const CharacterTable* characters, uint64_t seed, std::vector<TokenId> history)
    : tokenizer_(&tokenizer),
      options_(&options),
      seed_(seed),
      history_(std::move(history)),
      stream_(options.stop, options.keep_stop),
      characters_(characters) {}

std::optional<NextToken> Sequence::choose(std::span<const float> logits) {
  const auto count = static_cast<int64_t>(result_.tokens.size());
  if (count >= options_->max_tokens) return std::nullopt;
  // Its work space is far more than what a sequence is otherwise, so it belongs to the thread
  // and stays with it.
  thread_local Sampler sampler;
  // The draw is addressed by its place in the continuation: the same whatever else is in the batch.
  const Random random(seed_, RandomStream::kSampling);
  const auto usable = std::min<int64_t>(static_cast<int64_t>(logits.size()),
                                        tokenizer_->vocab_size());
  const std::vector<TokenId> copied = copies(usable);
  if (static_cast<int64_t>(copied.size()) == usable) return std::nullopt;
  NextToken next;
  next.choice = sampler.choose(logits, usable, history_, options_->sampling,
                               random.uniform(static_cast<uint64_t>(count)),
                               [&](std::span<float> drawable) { bar(drawable, copied); });
  next.likeliest = sampler.likeliest(logits, usable, options_->log_probs);
  return next;
}

// The tokens that would copy too much.
std::vector<TokenId> Sequence::copies(int64_t usable) const {
  if (!options_->no_copy) return {};
  std::vector<TokenId> tokens = options_->no_copy->next(result_.tokens);
  std::erase_if(tokens, [&](TokenId token) { return token >= usable; });
  return tokens;
}

void Sequence::bar(std::span<float> logits, std::span<const TokenId> copied) {
  for (const TokenId token : copied) logits[static_cast<size_t>(token)] = -INFINITY;
  characters_.bar(logits);
}

bool Sequence::is_end_mark(TokenId token) const {
  if (options_->ignore_end_of_text) return false;
  const auto& end_marks = tokenizer_->end_marks();
  return std::ranges::find(end_marks, token) != end_marks.end();
}

bool Sequence::take(std::optional<NextToken> chosen, const SequenceListener& listener) {
  if (!chosen) {
    finish(FinishReason::kLength, listener);
    return false;
  }
  const auto [token, log_prob] = chosen->choice;
  if (is_end_mark(token)) {
    finish(FinishReason::kEndMark, listener);
    return false;
  }
  characters_.add(token);
  history_.push_back(token);
  result_.tokens.push_back(token);
  result_.log_probs.push_back(log_prob);
  if (listener.on_token) listener.on_token({token, log_prob, chosen->likeliest});
  if (options_->log_probs > 0) result_.likeliest.push_back(std::move(chosen->likeliest));
  const std::string_view shown = stream_.push(tokenizer_->token_bytes(token));
  const bool go_on = shown.empty() || !listener.on_text || listener.on_text(shown);
  if (stream_.stopped()) {
    finish(FinishReason::kStop, listener);
  } else if (!go_on) {
    finish(FinishReason::kCancelled, {});
  } else if (static_cast<int64_t>(result_.tokens.size()) >= options_->max_tokens) {
    finish(FinishReason::kLength, listener);
  }
  return !finished();
}

void Sequence::finish(FinishReason reason, const SequenceListener& listener) {
  finish_ = reason;
  const std::string_view rest = stream_.finish();
  if (listener.on_text && !rest.empty()) listener.on_text(rest);
}

Completion Sequence::take_result() {
  std::string_view text = stream_.text();
  if (characters_.is_held()) text.remove_suffix(static_cast<size_t>(incomplete_utf8_tail(text)));
  result_.text = text;
  result_.finish = finish_.value_or(FinishReason::kLength);
  return std::move(result_);
}

}  // namespace inkstone
