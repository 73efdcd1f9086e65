#include "inkstone/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "samples.h"

namespace inkstone {
namespace {

using Ids = std::vector<TokenId>;
using test::mentions;
using test::thrown_by;
using test::train_on;

std::vector<Tokenizer> one_of_each_type() {
  const std::string text = test::fixture_text("text.txt");
  return {train_on(text, {.vocab_size = 600}), train_on(text, {.type = TokenizerType::kChar}),
          train_on(text, {.type = TokenizerType::kByte})};
}

// The table of whole pieces is made when enough text has come; until then every piece is merged.
TEST(Tokenizer, FirstTextsAndLaterOnesGetTheSameIds) {
  Json json = read_json(test::fixture("tokenizer/bpe.json"));
  for (const bool ignores_merges : {false, true}) {
    json["model"]["ignore_merges"] = ignores_merges;
    json["model"]["vocab"]["zqx"] = 430;  // no merge makes it
    const test::ScratchFolder folder;
    write_json(folder / "tokenizer.json", json);
    const Tokenizer later = Tokenizer::load(folder.path());
    later.encode(std::string(1 << 20, ' '));
    std::mt19937 random(4);
    for (int round = 0; round < 20; ++round) {
      const Tokenizer fresh = Tokenizer::load(folder.path());
      std::string text = "zqx The theory <pad> of zqx";
      for (int i = 0; i < 30; ++i) text += test::random_text(random, 20) + " zqx";
      const Ids ids = fresh.encode(text);
      ASSERT_EQ(ids, later.encode(text));
      EXPECT_EQ(std::ranges::count(ids, 430) > 0, ignores_merges);
      EXPECT_EQ(fresh.decode(ids), text);
    }
  }
}

TEST(Tokenizer, DecodesWhatItEncodes) {
  std::mt19937 random(1);
  for (const Tokenizer& tokenizer : one_of_each_type()) {
    for (int i = 0; i < 2000; ++i) {
      std::string text = test::random_text(random, random() % 12) +
                         test::random_bytes(random, random() % 12);
      if (i % 7 == 0) text.insert(random() % (text.size() + 1), kEndOfText);
      for (const auto special : {SpecialTokens::kAsText, SpecialTokens::kAllow}) {
        ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, special)), text);
      }
    }
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text(1, static_cast<char>(byte));
      EXPECT_EQ(tokenizer.encode(text).size(), 1u);
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    }
    EXPECT_TRUE(tokenizer.encode("").empty());
    EXPECT_EQ(tokenizer.decode({}), "");
  }
}

// Merges apply inside a run of invalid bytes too, but never across its ends.
TEST(Tokenizer, MergesInsideInvalidBytes) {
  const std::string cut = "\xE6\x98";  // the first two bytes of 明
  const Tokenizer tokenizer = train_on("明明明明 \xE6\x98 \xE6\x98", {.vocab_size = 300});
  const auto merged = tokenizer.token_id(cut);
  ASSERT_TRUE(merged.has_value());
  EXPECT_EQ(
      tokenizer.encode("a " + cut + "b"),
      (Ids{*tokenizer.token_id("a"), *tokenizer.token_id(" "), *merged, *tokenizer.token_id("b")}));
}

TEST(Tokenizer, OfCharactersHasTheOrderOfIdsThatIsDocumented) {
  const Tokenizer tokenizer = train_on("bab中\xFF", {.type = TokenizerType::kChar});
  EXPECT_EQ(tokenizer.type(), TokenizerType::kChar);
  EXPECT_EQ(tokenizer.vocab_size(), 1 + 3 + 254);
  EXPECT_EQ(tokenizer.end_of_text(), 0);
  EXPECT_EQ(tokenizer.encode("ab中"), (Ids{1, 2, 3}));
  EXPECT_EQ(tokenizer.encode(std::string("\0", 1)), Ids{4});  // the first byte token
  EXPECT_EQ(tokenizer.encode("c"), Ids{4 + 'c' - 2});         // 'a' and 'b' have none
  EXPECT_EQ(tokenizer.encode("\xFF"), Ids{257});
  EXPECT_EQ(tokenizer.encode("文").size(), 3u);  // not in the training text
  EXPECT_EQ(tokenizer.encode("<0x41>").size(), 6u);
  EXPECT_EQ(tokenizer.token_id("中"), 3);
}

TEST(Tokenizer, OfBytesIsTheAlphabetInGpt2sOrder) {
  const Tokenizer tokenizer = train_on("x", {.type = TokenizerType::kByte});
  EXPECT_EQ(tokenizer.vocab_size(), 257);
  EXPECT_EQ(tokenizer.encode("!\n "), (Ids{1, 199, 221}));
}

