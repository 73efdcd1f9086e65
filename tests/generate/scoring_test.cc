// Scores of texts: log P(completion | context) through the engine.
#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "engine_requests.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

std::vector<TokenId> some_tokens(size_t count, int64_t vocab_size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens)
    token = static_cast<TokenId>(random() % static_cast<uint32_t>(vocab_size));
  return tokens;
}

// The same from the softmax of the logits of all of it, in double.
TextScore plain_score(const Model& model, const TextToScore& text) {
  std::vector<TokenId> all = text.context;
  all.insert(all.end(), text.completion.begin(), text.completion.end());
  const auto logits = model.logits(std::span(all).first(all.size() - 1));
  const auto V = static_cast<size_t>(model.config().vocab_size);
  TextScore score;
  for (size_t i = text.context.size(); i < all.size(); ++i) {
    const auto row = std::span(logits).subspan((i - 1) * V, V);
    double sum = 0;
    for (const float x : row) sum += std::exp(double{x});
    score.log_probs.push_back(double{row[static_cast<size_t>(all[i])]} - std::log(sum));
    const auto best = std::ranges::max_element(row) - row.begin();
    score.is_greedy = score.is_greedy && best == all[i];
  }
  return score;
}

TextScore score_alone(Generator& generator, const TextToScore& text) {
  return generator.score({&text, 1}).front();
}

// A loss is computed in float32, of numbers below 16: half a unit in the last place is 5e-7, and
// the sum of 257 exponentials adds less than 257 * 2^-24 relative, 1.6e-5.
constexpr double kRounding = 2e-5;

TEST(Scoring, IsTheLogProbabilityOfEveryToken) {
  Generator generator = long_generator();
  const int64_t V = generator.model().config().vocab_size;
  const TextToScore text = {some_tokens(7, V, 1), some_tokens(30, V, 2)};
  const TextScore score = score_alone(generator, text),
                  plain = plain_score(generator.model(), text);
  ASSERT_EQ(score.log_probs.size(), 30u);
  for (size_t i = 0; i < 30; ++i)
    EXPECT_NEAR(score.log_probs[i], plain.log_probs[i], kRounding) << i;
  EXPECT_FALSE(score.is_greedy);
  EXPECT_EQ(score.log_prob(), std::accumulate(score.log_probs.begin(), score.log_probs.end(), 0.0));
}

TEST(Scoring, SaysWhetherGreedyDecodingWouldHaveWrittenIt) {
  Generator generator = long_generator();
  const auto completions = generator.generate(
      std::array<std::string, 1>{"one text"},
      {.sampling = {.temperature = 0}, .max_tokens = 12, .whole_characters = false});
  TextToScore text = {generator.prompt_tokens("one text", SpecialTokens::kAsText),
                      completions.front().tokens};
  ASSERT_EQ(text.completion.size(), 12u);
  EXPECT_TRUE(score_alone(generator, text).is_greedy);
  for (size_t i = 0; i < text.completion.size(); ++i) {
    TextToScore other = text;
    other.completion[i] = (other.completion[i] + 1) % 256;
    EXPECT_FALSE(score_alone(generator, other).is_greedy) << i;
  }
}

// Where every logit is the same, the lowest id is the greedy one.
TEST(Scoring, OfEqualLogitsTheLowestIdIsGreedy) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  Generator generator(Model::create({.layers = 1,
                                     .heads = 1,
                                     .width = 16,
                                     .context = 8,
                                     .vocab_size = tokenizer.vocab_size(),
                                     .initializer_range = 0},
                                    1),
                      tokenizer);
  EXPECT_TRUE(score_alone(generator, {{5}, {0, 0}}).is_greedy);
  EXPECT_FALSE(score_alone(generator, {{5}, {0, 1}}).is_greedy);
}

// Behind the first window every token has at least half a context before it, and the last window is
// a whole one that ends with the text.
TEST(Scoring, ALongTextIsReadInWindowsThatOverlapByHalf) {
  Generator generator = long_generator();
  const Model& model = generator.model();
  const int64_t V = model.config().vocab_size;
  const TextToScore text = {some_tokens(60, V, 3), some_tokens(101, V, 4)};
  std::vector<TokenId> all = text.context;
  all.insert(all.end(), text.completion.begin(), text.completion.end());
  const TextScore score = score_alone(generator, text);
  ASSERT_EQ(score.log_probs.size(), 101u);
  const auto expect_window = [&](size_t begin, size_t next, size_t end) {
    const TextToScore window = {{all.begin() + begin, all.begin() + next},
                                {all.begin() + next, all.begin() + end + 1}};
    const TextScore plain = plain_score(model, window);
    for (size_t i = next; i <= end; ++i)
      EXPECT_NEAR(score.log_probs[i - 60], plain.log_probs[i - next], kRounding) << i;
  };
  expect_window(36, 60, 84);  // 48 inputs, 24 of them before the first score
  expect_window(61, 85, 109);
  expect_window(86, 110, 134);
  expect_window(111, 135, 159);
  expect_window(112, 160, 160);
}

