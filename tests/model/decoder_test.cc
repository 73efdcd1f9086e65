// Inference with a cache: equal to the full forward pass, independent of what runs beside it.
#include "model/decoder.h"

#include "golden.h"
#include "inkstone/model.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

class DecoderTest : public ::testing::Test {
 protected:
  DecoderTest()
      : model(Model::load(test::fixture("model/two_layers"))), V(model.config().vocab_size) {}

  // Logits after each token when a text is fed one token at a time.
  std::vector<float> one_by_one(Decoder& decoder, int64_t slot,
                                const std::vector<TokenId>& tokens) {
    std::vector<float> all;
    for (const TokenId token : tokens) {
      std::vector<float> logits(V);
      decoder.step(std::array{slot}, std::array{token}, logits);
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  }

  Model model;
  int64_t V;
  const std::vector<TokenId> text = {3, 96, 0, 17, 55, 3, 3, 41, 80, 9, 12};
};

TEST_F(DecoderTest, TokenByTokenEqualsWholeText) {
  Decoder decoder(*model.impl().network, 1, 16);
  const auto steps = one_by_one(decoder, 0, text);
  const auto whole = model.logits(text);
  // Two orders of summation of float32: a few roundings per layer.
  EXPECT_LT(test::relative_worst(steps, whole), 1e-5);
  EXPECT_EQ(decoder.length(0), static_cast<int64_t>(text.size()));
}

TEST(Decoder, TokenByTokenEqualsWholeTextOfEveryKindOfLayer) {
  for (const auto& folder : test::golden_folders()) {
    for (const ComputeType compute : {ComputeType::kF32, ComputeType::kBF16}) {
      const Model model = Model::load(folder, {.compute = compute});
      const std::vector<TokenId> text = {3, 0, 17, 5, 3};
      Decoder decoder(*model.impl().network, 1, 5);
      std::vector<float> steps, logits(model.config().vocab_size);
      for (const TokenId token : text) {
        decoder.step(std::array{int64_t{0}}, std::array{token}, logits);
        steps.insert(steps.end(), logits.begin(), logits.end());
      }
      EXPECT_LT(test::relative_worst(steps, model.logits(text)),
                compute == ComputeType::kF32 ? 1e-5 : 4 * 0x1p-8)
          << folder;
    }
  }
}

TEST_F(DecoderTest, PrefillInTwoPartsEqualsWholeText) {
  Decoder decoder(*model.impl().network, 2, 16);
  decoder.prefill(1, std::span(text).first(4));
  std::vector<float> rest;
  const auto last = decoder.prefill(1, std::span(text).subspan(4), &rest);
  const auto whole = model.logits(text);
  EXPECT_LT(test::relative_worst(rest, {whole.begin() + 4 * V, whole.end()}), 1e-5);
  EXPECT_EQ(last, std::vector<float>(rest.end() - V, rest.end()));
}

TEST_F(DecoderTest, ASlotDoesNotDependOnTheOthers) {
  Decoder alone(*model.impl().network, 1, 16), many(*model.impl().network, 5, 16);
  alone.prefill(0, text);
  many.prefill(3, text);
  many.prefill(0, std::span(text).first(2));
  many.prefill(4, std::span(text).first(7));
  std::vector<float> a(V), b(3 * V);
  alone.step(std::array<int64_t, 1>{0}, std::array<TokenId, 1>{8}, a);
  many.step(std::array<int64_t, 3>{4, 3, 0}, std::array<TokenId, 3>{1, 8, 2}, b);
  EXPECT_EQ(a, std::vector<float>(b.begin() + V, b.begin() + 2 * V));  // bit for bit
}

TEST_F(DecoderTest, ForkAndTruncate) {
  Decoder decoder(*model.impl().network, 2, 16);
  decoder.prefill(0, text);
  decoder.fork(0, 1);
  decoder.truncate(0, 5);
  std::vector<float> forked(V), expected(V), shortened(V);
  decoder.step(std::array<int64_t, 1>{1}, std::array<TokenId, 1>{8}, forked);
  decoder.step(std::array<int64_t, 1>{0}, std::array<TokenId, 1>{8}, shortened);
  Decoder fresh(*model.impl().network, 1, 16);
  fresh.prefill(0, text);
  fresh.step(std::array<int64_t, 1>{0}, std::array<TokenId, 1>{8}, expected);
  EXPECT_EQ(forked, expected);
  std::vector<TokenId> prefix(text.begin(), text.begin() + 5);
  prefix.push_back(8);
  const auto whole = model.logits(prefix);
  EXPECT_LT(test::relative_worst(shortened, {whole.end() - V, whole.end()}), 1e-5);
}

TEST_F(DecoderTest, RefusesWhatDoesNotFit) {
  Network& network = *model.impl().network;
  EXPECT_EQ(test::thrown_by([&] { Decoder(network, 1, 17); }).code(), ErrorCode::kUsage);
  Decoder decoder(network, 1, 4);
  EXPECT_EQ(test::thrown_by([&] { decoder.prefill(0, text); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([&] { decoder.prefill(0, std::array<TokenId, 1>{97}); }).code(),
            ErrorCode::kMismatch);
  EXPECT_EQ(test::thrown_by([&] { decoder.prefill(0, std::array<TokenId, 1>{-1}); }).code(),
            ErrorCode::kMismatch);
  decoder.prefill(0, std::span(text).first(4));
  std::vector<float> logits(V);
  EXPECT_EQ(test::thrown_by([&] {
              decoder.step(std::array<int64_t, 1>{0}, std::array<TokenId, 1>{1}, logits);
            }).code(),
            ErrorCode::kUsage);
}

// log P(completion | context) from the softmax of the logits, in double.
std::vector<double> expected_scores(const Model& model, const std::vector<TokenId>& text,
                                    size_t from) {
  const auto logits = model.logits(std::span(text).first(text.size() - 1));
  const int64_t V = model.config().vocab_size;
  std::vector<double> scores;
  for (size_t i = from; i < text.size(); ++i) {
    const float* row = logits.data() + static_cast<int64_t>(i - 1) * V;
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) sum += std::exp(double{row[v]});
    scores.push_back(double{row[text[i]]} - std::log(sum));
  }
  return scores;
}

TEST_F(DecoderTest, ScoreIsTheLogProbabilityOfEveryToken) {
  const auto expected = expected_scores(model, text, 3);
  const auto scores = model.score(std::span(text).first(3), std::span(text).subspan(3));
  ASSERT_EQ(scores.size(), expected.size());
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5) << i;
}

TEST_F(DecoderTest, ScoreOfALongTextUsesOverlappingWindows) {
  std::vector<TokenId> longer;
  for (int i = 0; i < 61; ++i) longer.push_back((i * i + 5 * i) % 97);
  const auto scores = model.score(std::span(longer).first(20), std::span(longer).subspan(20));
  ASSERT_EQ(scores.size(), 41u);
  // Context 16: the first scored token has at least half a window of history.
  const std::vector<TokenId> first(longer.begin() + 12, longer.begin() + 21);
  EXPECT_NEAR(scores[0], expected_scores(model, first, first.size() - 1)[0], 1e-5);
  // The last window is a whole one that ends with the text.
  const std::vector<TokenId> last(longer.end() - 17, longer.end());
  EXPECT_NEAR(scores.back(), expected_scores(model, last, last.size() - 1)[0], 1e-5);
}

TEST_F(DecoderTest, ScoreNeedsSomethingToConditionOn) {
  EXPECT_EQ(test::thrown_by([&] { model.score({}, text); }).code(), ErrorCode::kUsage);
  EXPECT_TRUE(model.score(text, {}).empty());
}

}  // namespace
}  // namespace inkstone
