#include "generate/sequence.h"

#include <algorithm>

#include "base/hash.h"
#include "base/rng.h"
#include "base/utf8.h"

namespace inkstone {

uint64_t sequence_seed(uint64_t seed, std::string_view prompt, int64_t sample) {
  const auto block = philox4x32(seed, hash64(prompt), static_cast<uint64_t>(sample));
  return block[0] | (uint64_t{block[1]} << 32);
}

Sequence::Sequence(const Tokenizer& tokenizer, const GenerateOptions& options,
                   const CharacterTable* characters, uint64_t seed, std::vector<TokenId> history)
    : tokenizer_(&tokenizer),
      options_(&options),
      seed_(seed),
      history_(std::move(history)),
      stream_(options.stop, options.keep_stop),
      characters_(characters) {}

std::optional<Choice> Sequence::choose(std::span<const float> logits) {
  const auto count = static_cast<int64_t>(result_.tokens.size());
  if (count >= options_->max_tokens) return std::nullopt;
  // The draw is addressed by its place in the continuation: the same whatever else is in the batch.
  const Random random(seed_, RandomStream::kSampling);
  const auto usable = std::min<int64_t>(static_cast<int64_t>(logits.size()),
                                        tokenizer_->vocab_size());
  return sampler_.choose(logits, usable, history_, options_->sampling,
                         random.uniform(static_cast<uint64_t>(count)),
                         [this](std::span<float> drawable) { characters_.bar(drawable); });
}

bool Sequence::take(const std::optional<Choice>& chosen,
                    const std::function<bool(std::string_view)>& on_text) {
  if (!chosen) {
    finish(FinishReason::kLength, on_text);
    return false;
  }
  const Choice choice = *chosen;
  const auto& end_marks = tokenizer_->end_marks();
  if (!options_->ignore_end_of_text &&
      std::ranges::find(end_marks, choice.token) != end_marks.end()) {
    finish(FinishReason::kEndMark, on_text);
    return false;
  }
  characters_.add(choice.token);
  history_.push_back(choice.token);
  result_.tokens.push_back(choice.token);
  result_.log_probs.push_back(choice.log_prob);
  const std::string_view shown = stream_.push(tokenizer_->token_bytes(choice.token));
  const bool go_on = shown.empty() || !on_text || on_text(shown);
  if (stream_.stopped()) {
    finish(FinishReason::kStop, on_text);
  } else if (!go_on) {
    finish(FinishReason::kCancelled, {});
  } else if (static_cast<int64_t>(result_.tokens.size()) >= options_->max_tokens) {
    finish(FinishReason::kLength, on_text);
  }
  return !finished();
}

void Sequence::finish(FinishReason reason, const std::function<bool(std::string_view)>& on_text) {
  finish_ = reason;
  const std::string_view rest = stream_.finish();
  if (on_text && !rest.empty()) on_text(rest);
}

Completion Sequence::take_result() {
  std::string_view text = stream_.text();
  if (characters_.is_held()) text.remove_suffix(static_cast<size_t>(incomplete_utf8_tail(text)));
  result_.text = text;
  result_.finish = finish_.value_or(FinishReason::kLength);
  return std::move(result_);
}

namespace {

// Of a prompt longer than the context. Where the text will outgrow the context in any case, room is
// left for one token only: what is written later sees the same either way.
size_t kept_of_prompt(size_t capacity, int64_t max_tokens) {
  const bool fits = max_tokens <= static_cast<int64_t>(capacity / 2);
  return std::max<size_t>(1, capacity - (fits ? static_cast<size_t>(max_tokens) : 1));
}

}  // namespace

std::vector<float> refill(Decoder& decoder, int64_t slot, const std::vector<TokenId>& history,
                          int64_t max_tokens, Window& window) {
  const auto capacity = static_cast<size_t>(decoder.capacity());
  if (history.size() - window.first > capacity) {
    const size_t keep = decoder.length(slot) == 0 ? kept_of_prompt(capacity, max_tokens)
                                                  : std::max<size_t>(1, capacity / 2);
    window.first = history.size() - keep;
    decoder.truncate(slot, 0);
  }
  const size_t held = static_cast<size_t>(decoder.length(slot));
  return decoder.prefill(slot, std::span(history).subspan(window.first + held));
}

}  // namespace inkstone
