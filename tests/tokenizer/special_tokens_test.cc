#include "tokenizer/special_tokens.h"

#include <gtest/gtest.h>

#include <array>

#include "samples.h"

namespace inkstone {
namespace {

using Ids = std::vector<TokenId>;

SpecialTokenMatcher matcher(const std::vector<std::string>& texts) {
  std::vector<SpecialToken> tokens;
  for (const std::string& text : texts)
    tokens.push_back({.text = text, .id = static_cast<TokenId>(tokens.size())});
  return SpecialTokenMatcher(tokens);
}

// Leftmost, then longest, by trying every token at every place.
std::optional<SpecialTokenMatcher::Match> find_plainly(const std::vector<std::string>& texts,
                                                       std::string_view text, size_t from) {
  for (size_t at = from; at < text.size(); ++at) {
    std::optional<SpecialTokenMatcher::Match> best;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!text.substr(at).starts_with(texts[i])) continue;
      const size_t end = at + texts[i].size();
      if (!best || end > best->end) best = {at, end, end, static_cast<TokenId>(i)};
    }
    if (best) return best;
  }
  return std::nullopt;
}

TEST(SpecialTokenMatcher, FindsTheLeftmostLongest) {
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
    const SpecialTokenMatcher tokens = matcher(texts);
    const std::string text = word(12);
    for (size_t from = 0; from <= text.size(); ++from) {
      const auto found = tokens.find(text, from, from), expected = find_plainly(texts, text, from);
      ASSERT_EQ(found.has_value(), expected.has_value());
      if (!found) continue;
      ASSERT_EQ(found->begin, expected->begin);
      ASSERT_EQ(found->id, expected->id);
      ASSERT_EQ(found->end, expected->end);
      ASSERT_EQ(found->token_end, expected->token_end);
    }
  }
}

TEST(SpecialTokenMatcher, OfNothingFindsNothing) {
  EXPECT_FALSE(matcher({}).find("abc", 0, 0).has_value());
  EXPECT_FALSE(SpecialTokenTable({}, false).id_of("abc").has_value());
  EXPECT_FALSE(matcher({"ab"}).find("", 0, 0).has_value());
}

// What Hugging Face's tokenizers 0.23 gives for "lstrip", "rstrip" and "single_word":
// tools/compare_added_tokens.py compares more.
TEST(SpecialTokenMatcher, TokensMayLookAround) {
  const SpecialTokenMatcher tokens({{.text = "<l>", .id = 0, .takes_left = true},
                                    {.text = "<r>", .id = 1, .takes_right = true},
                                    {.text = "word", .id = 2, .is_word = true}});
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
    const auto found = tokens.find(text, from, from);
    ASSERT_EQ(found.has_value(), expected.has_value()) << text;
    if (!found) continue;
    EXPECT_EQ((std::array<size_t, 3>{found->begin, found->end - found->begin,
                                     static_cast<size_t>(found->id)}),
              *expected)
        << text;
  }
}

// Of `text`: what stands between special tokens as it is, their ids in brackets.
std::string split(const SpecialTokenTable& tokens, std::string_view text) {
  std::string result;
  tokens.split(
      text, [&](std::string_view part) { result += part; },
      [&](TokenId id, size_t) { result += "[" + std::to_string(id) + "]"; });
  return result;
}

// What Hugging Face's tokenizers 0.23 gives.
TEST(SpecialTokenTable, SearchesForNormalizedTokensInWhatTheOthersLeave) {
  const SpecialTokenTable meeting(
      {{.text = "bc", .id = 0}, {.text = "ab", .id = 1, .is_normalized = true}}, false);
  EXPECT_EQ(split(meeting, "abc ab bc"), "a[0] [1] [0]");
  EXPECT_TRUE(meeting.needs_whole_text());
  const SpecialTokenTable word(
      {{.text = "foo", .id = 0}, {.text = "bar", .id = 1, .is_word = true, .is_normalized = true}},
      false);
  EXPECT_EQ(split(word, "foobar xbar"), "[0][1] xbar");
  const std::vector<SpecialToken> apart = {{.text = "<a>", .id = 0},
                                           {.text = "  ", .id = 1, .is_normalized = true}};
  const SpecialTokenTable together(apart, false);
  EXPECT_EQ(split(together, "x  <a>   y"), "x[1][0][1] y");
  EXPECT_FALSE(together.needs_whole_text());
  EXPECT_TRUE(SpecialTokenTable(apart, true).needs_whole_text());
}

TEST(SpecialTokenTable, SearchesForNormalizedTokensInNormalisedText) {
  const SpecialTokenTable tokens({{.text = "caf\u00E9", .id = 0, .is_normalized = true},
                                  {.text = "<p>", .id = 1, .is_normalized = true},
                                  {.text = "e\u0301", .id = 2}},
                                 true);
  EXPECT_EQ(split(tokens, "caf\u00E9"), "[0]");
  EXPECT_EQ(split(tokens, "cafe\u0301"), "caf[2]");
  EXPECT_EQ(split(tokens, "<p>\u0338 <p>"), "<p\u226F [1]");
  const SpecialTokenTable decomposed({{.text = "e\u0301", .id = 0, .is_normalized = true}}, true);
  EXPECT_EQ(split(decomposed, "\u00E9e\u0301"), "[0][0]");
  const SpecialTokenTable same({{.text = "\u00E9", .id = 0, .is_normalized = true},
                                {.text = "e\u0301", .id = 1, .is_normalized = true}},
                               true);
  EXPECT_EQ(split(same, std::string("\u00E9\0xe\u0301", 7)), std::string("[0]\0x[0]", 8));
}

// Hugging Face searches on where the token itself ends, not the white space that it takes.
TEST(SpecialTokenTable, WhiteSpaceThatIsTakenMayBeginAnotherToken) {
  const SpecialTokenTable tokens(
      {{.text = "<r>", .id = 0, .takes_right = true}, {.text = "\n\n", .id = 1}}, false);
  EXPECT_EQ(split(tokens, "a<r>\n\nb"), "a[0][1]b");
  EXPECT_EQ(split(tokens, "a<r> \n\n b<r>"), "a[0][1] b[0]");
  const SpecialTokenTable both(
      {{.text = "<r>", .id = 0, .takes_right = true}, {.text = "\n ", .id = 1, .takes_left = true}},
      false);
  EXPECT_EQ(split(both, "a<r>\n b\n c"), "a[0]b[1]c");
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
