// Losses that do not depend on the vocabulary, and vocabularies that do not suit a text.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "corpus.h"
#include "corpus/load/text_rates.h"
#include "train/vocabulary_fit.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

std::string verses(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += std::to_string(i) + " 床前明月光，疑是地上霜🙂。naïve\n<|endoftext|>\n";
  return text;
}

Tokenizer learnt_from(const std::string& text, TokenizerType type, int64_t vocab_size = 300) {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional(text);
      },
      {.type = type, .vocab_size = vocab_size});
}

class LossPerTextTest : public ::testing::Test {
 protected:
  std::vector<nlohmann::json> metrics(const std::string& run) const {
    std::ifstream file(scratch / run / "metrics.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  // Text of val tokens 1 .. count, without end marks, and how many tokens these are.
  std::pair<std::string, int64_t> predicted(const std::string& data, const Tokenizer& tokenizer,
                                            int64_t most) const {
    const TokenStream stream(scratch / data, "val");
    std::vector<TokenId> ids(static_cast<size_t>(std::min(stream.count() - 1, most)));
    stream.read(1, ids);
    const auto count = static_cast<int64_t>(ids.size());
    std::erase(ids, *tokenizer.end_of_text());
    return {tokenizer.decode(ids), count};
  }

  const test::ScratchFolder scratch;
};

TEST_F(LossPerTextTest, IsThatOfTheTextThatIsEvaluated) {
  for (const TokenizerType type :
       {TokenizerType::kBpe, TokenizerType::kChar, TokenizerType::kByte}) {
    const std::string name = "data" + std::to_string(static_cast<int>(type));
    const Tokenizer tokenizer = learnt_from(verses(90), type);
    test::prepare_text(scratch / name, verses(90), tokenizer);
    for (const int64_t most : {int64_t{0}, int64_t{37}}) {
      TrainOptions o = test::tiny_run(scratch / name,
                                      scratch / (name + "_" + std::to_string(most)));
      o.eval_tokens = most;
      o.steps = 10;
      TrainObserver observer;
      std::optional<StepReport> reported;
      observer.on_step = [&](const StepReport& r) {
        if (r.val_loss) reported = r;
      };
      const TrainResult result = train(o, observer);
      const auto [text, tokens] = predicted(name, tokenizer, most > 0 ? most : INT64_MAX);
      EXPECT_TRUE(most == 0 || tokens == most);
      const double nats = *result.val_loss * static_cast<double>(tokens);
      // A character whose beginning is not among the tokens is not counted, one whose end is not
      // is.
      const auto characters = static_cast<double>(count_characters(text));
      const double bits = nats / std::log(2.0);
      const auto line = metrics(o.run.filename()).back();
      EXPECT_NEAR(line["val_nats_per_character"].get<double>(), nats / characters, 1e-9);
      EXPECT_NEAR(line["val_bits_per_byte"].get<double>(), bits / static_cast<double>(text.size()),
                  1e-9);
      EXPECT_EQ(*reported->val_nats_per_character, line["val_nats_per_character"].get<double>());
      EXPECT_EQ(*reported->val_bits_per_byte, line["val_bits_per_byte"].get<double>());
      // Of the best the same factor.
      EXPECT_NEAR(*result.best_val_nats_per_character / *result.best_val_loss,
                  *reported->val_nats_per_character / *reported->val_loss, 1e-12);
      EXPECT_NEAR(*result.best_val_bits_per_byte / *result.best_val_loss,
                  *reported->val_bits_per_byte / *reported->val_loss, 1e-12);
      EXPECT_FALSE(metrics(o.run.filename()).front().contains("val_bits_per_byte"));
    }
  }
}

TEST_F(LossPerTextTest, OfSeveralDataSetsIsThatOfTheMixture) {
  const Tokenizer tokenizer = learnt_from(verses(90), TokenizerType::kByte);
  test::prepare_text(scratch / "chinese", verses(90), tokenizer);
  test::prepare_text(scratch / "english", test::songs(60), tokenizer);
  TrainOptions o = test::tiny_run(scratch / "chinese", scratch / "run");
  o.data.push_back(scratch / "english");
  o.weights = {3, 1};
  o.steps = 10;
  const TrainResult result = train(o);
  double bytes_per_token = 0, characters_per_token = 0;
  for (const auto& [name, share] : {std::pair{"chinese", 0.75}, std::pair{"english", 0.25}}) {
    const auto [text, tokens] = predicted(name, tokenizer, INT64_MAX);
    bytes_per_token += share * static_cast<double>(text.size()) / static_cast<double>(tokens);
    characters_per_token += share * static_cast<double>(count_characters(text)) /
                            static_cast<double>(tokens);
  }
  EXPECT_NEAR(*result.best_val_nats_per_character, *result.best_val_loss / characters_per_token,
              1e-9);
  EXPECT_NEAR(*result.best_val_bits_per_byte,
              *result.best_val_loss / std::log(2.0) / bytes_per_token, 1e-9);
}

TEST_F(LossPerTextTest, RatesAreExactWhereverTheyBegin) {
  const Tokenizer tokenizer = learnt_from(verses(90), TokenizerType::kBpe);
  test::prepare_text(scratch / "data", verses(90), tokenizer);
  const TokenStream stream(scratch / "data", "train");
  for (const int64_t begin : {0, 3, 200}) {
    for (const int64_t count : {1, 2, 500}) {
      std::vector<TokenId> ids(static_cast<size_t>(count));
      stream.read(begin, ids);
      std::erase(ids, *tokenizer.end_of_text());
      const std::string text = tokenizer.decode(ids);
      const TextRates rates = text_rates(stream, begin, count, tokenizer);
      EXPECT_DOUBLE_EQ(rates.bytes_per_token,
                       static_cast<double>(text.size()) / static_cast<double>(count));
      EXPECT_DOUBLE_EQ(rates.characters_per_token,
                       static_cast<double>(count_characters(text)) / static_cast<double>(count));
    }
  }
  EXPECT_EQ(nats_per_character(1, {.bytes_per_token = 3, .characters_per_token = 0}), std::nullopt);
  EXPECT_EQ(bits_per_byte(1, {}), std::nullopt);
}

TEST(VocabularyWarning, IsForTextWithFarFewerBytesPerTokenThanItsOwn) {
  const auto warns = [](TokenizerType type, const TextRates& text,
                        const std::optional<TextRates>& own) {
    return vocabulary_warning(type, text, own).has_value();
  };
  constexpr auto kBpe = TokenizerType::kBpe;
  const TextRates english = {4.46, 4.46}, by_english = {2.06, 0.69}, chinese = {4.2, 1.4};
  EXPECT_TRUE(warns(kBpe, by_english, english));
  EXPECT_FALSE(warns(kBpe, english, english));
  EXPECT_FALSE(warns(kBpe, {0.61 * 4.46, 0.61 * 4.46}, english));
  EXPECT_TRUE(warns(kBpe, {0.59 * 4.46, 0.59 * 4.46}, english));
  EXPECT_FALSE(warns(kBpe, chinese, english));                  // it knows both
  EXPECT_TRUE(warns(kBpe, {1.1, 1.1}, chinese));                // English by a Chinese vocabulary
  EXPECT_FALSE(warns(kBpe, {1.8, 0.6}, TextRates{1.9, 0.63}));  // a small one, of its own text
  EXPECT_TRUE(warns(kBpe, {2.8, 0.5}, english));                // characters in pieces
  // Its own is not known.
  EXPECT_TRUE(warns(kBpe, by_english, std::nullopt));
  EXPECT_FALSE(warns(kBpe, {2.51, 2.51}, std::nullopt));
  EXPECT_TRUE(warns(kBpe, {2.49, 2.49}, std::nullopt));
  EXPECT_TRUE(warns(kBpe, {2.8, 0.55}, std::nullopt));
  // Characters: one for each token of its own, of one byte or of three.
  for (const std::optional<TextRates>& own :
       {std::optional(TextRates{1, 1}), std::optional(TextRates{3, 1}),
        std::optional<TextRates>()}) {
    EXPECT_FALSE(warns(TokenizerType::kChar, {1, 1}, own));
    EXPECT_FALSE(warns(TokenizerType::kChar, {3, 1}, own));
    EXPECT_TRUE(warns(TokenizerType::kChar, {1, 0.35}, own));
    EXPECT_FALSE(warns(TokenizerType::kByte, {1, 0.33}, own));
  }
  for (const char* part : {"2.06", "4.46", "was trained on", "inkstone train TEXT", "compare"}) {
    EXPECT_NE(vocabulary_warning(kBpe, by_english, english)->english().find(part),
              std::string::npos)
        << part;
  }
  EXPECT_NE(vocabulary_warning(kBpe, by_english, std::nullopt)->english().find("not known"),
            std::string::npos);
}

TEST_F(LossPerTextTest, FineTuningTellsAVocabularyThatDoesNotSuit) {
  const std::string english = test::songs(300);
  const Tokenizer tokenizer = learnt_from(english, TokenizerType::kBpe, 400);
  test::prepare_text(scratch / "english", english, tokenizer);
  test::prepare_text(scratch / "chinese", verses(90), tokenizer);
  TrainOptions own = test::tiny_run(scratch / "english", scratch / "own");
  own.steps = 2;
  own.warmup = 0;
  const auto warnings = [&](TrainOptions o, const fs::path& init, const char* run) {
    o.init = init;
    o.run = scratch / run;
    std::vector<std::string> found;
    TrainObserver observer;
    observer.on_message = [&](const Message& m) {
      if (m.english().starts_with("warning: the model's vocabulary")) found.push_back(m.english());
    };
    train(o, observer);
    return found;
  };
  EXPECT_TRUE(warnings(own, "", "own").empty());
  TrainOptions other = own;
  other.data = {scratch / "chinese"};
  EXPECT_TRUE(warnings(other, "", "plain").empty()) << "that is a new model's own choice";
  EXPECT_TRUE(warnings(own, scratch / "own", "same").empty());
  int number = 0;
  for (const fs::path& init :
       {scratch / "own", scratch / "own/best", scratch / "own/checkpoints/step-0000002"}) {
    const auto found = warnings(other, init, ("tuned" + std::to_string(number++)).c_str());
    ASSERT_EQ(found.size(), 1u) << init;
    EXPECT_NE(found[0].find("was trained on"), std::string::npos) << found[0];
  }
  fs::copy(scratch / "own/checkpoints/step-0000002", scratch / "foreign");
  const auto foreign = warnings(other, scratch / "foreign", "tuned_foreign");
  ASSERT_EQ(foreign.size(), 1u);
  EXPECT_NE(foreign[0].find("not known"), std::string::npos) << foreign[0];
  EXPECT_TRUE(warnings(own, scratch / "foreign", "same_foreign").empty());
  fs::rename(scratch / "english", scratch / "moved");
  EXPECT_FALSE(rates_of_own_text(scratch / "own").has_value());
}

}  // namespace
}  // namespace inkstone