// A BPE that found nothing to merge is a byte vocabulary, before and after it is saved.
TEST(Tokenizer, WithoutMergesIsOfBytes) {
  EXPECT_EQ(train_on("abc", {.vocab_size = 300}).type(), TokenizerType::kByte);
}

TEST(Tokenizer, LearnsFromSeveralTextsAndStopsAtTheLimits) {
  std::vector<std::string> texts = {"ab", "", "ab", "cd"};
  size_t next = 0;
  const Tokenizer tokenizer = Tokenizer::train(
      [&]() -> std::optional<std::string> {
        if (next == texts.size()) return std::nullopt;
        return texts[next++];
      },
      {.vocab_size = 1000});
  EXPECT_EQ(tokenizer.vocab_size(), 258);  // "ab" occurs twice, "cd" once
  EXPECT_TRUE(tokenizer.token_id("ab").has_value());
  EXPECT_FALSE(tokenizer.token_id("cd").has_value());
  EXPECT_EQ(train_on("abcd abcd", {.vocab_size = 259}).vocab_size(), 259);
  EXPECT_EQ(train_on("cd", {.vocab_size = 1000, .min_frequency = 1}).vocab_size(), 258);
}

TEST(Tokenizer, RefusesToTrainOnNothingOrWithContradictions) {
  const auto code = [](const std::string& text, const TokenizerTrainOptions& options) {
    return thrown_by([&] { train_on(text, options); }).code();
  };
  for (const auto type : {TokenizerType::kBpe, TokenizerType::kChar, TokenizerType::kByte}) {
    EXPECT_EQ(code("", {.type = type}), ErrorCode::kInvalidData);
    EXPECT_EQ(code("x", {.type = type, .special_tokens = {"<a>", "<a>"}}), ErrorCode::kUsage);
    EXPECT_EQ(code("x", {.type = type, .special_tokens = {""}}), ErrorCode::kUsage);
    EXPECT_EQ(code("x", {.type = type, .special_tokens = {"中"}}), ErrorCode::kUsage);
    EXPECT_EQ(code("x", {.type = type, .special_tokens = {"a\xFF"}}), ErrorCode::kUsage);
    EXPECT_EQ(code("x", {.type = type, .special_tokens = {"<0x41>"}}), ErrorCode::kUsage);
  }
  EXPECT_EQ(code("x", {.vocab_size = 256}), ErrorCode::kUsage);
  EXPECT_EQ(code("x", {.vocab_size = -1}), ErrorCode::kUsage);
  EXPECT_EQ(code("x", {.vocab_size = 1'000'000'000'000}), ErrorCode::kUsage);
}

// Text that is also a special token's stays apart from it unless special tokens are allowed.
TEST(Tokenizer, KeepsWordsApartFromSpecialTokens) {
  const Tokenizer tokenizer = train_on("SEP SEP SEP",
                                       {.vocab_size = 300, .special_tokens = {"SEP"}});
  EXPECT_EQ(tokenizer.encode("SEP", SpecialTokens::kAllow), Ids{0});
  const Ids as_text = tokenizer.encode("SEP");
  EXPECT_GT(as_text.size(), 1u);
  EXPECT_EQ(tokenizer.decode(as_text), "SEP");
}

TEST(Tokenizer, AnswersQuestionsAboutTokens) {
  const Tokenizer tokenizer = Tokenizer::load(test::fixture("tokenizer/bpe.json"));
  EXPECT_EQ(tokenizer.token_bytes(*tokenizer.token_id(" t")), " t");
  EXPECT_EQ(tokenizer.token_id(kEndOfText), 0);
  EXPECT_EQ(tokenizer.token_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.token_id(""), std::nullopt);
  EXPECT_EQ(tokenizer.special_token(" t"), std::nullopt);
  EXPECT_EQ(tokenizer.special_token("<|endoftext"), std::nullopt);
  for (const TokenId id : {-1, 420, INT32_MIN, INT32_MAX}) {
    const Error error = thrown_by([&] { tokenizer.token_bytes(id); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, std::to_string(id)));
    EXPECT_EQ(thrown_by([&] { tokenizer.decode(Ids{1, id}); }).code(), ErrorCode::kInvalidData);
  }
}

TEST(Tokenizer, IsSafeFromSeveralThreads) {
  const Tokenizer tokenizer = train_on(test::fixture_text("text.txt"), {.vocab_size = 600});
  const std::string text = test::fixture_text("text.txt") + std::string(500, 'a');
  const Ids expected = tokenizer.encode(text);
  std::array<Ids, 4> found;
  std::vector<std::thread> threads;
  for (Ids& ids : found) threads.emplace_back([&, copy = tokenizer] { ids = copy.encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

}  // namespace
}  // namespace inkstone
