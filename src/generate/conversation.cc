// A text that user and model write in turn.
#include <algorithm>

#include "base/error.h"
#include "generate/generator_impl.h"
#include "generate/sequence.h"
#include "inkstone/generator.h"
#include "model/decoder.h"

namespace inkstone {

struct Conversation::Impl {
  explicit Impl(Generator& g)
      : generator(g), decoder(*g.model().impl().network, 1, g.model().config().context) {}

  // The whole text up to and with the user's part of the last turn, as tokens. Each part is encoded
  // by itself, so that earlier tokens never change when text is added.
  std::vector<TokenId> history(SpecialTokens special) const {
    // What a model wrote is not refused.
    const auto of_reply = special == SpecialTokens::kAllow ? special : SpecialTokens::kAsText;
    std::vector<TokenId> tokens;
    const auto append = [&](std::string_view text, SpecialTokens policy) {
      const auto part = generator.tokenizer().encode(text, policy);
      tokens.insert(tokens.end(), part.begin(), part.end());
    };
    for (size_t i = 0; i < turns.size(); ++i) {
      append(turns[i].user, special);
      if (i + 1 < turns.size()) append(turns[i].reply, of_reply);
    }
    return tokens.empty() ? generator.prompt_tokens("", special) : tokens;
  }

  // Throws as Generator::prompt_tokens, before anything changes.
  void check(std::string_view user_text, SpecialTokens special) const {
    if (!turns.empty() && user_text.empty()) return;
    generator.prompt_tokens(user_text, special);
  }

  // Keeps of the slot what is a prefix of the history; at least the last token is fed anew. Where
  // the window begins depends on the history and max_tokens alone and not on the way that led to
  // it: a conversation that was loaded goes on from the same window as the one that was saved.
  std::vector<float> feed(const std::vector<TokenId>& history, int64_t max_tokens) {
    const bool fits = history.size() <= static_cast<size_t>(decoder.capacity());
    size_t same = 0;
    if (fits && window.first == 0) {
      const size_t most = std::min(held.size(), history.size() - 1);
      while (same < most && held[same] == history[same]) ++same;
    }
    window.first = 0;
    decoder.truncate(0, static_cast<int64_t>(same));
    return feed_rest(history, max_tokens);
  }

  std::vector<float> feed_rest(const std::vector<TokenId>& history, int64_t max_tokens) {
    auto logits = refill(decoder, 0, history, max_tokens, window);
    held.assign(history.begin() + static_cast<int64_t>(window.first), history.end());
    return logits;
  }

  Completion write(const GenerateOptions& options, const OnText& on_text) {
    Turn& turn = turns.back();
    auto tokens = history(options.special);
    const size_t prompt_tokens = tokens.size();
    const uint64_t seed = sequence_seed(options.seed, turn.user,
                                        static_cast<int64_t>(turns.size() * 1000 + retries));
    const auto shown = [&](std::string_view text) { return !on_text || on_text(0, 0, text); };
    auto logits = feed(tokens, options.max_tokens);
    const size_t prompt_first = window.first;
    Sequence sequence(generator.tokenizer(), options,
                      generator.impl().characters_for(turn.user, options), seed, std::move(tokens));
    while (sequence.take(sequence.choose(logits), shown)) {
      if (decoder.length(0) >= decoder.capacity()) {
        logits = feed_rest(sequence.history(), options.max_tokens);
        continue;
      }
      const TokenId token = sequence.last_token();
      logits.resize(generator.model().config().vocab_size);
      decoder.step(std::array<int64_t, 1>{0}, std::array<TokenId, 1>{token}, logits);
      held.push_back(token);
    }
    Completion result = sequence.take_result();
    result.prompt_tokens = static_cast<int64_t>(prompt_tokens);
    result.prompt_tokens_kept = static_cast<int64_t>(prompt_tokens - prompt_first);
    turn.reply = result.text;
    return result;
  }

  Generator& generator;
  Decoder decoder;
  Window window;
  std::vector<TokenId> held;  // tokens of the slot
  std::vector<Turn> turns;
  int64_t retries = 0;
};

Conversation::Conversation(Generator& generator) : impl_(std::make_unique<Impl>(generator)) {}
Conversation::~Conversation() = default;

Completion Conversation::reply(std::string_view user_text, const GenerateOptions& options,
                               const OnText& on_text) {
  validate(options);
  impl_->check(user_text, options.special);
  impl_->retries = 0;
  impl_->turns.push_back({std::string(user_text), {}});
  return impl_->write(options, on_text);
}

Completion Conversation::retry(const GenerateOptions& options, const OnText& on_text) {
  validate(options);
  if (impl_->turns.empty()) fail(ErrorCode::kUsage, "there is no reply to write again");
  ++impl_->retries;
  impl_->turns.back().reply.clear();
  return impl_->write(options, on_text);
}

bool Conversation::undo() {
  if (impl_->turns.empty()) return false;
  impl_->turns.pop_back();
  impl_->retries = 0;
  return true;
}

void Conversation::clear() {
  impl_->turns.clear();
  impl_->retries = 0;
}

const std::vector<Conversation::Turn>& Conversation::turns() const { return impl_->turns; }

void Conversation::restore(std::vector<Turn> turns) {
  impl_->turns = std::move(turns);
  impl_->retries = 0;
}

}  // namespace inkstone
