#include <gtest/gtest.h>

#include "samples.h"
#include "inkstone/error.h"
#include "inkstone/tokenizer.h"

namespace inkstone {
namespace {

Tokenizer small_tokenizer(TokenizerType type) {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        if (std::exchange(done, true)) return std::nullopt;
        return test::fixture_text("text.txt");
      },
      {.type = type, .vocab_size = 600, .special_tokens = {"<|endoftext|>", "<|end", "<| a b |>"}});
}

std::vector<TokenId> encode_in_parts(std::mt19937& random, StreamEncoder& encoder,
                                     std::string_view text) {
  std::vector<TokenId> ids;
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::min<size_t>(random() % 9, text.size() - at);
    encoder.add(text.substr(at, size), ids);
    at += size;
  }
  encoder.finish(ids);
  return ids;
}

std::string random_mixture(std::mt19937& random) {
  constexpr std::string_view kParts[] = {"<|endoftext|>", "<|end", "<| a b |>", "<|",
                                         " a b",          "\n",    "  ",        "|>"};
  std::string text;
  for (size_t i = 0; i < 1 + random() % 12; ++i) {
    switch (random() % 3) {
      case 0: text += test::random_text(random, random() % 12); break;
      case 1: text += test::random_bytes(random, random() % 5); break;
      default: text += kParts[random() % std::size(kParts)];
    }
  }
  return text;
}

TEST(StreamEncoder, GivesTheIdsOfTheWholeWhereverItIsCut) {
  std::mt19937 random(31);
  for (const TokenizerType type :
       {TokenizerType::kBpe, TokenizerType::kChar, TokenizerType::kByte}) {
    const Tokenizer tokenizer = small_tokenizer(type);
    for (const SpecialTokens special : {SpecialTokens::kAsText, SpecialTokens::kAllow}) {
      StreamEncoder encoder(tokenizer, special);
      for (int i = 0; i < 3000; ++i) {
        const std::string text = random_mixture(random);
        ASSERT_EQ(encode_in_parts(random, encoder, text), tokenizer.encode(text, special)) << text;
      }
    }
  }
}

TEST(StreamEncoder, GivesWhatIsCertainAtOnce) {
  StreamEncoder encoder(small_tokenizer(TokenizerType::kBpe));
  std::vector<TokenId> ids;
  encoder.add("one two three", ids);
  EXPECT_FALSE(ids.empty());
  const size_t before = ids.size();
  encoder.finish(ids);
  EXPECT_GT(ids.size(), before);
  encoder.finish(ids);
  EXPECT_EQ(small_tokenizer(TokenizerType::kBpe).decode(ids), "one two three");
}

TEST(StreamEncoder, RefusesSpecialTokensThatAreCut) {
  StreamEncoder encoder(small_tokenizer(TokenizerType::kBpe), SpecialTokens::kRefuse);
  std::vector<TokenId> ids;
  encoder.add("text <|endof", ids);
  encoder.add("text|", ids);
  EXPECT_THROW(
      {
        encoder.add("> more and more text", ids);
        encoder.finish(ids);
      },
      Error);
}

// A long text without any cut must not be searched from its beginning again and again, neither for
// cuts nor for special tokens.
TEST(StreamEncoder, TakesOneLongWordInManyParts) {
  const Tokenizer tokenizer = small_tokenizer(TokenizerType::kBpe);
  for (const SpecialTokens special : {SpecialTokens::kAsText, SpecialTokens::kAllow}) {
    StreamEncoder encoder(tokenizer, special);
    std::vector<TokenId> ids;
    std::string text;
    for (int i = 0; i < 200'000; ++i) {
      encoder.add("ab<cde", ids);
      text += "ab<cde";
    }
    EXPECT_LT(ids.size(), text.size() / 2);
    encoder.finish(ids);
    EXPECT_TRUE(ids == tokenizer.encode(text, special));
  }
}

TEST(StreamDecoder, HoldsBackUnfinishedCharacters) {
  const Tokenizer tokenizer = small_tokenizer(TokenizerType::kByte);
  StreamDecoder decoder(tokenizer);
  std::vector<std::string> parts;
  for (const TokenId id : tokenizer.encode("a中\xFF")) parts.push_back(decoder.add(id));
  EXPECT_EQ(parts, (std::vector<std::string>{"a", "", "", "中", "\xFF"}));
  for (const TokenId id : tokenizer.encode("\xE4\xB8")) EXPECT_EQ(decoder.add(id), "");
  EXPECT_EQ(decoder.finish(), "\xE4\xB8");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(Tokenizer, OffsetsAreWhereTheTokensStand) {
  std::mt19937 random(32);
  const Tokenizer tokenizer = small_tokenizer(TokenizerType::kBpe);
  for (int i = 0; i < 500; ++i) {
    const std::string text = random_mixture(random);
    const std::vector<TokenId> ids = tokenizer.encode(text, SpecialTokens::kAllow);
    const std::vector<ByteRange> offsets = tokenizer.offsets(ids);
    ASSERT_EQ(offsets.size(), ids.size());
    size_t at = 0;
    for (size_t k = 0; k < ids.size(); at = offsets[k++].end) {
      ASSERT_EQ(offsets[k].begin, at);
      ASSERT_EQ(text.substr(at, offsets[k].end - at), tokenizer.token_bytes(ids[k]));
    }
    ASSERT_EQ(at, text.size());
  }
  EXPECT_THROW(tokenizer.offsets(std::vector<TokenId>{100000}), Error);
}

}  // namespace
}  // namespace inkstone
