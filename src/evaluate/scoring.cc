#include "evaluate/scoring.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "evaluate/python_text.h"

namespace inkstone::evaluate {
namespace {

// Of the ids of a whole text the first `context` are given, the rest is asked for.
TextToScore split_ids(std::vector<TokenId> ids, size_t context) {
  const auto middle = ids.begin() + static_cast<ptrdiff_t>(std::min(context, ids.size()));
  return {.context = {ids.begin(), middle}, .completion = {middle, ids.end()}};
}

// Behind an empty context.
TextToScore from_the_beginning(const Tokenizer& tokenizer, std::string_view continuation) {
  std::vector<TokenId> ids = tokenizer.encode(continuation, SpecialTokens::kAllow);
  const TokenId first = first_token(tokenizer);
  if (ids.empty() || ids[0] != first) ids.insert(ids.begin(), first);
  return split_ids(std::move(ids), 1);
}

TextToScore encode_as_lm_eval(const Tokenizer& tokenizer, const Request& request) {
  const std::string text = request.context + request.continuation;
  const size_t end = context_end(request.context);
  if (end == 0) return from_the_beginning(tokenizer, text);
  const size_t length = tokenizer.encode(request.context.substr(0, end), SpecialTokens::kAllow)
                            .size();
  return split_ids(tokenizer.encode(text, SpecialTokens::kAllow), length);
}

TextToScore encode_apart(const Tokenizer& tokenizer, const Request& request) {
  TextToScore pair = {.context = tokenizer.encode(request.context),
                      .completion = tokenizer.encode(request.continuation)};
  if (pair.context.empty()) pair.context = {first_token(tokenizer)};
  return pair;
}

// Pairs that wait to be scored together, and whose answers they are parts of.
class Batch {
 public:
  Batch(Generator& generator, std::vector<Answer>& answers)
      : generator_(generator), answers_(answers) {}

  bool is_full() const { return tokens_ >= kBatch_tokens; }

  void add(size_t answer, TextToScore pair) {
    tokens_ += pair.context.size() + pair.completion.size();
    pairs_.push_back(std::move(pair));
    owners_.push_back(answer);
  }

  void score() {
    const std::vector<TextScore> scores = generator_.score(pairs_);
    for (size_t i = 0; i < scores.size(); ++i) {
      Answer& answer = answers_[owners_[i]];
      for (const double log_prob : scores[i].log_probs) answer.log_prob += log_prob;
      answer.greedy = answer.greedy && scores[i].is_greedy;
      answer.tokens += static_cast<int64_t>(scores[i].log_probs.size());
    }
    pairs_.clear(), owners_.clear(), tokens_ = 0;
  }

 private:
  // Enough to fill the engine's passes many times over, few enough to tell the progress.
  static constexpr size_t kBatch_tokens = 16384;

  Generator& generator_;
  std::vector<Answer>& answers_;
  std::vector<TextToScore> pairs_;
  std::vector<size_t> owners_;
  size_t tokens_ = 0;
};

std::vector<TextToScore> windows_of(const Generator& generator, Protocol protocol, RequestKind kind,
                                    const Request& request) {
  const int64_t context = generator.model().config().context;
  if (kind == RequestKind::kPage) {
    return encode_page(generator.tokenizer(), request.continuation, context);
  }
  return {encode_request(generator.tokenizer(), protocol, request, context)};
}

}  // namespace

TokenId first_token(const Tokenizer& tokenizer) {
  if (const auto begin = tokenizer.begin_of_text()) return *begin;
  fail(
      ErrorCode::kUsage,
      "there is nothing that the first token could follow: the context is empty, and the model has "
      "no token that begins a text (bos_token or eos_token in tokenizer_config.json, or their ids "
      "in config.json)");
}

size_t context_end(std::string_view context) { return python_rstrip(context).size(); }

TextToScore encode_request(const Tokenizer& tokenizer, Protocol protocol, const Request& request,
                           int64_t context_length) {
  TextToScore pair = protocol == Protocol::kLlmC ? encode_apart(tokenizer, request)
                                                 : encode_as_lm_eval(tokenizer, request);
  const auto length = static_cast<int64_t>(pair.completion.size());
  if (length == 0 || length > context_length) {
    fail(ErrorCode::kInvalidData,
         "the continuation '{}' has {} tokens, expected 1 to {}, the model's context",
         request.continuation, length, context_length);
  }
  const auto kept = static_cast<size_t>(context_length + 1 - length);
  if (pair.context.size() > kept) {
    pair.context.erase(pair.context.begin(), pair.context.end() - static_cast<ptrdiff_t>(kept));
  }
  return pair;
}

std::vector<TextToScore> encode_page(const Tokenizer& tokenizer, std::string_view text,
                                     int64_t context_length) {
  std::vector<TokenId> ids = tokenizer.encode(text, SpecialTokens::kAllow);
  std::vector<TextToScore> windows;
  if (ids.empty()) return windows;
  ids.insert(ids.begin(), first_token(tokenizer));
  const auto context = static_cast<size_t>(context_length);
  for (size_t begin = 1; begin < ids.size();) {
    const size_t end = std::min(begin + context, ids.size());
    const size_t from = end > context ? end - context - 1 : 0;
    const auto at = [&](size_t i) { return ids.begin() + static_cast<ptrdiff_t>(i); };
    windows.push_back({.context = {at(from), at(begin)}, .completion = {at(begin), at(end)}});
    begin = end;
  }
  return windows;
}

std::vector<Answer> answer_requests(Generator& generator, Protocol protocol, RequestKind kind,
                                    std::span<const Request> requests,
                                    const OnProgress& on_progress) {
  std::vector<Answer> answers(requests.size(), {.greedy = true});
  Batch batch(generator, answers);
  for (size_t i = 0; i < requests.size(); ++i) {
    for (TextToScore& pair : windows_of(generator, protocol, kind, requests[i])) {
      batch.add(i, std::move(pair));
    }
    if (!batch.is_full() && i + 1 < requests.size()) continue;
    batch.score();
    if (on_progress) {
      on_progress(static_cast<int64_t>(i + 1), static_cast<int64_t>(requests.size()));
    }
  }
  return answers;
}

}  // namespace inkstone::evaluate
