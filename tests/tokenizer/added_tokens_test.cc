// Special tokens that a vocabulary is given after it was learnt: every kind of vocabulary keeps its
// ids, and a save has the new ones.
#include "tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

constexpr const char* kMask = "<|mask|>";

std::vector<Tokenizer> vocabularies() {
  const std::string text = "two little ducks went out one day, two little ducks came back";
  return {test::train_on(text, {.vocab_size = 300}),
          test::train_on(text, {.type = TokenizerType::kChar}),
          test::train_on(text, {.type = TokenizerType::kByte})};
}

TEST(AddedTokens, ComeBehindTheLastIdAndChangeNoOther) {
  for (const Tokenizer& plain : vocabularies()) {
    const Tokenizer more = with_special_tokens(plain, {kMask, "<|user|>"}, kMask);
    const auto size = static_cast<TokenId>(plain.vocab_size());
    EXPECT_EQ(more.vocab_size(), size + 2);
    EXPECT_EQ(mask_token(more), size);
    EXPECT_EQ(more.special_token("<|user|>"), size + 1);
    EXPECT_EQ(more.type(), plain.type());
    EXPECT_EQ(more.end_of_text(), plain.end_of_text());
    EXPECT_EQ(more.encode("two <|mask|> ducks"), plain.encode("two <|mask|> ducks"));
    const std::vector<TokenId> ids = more.encode(std::string("two") + kMask, SpecialTokens::kAllow);
    EXPECT_EQ(ids.back(), size);
  }
}

TEST(AddedTokens, AreSavedWithTheirRole) {
  for (const Tokenizer& plain : vocabularies()) {
    const test::ScratchFolder folder;
    with_special_tokens(plain, {kMask}, kMask).save(folder.path());
    const Tokenizer read = Tokenizer::load(folder.path());
    EXPECT_EQ(mask_token(read), static_cast<TokenId>(plain.vocab_size()));
    // Of a tokenizer that was read, whose files are kept, another one; the first stays.
    const test::ScratchFolder second;
    with_special_tokens(read, {kMask, "<|user|>"}, "<|user|>").save(second.path());
    const Tokenizer again = Tokenizer::load(second.path());
    EXPECT_EQ(mask_token(again), static_cast<TokenId>(plain.vocab_size()) + 1);
    EXPECT_EQ(again.special_token(kMask), static_cast<TokenId>(plain.vocab_size()));
    EXPECT_EQ(again.end_of_text(), plain.end_of_text());
  }
}

TEST(AddedTokens, WhatTheVocabularyHasIsNotAddedAgain) {
  const Tokenizer plain = vocabularies().front();
  const Tokenizer same = with_special_tokens(plain, {std::string(kEndOfText)});
  EXPECT_EQ(same.vocab_size(), plain.vocab_size());
  EXPECT_EQ(same.special_token(kEndOfText), plain.special_token(kEndOfText));
  EXPECT_EQ(mask_token(same), std::nullopt);
}

// Of a file that was read everything else stays, to the byte; entries and braces in strings do not
// lead astray.
TEST(AddedTokens, AFileKeepsItsBytes) {
  const test::ScratchFolder folder, to;
  vocabularies().front().save(folder.path());
  std::string json = read_file(folder / "tokenizer.json");
  const size_t at = json.find('{') + 1;
  json.insert(at, R"( "note": "a \" and a }, \"added_tokens\": [",)");
  write_file(folder / "tokenizer.json", json);
  with_special_tokens(Tokenizer::load(folder.path()), {kMask}).save(to.path());
  const std::string changed = read_file(to / "tokenizer.json");
  const size_t place = json.rfind("\"added_tokens\"");
  EXPECT_EQ(changed.substr(0, place), json.substr(0, place));
  const std::string model = json.substr(json.find("\"normalizer\""));
  EXPECT_EQ(changed.substr(changed.size() - model.size()), model);
}

TEST(AddedTokens, AnEmptyTextIsRefused) {
  const Tokenizer plain = vocabularies().front();
  EXPECT_EQ(test::thrown_by([&] { with_special_tokens(plain, {""}); }).code(),
            ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace inkstone
