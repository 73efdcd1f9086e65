// Which tokens a text may go on with so that it can still become UTF-8.
#include "generate/whole_characters.h"

#include <cmath>
#include <random>

#include "small_generator.h"
#include "support.h"

namespace inkstone {
namespace {

const std::string kText =
    "红楼梦里的人物，各有各的命运🙂。却说宝玉道：「原来如此」。naïve"
    " "
    "café, "
    "Привет!\n";

// Chinese in merges so few that many tokens are parts of characters.
Tokenizer tokenizer_of(TokenizerType type) {
  int left = 40;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return left-- > 0 ? std::optional(kText) : std::nullopt;
      },
      {.type = type, .vocab_size = 300});
}

std::vector<std::pair<std::string, Tokenizer>> vocabularies() {
  std::vector<std::pair<std::string, Tokenizer>> all = {
      {"bpe", tokenizer_of(TokenizerType::kBpe)},
      {"char", tokenizer_of(TokenizerType::kChar)},
      {"byte", tokenizer_of(TokenizerType::kByte)}};
  if (const auto gpt2 = test::shared_data("gpt2/tokenizer.json"))
    all.emplace_back("gpt2", Tokenizer::load(*gpt2));
  return all;
}

// The definition: what is no whole character at the end can still become one, and there is nothing
// else that is none.
bool can_become_text(const std::string& text) {
  const auto tail = static_cast<size_t>(incomplete_utf8_tail(text));
  return is_valid_utf8(std::string_view(text).substr(0, text.size() - tail));
}

TEST(WholeCharacters, BarsWhatCanNoLongerBecomeTextAndNothingElse) {
  std::mt19937 random(5);
  for (const auto& [name, tokenizer] : vocabularies()) {
    SCOPED_TRACE(name);
    const CharacterTable table(tokenizer, tokenizer.end_marks());
    const auto V = static_cast<size_t>(tokenizer.vocab_size());
    WholeCharacters characters(&table);
    std::string text;  // of it, what is no whole character yet
    int between = 0, inside = 0;
    for (int step = 0; step < (V > 1000 ? 60 : 600); ++step) {
      std::vector<float> logits(V, 1.5f);
      characters.bar(logits);
      std::vector<TokenId> drawable;
      for (size_t i = 0; i < V; ++i) {
        const auto id = static_cast<TokenId>(i);
        const std::string bytes(tokenizer.token_bytes(id));
        const bool may = id == tokenizer.end_of_text() ? is_valid_utf8(text)
                                                       : can_become_text(text + bytes);
        ASSERT_EQ(logits[i], may ? 1.5f : -INFINITY) << id << " behind '" << text << "'";
        if (may && id != tokenizer.end_of_text()) drawable.push_back(id);
      }
      // Into characters rather than past them: most tokens are whole ones.
      std::vector<TokenId> splitting;
      for (const TokenId id : drawable) {
        if (!is_valid_utf8(text + std::string(tokenizer.token_bytes(id)))) splitting.push_back(id);
      }
      const auto& from = splitting.empty() || random() % 4 == 0 ? drawable : splitting;
      const TokenId next = from[random() % from.size()];
      characters.add(next);
      text += tokenizer.token_bytes(next);
      (is_valid_utf8(text) ? between : inside)++;
      text.erase(0, text.size() - static_cast<size_t>(incomplete_utf8_tail(text)));
    }
    EXPECT_TRUE(characters.is_held());
    EXPECT_GT(between, 10);
    EXPECT_GT(inside, 10);
  }
}

TEST(WholeCharacters, WhereEndMarksAreWrittenOnPastTheyAreText) {
  const Tokenizer tokenizer = tokenizer_of(TokenizerType::kByte);
  const std::vector<TokenId> odd = {*tokenizer.token_id("\xFF")};
  const auto mark = static_cast<size_t>(odd.front());
  for (const bool ends : {true, false}) {
    const CharacterTable table(tokenizer,
                               ends ? std::span<const TokenId>(odd) : std::span<const TokenId>());
    WholeCharacters characters(&table);
    std::vector<float> logits(static_cast<size_t>(tokenizer.vocab_size()), 0);
    characters.bar(logits);
    EXPECT_EQ(logits[mark], ends ? 0 : -INFINITY);
    characters.add(*tokenizer.token_id("\xE7"));
    std::fill(logits.begin(), logits.end(), 0);
    characters.bar(logits);
    EXPECT_EQ(logits[mark], -INFINITY);
  }
}

TEST(WholeCharacters, LetsATextGoThatHasNoOtherWay) {
  const Tokenizer tokenizer = tokenizer_of(TokenizerType::kByte);
  const CharacterTable table(tokenizer, {});
  WholeCharacters characters(&table);
  std::vector<float> logits(static_cast<size_t>(tokenizer.vocab_size()), -INFINITY);
  const auto only = static_cast<size_t>(*tokenizer.token_id("\x80"));
  logits[only] = 1;
  const auto before = logits;
  characters.bar(logits);
  EXPECT_EQ(logits, before);
  EXPECT_FALSE(characters.is_held());
}

TEST(WholeCharacters, WithoutATableNothingIsBarred) {
  WholeCharacters characters(nullptr);
  std::vector<float> logits(300, 0);
  characters.bar(logits);
  EXPECT_EQ(logits, std::vector<float>(300, 0));
  EXPECT_FALSE(characters.is_held());
}

}  // namespace
}  // namespace inkstone
