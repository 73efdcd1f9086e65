// Requests as tokens, and the model's answers against lm-eval's.
#include "evaluate/scoring.h"

#include <gtest/gtest.h>

#include "lm_eval_runs.h"

namespace inkstone::evaluate {
namespace {

using Ids = std::vector<TokenId>;
using test::mentions;
using test::thrown_by;

constexpr auto kRules = Protocol::kLmEval;

// Bytes by their own numbers behind one special token: 0, and 1 + the place in GPT-2's order.
const Tokenizer& bytes() {
  static const Tokenizer tokenizer = [] {
    bool done = false;
    const auto next = [&]() -> std::optional<std::string> {
      return std::exchange(done, true) ? std::nullopt : std::optional("x");
    };
    return Tokenizer::train(next, {.type = TokenizerType::kByte});
  }();
  return tokenizer;
}

Ids ids(std::string_view text) { return bytes().encode(text); }

TextToScore encoded(const std::string& context, const std::string& continuation,
                    int64_t context_length = 100) {
  return encode_request(bytes(), kRules, {context, continuation}, context_length);
}

TEST(EncodeRequest, BlanksBelongToTheContinuation) {
  EXPECT_EQ(encoded("ab \u00A0", "c").context, ids("ab"));
  EXPECT_EQ(encoded("ab \u00A0", "c").completion, ids(" \u00A0c"));
}

TEST(EncodeRequest, AnEmptyContextIsTheBeginningOfAText) {
  const Ids begin = {*bytes().begin_of_text()};
  EXPECT_EQ(encoded("", "ab").context, begin);
  EXPECT_EQ(encoded("", "ab").completion, ids("ab"));
  EXPECT_EQ(encoded(" ", "ab").completion, ids(" ab"));
  EXPECT_EQ(encoded("", "<|endoftext|>a").context, begin) << "and not twice";
  EXPECT_EQ(encoded("", "<|endoftext|>a").completion, ids("a"));
}

TEST(EncodeRequest, TheLastTokensAreKept) {
  EXPECT_EQ(encoded("abcdef", "gh", 4).context, ids("def"));
  EXPECT_EQ(encoded("abcdef", "gh", 8).context, ids("abcdef"));
  EXPECT_EQ(encoded("abcdef", "gh", 2).context, ids("f"));
  const Error error = thrown_by([] { encoded("a", "bcde", 3); });
  EXPECT_TRUE(mentions(error, "has 4 tokens, expected 1 to 3"));
  EXPECT_TRUE(mentions(thrown_by([] { encoded("a", ""); }), "has 0 tokens"));
}

// With merges the ids of context and continuation are not those of the whole.
TEST(EncodeRequest, IdsAreCutFromThoseOfTheWhole) {
  const Tokenizer bpe = Tokenizer::load(test::fixture("evaluate/model"));
  const std::string context = "the old mil", continuation = "ler sold";
  const Ids whole = bpe.encode(context + continuation), before = bpe.encode(context);
  const TextToScore together = encode_request(bpe, kRules, {context, continuation}, 64);
  EXPECT_EQ(together.context, Ids(whole.begin(), whole.begin() + std::ssize(before)));
  EXPECT_EQ(together.completion, Ids(whole.begin() + std::ssize(before), whole.end()));
  const TextToScore apart = encode_request(bpe, Protocol::kLlmC, {context, continuation}, 64);
  EXPECT_EQ(apart.context, before);
  EXPECT_EQ(apart.completion, bpe.encode(continuation));
  EXPECT_NE(apart.completion, together.completion);
}

TEST(EncodePage, WindowsPredictEveryTokenOnce) {
  const TokenId begin = *bytes().begin_of_text();
  const auto windows = encode_page(bytes(), "abcdefghijk", 4);
  ASSERT_EQ(windows.size(), 3u);
  EXPECT_EQ(windows[0].context, Ids{begin});
  EXPECT_EQ(windows[0].completion, ids("abcd"));
  EXPECT_EQ(windows[1].context, ids("d"));
  EXPECT_EQ(windows[1].completion, ids("efgh"));
  EXPECT_EQ(windows[2].context, ids("gh"));  // 5 tokens together, as in every window
  EXPECT_EQ(windows[2].completion, ids("ijk"));
  EXPECT_TRUE(encode_page(bytes(), "", 4).empty());
  EXPECT_EQ(encode_page(bytes(), "ab", 4).at(0).context, Ids{begin});
}

class Answers : public ::testing::TestWithParam<LmEvalRun> {};
INSTANTIATE_TEST_SUITE_P(LmEval, Answers, ::testing::ValuesIn(lm_eval_runs()),
                         [](const auto& test) { return test.param.name(); });

// Within 1e-4 nats, and greedy where lm-eval says so.
TEST_P(Answers, AreLmEvals) {
  Generator generator = fixture_generator();
  const Task& task = find_task(GetParam().task, kRules);
  for (const LoggedSample& sample : samples_of(GetParam())) {
    const auto answers = answer_requests(generator, kRules, task.kind, sample.requests);
    ASSERT_EQ(answers.size(), sample.answers.size());
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_NEAR(answers[i].log_prob, sample.answers[i].log_prob, 1e-4)
          << "line " << sample.line << ", request " << i;
      EXPECT_TRUE(sample.is_page || answers[i].greedy == sample.answers[i].greedy)
          << "line " << sample.line << ", request " << i;
    }
  }
}

TEST(AnswersOfABatch, AreThoseOfEachAlone) {
  Generator generator = fixture_generator();
  std::vector<Request> requests;
  for (const LoggedSample& sample : samples_of({"hellaswag", 0})) {
    requests.insert(requests.end(), sample.requests.begin(), sample.requests.end());
  }
  int64_t told = 0;
  const auto together = answer_requests(generator, kRules, RequestKind::kChoice, requests,
                                        [&](int64_t done, int64_t) { told = done; });
  EXPECT_EQ(told, std::ssize(requests));
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto alone = answer_requests(generator, kRules, RequestKind::kChoice, {&requests[i], 1});
    EXPECT_EQ(alone[0].log_prob, together[i].log_prob) << i;
    EXPECT_EQ(alone[0].tokens, together[i].tokens) << i;
  }
}

}  // namespace
}  // namespace inkstone::evaluate
