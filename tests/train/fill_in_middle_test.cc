// Documents turned around: nothing is lost but what does not fit, at the rate that was asked for.
#include "train/fill_in_middle.h"

#include <algorithm>
#include <cmath>

#include "corpus.h"
#include "tokenizer/added_tokens.h"

namespace inkstone {
namespace {

class FillIn : public ::testing::Test {
 protected:
  FillIn() {
    const Tokenizer plain = test::character_tokenizer(test::songs(20) + "鴨子游泳");
    tokenizer = with_special_tokens(plain, fill_in_names(plain));
    sentinels = *fill_in_tokens(*tokenizer);
  }

  // A window of whole documents.
  std::vector<TokenId> window_of(const std::vector<std::string>& documents) const {
    std::vector<TokenId> tokens;
    for (const std::string& text : documents) {
      const auto ids = tokenizer->encode(text);
      tokens.insert(tokens.end(), ids.begin(), ids.end());
      tokens.push_back(*tokenizer->end_of_text());
    }
    return tokens;
  }

  // The text of a document that was turned around, in its order; nullopt where it was not.
  std::optional<std::string> turned_back(std::span<const TokenId> tokens) const {
    const auto end = std::ranges::find(tokens, sentinels.end),
               middle = std::ranges::find(tokens, sentinels.middle);
    if (tokens.front() != sentinels.beginning) return std::nullopt;
    const auto text = [&](auto from, auto to) { return tokenizer->decode(std::vector(from, to)); };
    const bool end_first = end == tokens.begin() + 1;
    const std::string rest = text(middle + 1, tokens.end()), behind = text(end + 1, middle);
    return (end_first ? "" : text(tokens.begin() + 1, end)) + rest + behind;
  }

  std::optional<Tokenizer> tokenizer;
  FillInTokens sentinels = {};
};

TEST_F(FillIn, ATextIsWholeAgainInItsOrder) {
  const FillInMiddle always(*tokenizer, 1, 5);
  const std::string text = test::rhyme(2) + "鴨子游泳";
  int64_t end_first = 0;
  for (int64_t window = 0; window < 400; ++window) {
    std::vector<TokenId> tokens = window_of({text});
    tokens.resize(tokens.size() + 4, *tokenizer->end_of_text());  // room for the marks
    always.apply(window, tokens);
    const auto end = std::ranges::find(tokens, *tokenizer->end_of_text());
    EXPECT_EQ(turned_back({tokens.begin(), end}), text);
    end_first += tokens[1] == sentinels.end;
  }
  // Half of them, and those that begin with nothing; five standard errors.
  EXPECT_NEAR(static_cast<double>(end_first), 200, 5 * 10 + 10);
}

TEST_F(FillIn, HappensAtItsRateAndDependsOnTheWindowAlone) {
  const FillInMiddle some(*tokenizer, 0.3, 5), other(*tokenizer, 0.3, 6);
  int64_t turned = 0, documents = 0, differ = 0;
  for (int64_t window = 0; window < 400; ++window) {
    const std::vector<TokenId> plain = window_of({"one day", "two ducks", "over the hill"});
    std::vector<TokenId> a = plain, b = plain, c = plain;
    some.apply(window, a);
    some.apply(window, b);
    other.apply(window, c);
    EXPECT_EQ(a, b);
    differ += a != c;
    turned += std::ranges::count(a, sentinels.beginning);
    // The last one has no room to be turned where it is not.
    documents += 2;
    EXPECT_EQ(a.size(), plain.size());
  }
  EXPECT_GT(differ, 100);
  const double rate = static_cast<double>(turned) / static_cast<double>(documents);
  EXPECT_GT(rate, 0.2);
  EXPECT_LT(rate, 0.5);
}

// A document that the window cuts: the end of its end goes, not the middle nor its end mark.
TEST_F(FillIn, WhatDoesNotFitIsCutOffTheEnd) {
  const FillInMiddle always(*tokenizer, 1, 5);
  const std::string text = test::rhyme(1);
  int64_t cut = 0;
  for (int64_t window = 0; window < 200; ++window) {
    std::vector<TokenId> tokens = tokenizer->encode(text);
    const size_t count = tokens.size();
    always.apply(window, tokens);
    ASSERT_EQ(tokens.size(), count);
    if (tokens.front() != sentinels.beginning) continue;  // its end was shorter than the marks
    ++cut;
    EXPECT_EQ(tokens.back(), *tokenizer->end_of_text());
    const auto back = turned_back(std::span(tokens).first(count - 1));
    EXPECT_EQ(*back, text.substr(0, back->size()));
  }
  EXPECT_GT(cut, 100);
}

TEST_F(FillIn, PromptsAreWhatTrainingShows) {
  const std::vector<TokenId> prompt = fill_in_prompt(*tokenizer, "one ", " day");
  EXPECT_EQ(prompt.front(), sentinels.beginning);
  EXPECT_EQ(prompt.back(), sentinels.middle);
  EXPECT_EQ(tokenizer->decode(std::span(prompt).subspan(1, 4)), "one ");
  EXPECT_EQ(prompt[5], sentinels.end);
  const Error error = test::thrown_by(
      [&] { fill_in_prompt(test::character_tokenizer("abc"), "a", "c"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(test::mentions(error, "--fim-rate"));
}

}  // namespace
}  // namespace inkstone