// A score depends on its own text alone: not on company, order, chunks, threads, or what a cache
// holds.
TEST(Scoring, IsTheSameBitsInAnyCompany) {
  Generator one = long_generator(1), three = long_generator(3);
  const int64_t V = one.model().config().vocab_size;
  std::mt19937 random(9);
  std::vector<TextToScore> texts;
  const auto shared = some_tokens(40, V, 5);
  for (uint32_t i = 0; i < 40; ++i) {
    TextToScore text = {some_tokens(1 + random() % 60, V, 100 + i),
                        some_tokens(random() % 90, V, 200 + i)};
    if (i % 2 == 0) text.context.assign(shared.begin(), shared.begin() + 1 + random() % 40);
    texts.push_back(std::move(text));
  }
  std::vector<TextScore> alone;
  for (const TextToScore& text : texts) alone.push_back(score_alone(one, text));
  const auto expect_same = [&](const std::vector<TextScore>& scores) {
    ASSERT_EQ(scores.size(), alone.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      EXPECT_EQ(scores[i].log_probs, alone[i].log_probs) << i;
      EXPECT_EQ(scores[i].is_greedy, alone[i].is_greedy) << i;
    }
  };
  for (const int64_t parallel : {0, 1, 5}) {
    expect_same(one.score(texts, parallel));
    expect_same(three.score(texts, parallel));
  }
  // In small chunks, beside a text that is written.
  Engine engine(three, {.kept_tokens = 100, .max_sequences = 6, .prompt_rows = 5});
  std::vector<TextScore> scores(texts.size());
  Outcome written;
  submit(engine, {.prompt = "a text", .options = {.max_tokens = 60}}, written);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].completion.empty()) continue;
    engine.submit(ScoreRequest{.text = texts[i],
                               .on_end = [&scores, i](TextScore score, std::exception_ptr error) {
                                 EXPECT_FALSE(error);
                                 scores[i] = std::move(score);
                               }});
  }
  finish(engine);
  expect_same(scores);
  EXPECT_TRUE(written.ended);
  EXPECT_GT(engine.state().reused_tokens, 0);
}

TEST(Scoring, NeedsSomethingToConditionOn) {
  Generator generator = long_generator();
  const auto V = static_cast<TokenId>(generator.model().config().vocab_size);
  EXPECT_EQ(test::thrown_by([&] { score_alone(generator, {{}, {1}}); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([&] {
              score_alone(generator, {{1}, {V}});
            }).code(),
            ErrorCode::kMismatch);
  EXPECT_EQ(test::thrown_by([&] {
              score_alone(generator, {{-1}, {1}});
            }).code(),
            ErrorCode::kMismatch);
  EXPECT_TRUE(score_alone(generator, {{1}, {}}).log_probs.empty());
  EXPECT_TRUE(generator.score({}).empty());
  Engine engine(generator);
  EXPECT_EQ(test::thrown_by([&] {
              engine.submit(ScoreRequest{.text = {{1}, {}}});
            }).code(),
            ErrorCode::kUsage);
}

TEST(Scoring, OneThatIsCancelledHasNoScore) {
  Generator generator = long_generator();
  const int64_t V = generator.model().config().vocab_size;
  Engine engine(generator, {.kept_tokens = 0, .prompt_rows = 16});
  int ended = 0;
  const RequestId id = engine.submit(
      ScoreRequest{.text = {some_tokens(5, V, 6), some_tokens(200, V, 7)},
                   .on_end = [&](TextScore score, std::exception_ptr error) {
                     ++ended;
                     EXPECT_FALSE(error);
                     EXPECT_TRUE(score.log_probs.empty());
                   }});
  EXPECT_TRUE(engine.step());
  engine.cancel(id);
  finish(engine);
  EXPECT_EQ(ended, 1);
  expect_all_free(engine);
}

TEST(Scoring, DamagedWeightsAreAnErrorOfTheirOwn) {
  Generator generator = long_generator();
  Network& network = *generator.model().impl().network;
  const float nan = NAN;
  network.backend().copy_from_host(
      &nan, View{network.master(network.table().ln_f_weight()).data, DType::kF32, {1}});
  const Error error = test::thrown_by([&] { score_alone(generator, {{1}, {2}}); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_NE(std::string(error.what()).find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace inkstone
