#include "tokenizer/special_tokens.h"

#include <gtest/gtest.h>

#include <array>

#include "samples.h"

namespace inkstone {
namespace {

using Ids = std::vector<TokenId>;

SpecialTokenTable table(const std::vector<std::string>& texts) {
  std::vector<SpecialToken> tokens;
  for (const std::string& text : texts)
    tokens.push_back({.text = text, .id = static_cast<TokenId>(tokens.size())});
  return SpecialTokenTable(tokens);
}

// Leftmost, then longest, by trying every token at every place.
std::optional<SpecialTokenTable::Match> find_plainly(const std::vector<std::string>& texts,
                                                     std::string_view text, size_t from) {
  for (size_t at = from; at < text.size(); ++at) {
    std::optional<SpecialTokenTable::Match> best;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!text.substr(at).starts_with(texts[i])) continue;
      if (!best || texts[i].size() > best->size_bytes)
        best = {at, texts[i].size(), static_cast<TokenId>(i)};
    }
    if (best) return best;
  }
  return std::nullopt;
}

TEST(SpecialTokenTable, FindsTheLeftmostLongest) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    const auto word = [&](size_t longest) {
      std::string result;
      for (size_t i = 0; i <= random() % longest; ++i) result += "ab\xFF"[random() % 3];
      return result;
    };
    std::vector<std::string> texts;
    for (size_t i = 0; i < 1 + random() % 5; ++i) {
      const std::string text = word(4);
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
    }
    const SpecialTokenTable tokens = table(texts);
    const std::string text = word(12);
    for (size_t from = 0; from <= text.size(); ++from) {
      const auto found = tokens.find(text, from), expected = find_plainly(texts, text, from);
      ASSERT_EQ(found.has_value(), expected.has_value());
      if (!found) continue;
      ASSERT_EQ(found->begin, expected->begin);
      ASSERT_EQ(found->id, expected->id);
      ASSERT_EQ(found->size_bytes, expected->size_bytes);
    }
  }
}

TEST(SpecialTokenTable, OfNothingFindsNothing) {
  EXPECT_FALSE(table({}).find("abc", 0).has_value());
  EXPECT_FALSE(table({}).id_of("abc").has_value());
  EXPECT_FALSE(table({"ab"}).find("", 0).has_value());
}

// What Hugging Face's tokenizers 0.23 gives for "lstrip", "rstrip" and "single_word":
// tools/compare_added_tokens.py compares more.
TEST(SpecialTokenTable, TokensMayLookAround) {
  const SpecialTokenTable tokens({{.text = "<l>", .id = 0, .takes_left = true},
                                  {.text = "<r>", .id = 1, .takes_right = true},
                                  {.text = "word", .id = 2, .is_word = true}});
  EXPECT_TRUE(tokens.looks_around());
  struct Case {
    std::string_view text;
    size_t from;
    std::optional<std::array<size_t, 3>> expected;  // begin, size, id
  };
  const Case cases[] = {
      {"a \t\u3000<l> b", 0, {{1, 8, 0}}},
      {"a  <l>", 2, {{2, 4, 0}}},  // what stands before `from` is another's
      {"a <r> \u00A0\n b", 0, {{2, 8, 1}}},
      {"a <r>", 0, {{2, 3, 1}}},
      {"\xFF<l>\xFF", 0, {{1, 3, 0}}},
      {"a word.", 0, {{2, 4, 2}}},
      {"words, sword, _word, word1, \u4E2Dword, word\u0301", 0, {}},
      {"wordword word", 0, {{9, 4, 2}}},
      {"aword", 1, {}},  // the character before `from` counts
      {"\xFFword\xFF", 0, {{1, 4, 2}}},
      {"word", 0, {{0, 4, 2}}},
  };
  for (const auto& [text, from, expected] : cases) {
    const auto found = tokens.find(text, from);
    ASSERT_EQ(found.has_value(), expected.has_value()) << text;
    if (!found) continue;
    EXPECT_EQ(
        (std::array<size_t, 3>{found->begin, found->size_bytes, static_cast<size_t>(found->id)}),
        *expected)
        << text;
  }
  EXPECT_FALSE(table({"a"}).looks_around());
}

TEST(Tokenizer, TreatsSpecialTokensAsAsked) {
  const Tokenizer tokenizer = test::train_on(
      "x", {.type = TokenizerType::kByte, .special_tokens = {"<a>", "<a>b"}});
  const auto bytes = [&](std::string_view text) { return tokenizer.encode(text); };
  const auto join = [](Ids a, const Ids& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const std::string text = "x<a>y<a>b";
  EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAllow),
            join(join(join(bytes("x"), {0}), bytes("y")), {1}));
  EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAsText).size(), text.size());
  EXPECT_EQ(tokenizer.encode("no mark", SpecialTokens::kRefuse), bytes("no mark"));
  const Error error = test::thrown_by([&] { tokenizer.encode(text, SpecialTokens::kRefuse); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "'<a>' at byte 1"));
}

// White space before a special token ends its stretch of text, so it is one piece.
TEST(Tokenizer, CutsAtSpecialTokensBeforeThePreTokenizer) {
  const Tokenizer tokenizer = test::train_on("a  \n\n  \n\n  \n\n", {.vocab_size = 300});
  const std::string end(kEndOfText);
  Ids expected = tokenizer.encode("a  \n\n");
  expected.push_back(*tokenizer.end_of_text());
  EXPECT_EQ(tokenizer.encode("a  \n\n" + end, SpecialTokens::kAllow), expected);
  EXPECT_NE(tokenizer.encode("a  \n\nb").size() - tokenizer.encode("b").size(),
            expected.size() - 1);
}

}  // namespace
}  // namespace inkstone
