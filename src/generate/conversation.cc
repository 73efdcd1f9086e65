// A text that user and model write in turn.
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "generate/engine_impl.h"
#include "generate/generator_impl.h"
#include "inkstone/engine.h"
#include "inkstone/generator.h"

namespace inkstone {

struct Conversation::Impl {
  Impl(Generator& g, std::optional<TurnTemplate> turn_template)
      : generator(g),
        engine(g, {.kept_tokens = 2 * g.model().config().context, .max_sequences = 1}) {
    if (turn_template) encoder.emplace(g.tokenizer(), *std::move(turn_template));
  }

  // As the template has it, up to where the reply of the last turn begins.
  std::vector<TokenId> history_in_turns() {
    std::vector<inkstone::Turn> texts;
    for (size_t i = 0; i < turns.size(); ++i) {
      texts.push_back({std::string(kUser), turns[i].user});
      if (i + 1 < turns.size()) texts.push_back({std::string(kAssistant), turns[i].reply});
    }
    const std::vector<TokenId> tokens = encoder->encode_prompt(texts);
    return tokens.empty() ? generator.prompt_tokens("", SpecialTokens::kAsText) : tokens;
  }

  // The whole text up to and with the user's part of the last turn, as tokens. Each part is encoded
  // by itself, so that earlier tokens never change when text is added.
  std::vector<TokenId> history(SpecialTokens special) {
    if (encoder) return history_in_turns();
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
    if ((encoder || !turns.empty()) && user_text.empty()) return;
    generator.prompt_tokens(user_text, special);
  }

  // The engine keeps the text: a turn begins where the last one ended. Where the window begins
  // depends on the history and max_tokens alone and not on the way that led to it: a conversation
  // that was loaded goes on from the same window as the one that was saved.
  Completion write(const GenerateOptions& options, const OnText& on_text) {
    Turn& turn = turns.back();
    const auto outcome = std::make_shared<Outcome>();  // the engine may have the task for longer
    SamplingTask task{.prompt = history(options.special),
                      .seed_text = turn.user,
                      .first_sample = static_cast<int64_t>(turns.size() * 1000 + retries),
                      .options = options,
                      .characters = generator.impl().characters_for(turn.user, options)};
    task.options.samples = 1;
    if (on_text) {
      task.on_text = [on_text](int64_t, std::string_view text) { return on_text(0, 0, text); };
    }
    task.on_end = [outcome](std::vector<Completion> completions, std::exception_ptr what) {
      if (!completions.empty()) outcome->reply = std::move(completions.front());
      outcome->error = what;
    };
    run(engine.impl().submit(std::move(task)));
    if (outcome->error) std::rethrow_exception(outcome->error);
    turn.reply = outcome->reply.text;
    return std::move(outcome->reply);
  }

  // To the end. A step that throws leaves no request behind that a later one would go on with: what
  // its callbacks refer to may be gone then.
  void run(RequestId request) {
    try {
      while (engine.step()) {
      }
    } catch (...) {
      engine.cancel(request);
      throw;
    }
  }

  // What came of a request; it is cancelled before it wrote a word until it says more.
  struct Outcome {
    Outcome() { reply.finish = FinishReason::kCancelled; }
    Completion reply;
    std::exception_ptr error;
  };

  Generator& generator;
  Engine engine;
  std::optional<TurnEncoder> encoder;  // with a template
  std::vector<Turn> turns;
  int64_t retries = 0;
};

Conversation::Conversation(Generator& generator, std::optional<TurnTemplate> turns)
    : impl_(std::make_unique<Impl>(generator, std::move(turns))) {}
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
