// Conversations as ids: runs of text between special tokens, each encoded as one.
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "inkstone/turns.h"
#include "tokenizer/tokenizer_impl.h"

namespace inkstone {
namespace {

size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

}  // namespace

struct TurnEncoder::State {
  State(Tokenizer t, TurnTemplate turn_template)
      : tokenizer(std::move(t)), turns(std::move(turn_template)), encoder(tokenizer) {
    if (!tokenizer.end_of_text()) {
      fail(ErrorCode::kUsage,
           "the tokenizer has no end mark such as {}: a model could not learn where its turn ends",
           kEndOfText);
    }
    end_mark = *tokenizer.end_of_text();
  }

  void begin() {
    encoded = {};
    run.clear();
    add_literal(turns.begin);
  }

  // A text of the template.
  void add_literal(std::string_view text) {
    tokenizer.impl().special_tokens.split(
        text, [&](std::string_view part) { run += part; },
        [&](TokenId id, size_t) {
          flush();
          encoded.ids.push_back(id);
        });
  }

  void flush() {
    if (!run.empty()) encoder.encode(run, encoded.ids);
    run.clear();
  }

  void add_turn(const Turn& turn) {
    const TurnTemplate::Role* role = turns.find(turn.role);
    if (role == nullptr) {
      fail(ErrorCode::kInvalidData, "the role '{}' has no place in the template, which has {}",
           shown_text(turn.role), fmt::join(turns.role_names(), ", "));
    }
    add_literal(role->before);
    if (turn.role == kAssistant) {
      add_answer(turn.content);
    } else {
      run += turn.content;
    }
    add_literal(role->after);
  }

  // The run ends here: the end mark cuts it.
  void add_answer(std::string_view content) {
    const auto before = static_cast<int64_t>(encoded.ids.size());
    prompt.clear();
    if (!run.empty()) encoder.encode(run, prompt);
    run += content;
    flush();
    const auto joined = std::span<const TokenId>(encoded.ids).subspan(static_cast<size_t>(before));
    const size_t begin = common_prefix(prompt, joined);
    encoded.shared_tokens += begin < prompt.size() ? 1 : 0;
    encoded.ids.push_back(end_mark);
    if (content.empty()) return;
    encoded.trained.push_back(
        {before + static_cast<int64_t>(begin), static_cast<int64_t>(encoded.ids.size())});
  }

  Tokenizer tokenizer;
  TurnTemplate turns;
  StreamEncoder encoder;
  TokenId end_mark = 0;
  EncodedTurns encoded;
  std::string run;              // text behind the last special token, which has no ids yet
  std::vector<TokenId> prompt;  // of a run, without the answer
};

TurnEncoder::TurnEncoder(Tokenizer tokenizer, TurnTemplate turns)
    : state_(std::make_unique<State>(std::move(tokenizer), std::move(turns))) {}
TurnEncoder::~TurnEncoder() = default;
TurnEncoder::TurnEncoder(TurnEncoder&&) noexcept = default;

const TurnTemplate& TurnEncoder::turns() const { return state_->turns; }

EncodedTurns TurnEncoder::encode(std::span<const Turn> turns) {
  state_->begin();
  for (const Turn& turn : turns) state_->add_turn(turn);
  state_->flush();
  return std::move(state_->encoded);
}

std::vector<TokenId> TurnEncoder::encode_prompt(std::span<const Turn> turns) {
  state_->begin();
  for (const Turn& turn : turns) state_->add_turn(turn);
  state_->add_literal(state_->turns.find(kAssistant)->before);
  state_->flush();
  return std::move(state_->encoded.ids);
}

}  // namespace inkstone
