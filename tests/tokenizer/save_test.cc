#include <gtest/gtest.h>

#include "samples.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename().string()] = read_file(entry.path());
  }
  return files;
}

// What was loaded from a save is the tokenizer that was saved, and its save is the same bytes.
void check_round_trip(const Tokenizer& tokenizer, size_t files) {
  const test::ScratchFolder first, second;
  tokenizer.save(first.path());
  const Tokenizer loaded = Tokenizer::load(first.path());
  loaded.save(second.path());
  EXPECT_EQ(files_in(first.path()).size(), files);
  EXPECT_EQ(files_in(first.path()), files_in(second.path()));
  ASSERT_EQ(loaded.vocab_size(), tokenizer.vocab_size());
  EXPECT_EQ(loaded.type(), tokenizer.type());
  EXPECT_EQ(loaded.end_of_text(), tokenizer.end_of_text());
  for (TokenId id = 0; id < loaded.vocab_size(); ++id)
    ASSERT_EQ(loaded.token_bytes(id), tokenizer.token_bytes(id));
  std::mt19937 random(9);
  for (int i = 0; i < 300; ++i) {
    std::string text = test::random_text(random, random() % 30) +
                       test::random_bytes(random, random() % 9);
    if (i % 3 == 0) text += kEndOfText;
    ASSERT_EQ(loaded.encode(text), tokenizer.encode(text));
    ASSERT_EQ(loaded.encode(text, SpecialTokens::kAllow),
              tokenizer.encode(text, SpecialTokens::kAllow));
  }
}

TEST(TokenizerSave, RoundTripsEveryType) {
  const std::string text = test::fixture_text("text.txt") + std::string("\"\\\x00\x01\x7f", 5);
  check_round_trip(test::train_on(text, {.vocab_size = 500}), 5);
  check_round_trip(test::train_on(text, {.vocab_size = 500, .special_tokens = {}}), 5);
  check_round_trip(test::train_on(text, {.type = TokenizerType::kChar}), 3);
  check_round_trip(
      test::train_on(text, {.type = TokenizerType::kChar, .special_tokens = {"<|é|>", "«x"}}), 3);
  check_round_trip(
      test::train_on(text, {.type = TokenizerType::kByte, .special_tokens = {"<|é|>", "«x"}}), 3);
  check_round_trip(Tokenizer::load(test::fixture("tokenizer/bpe.json")), 5);
  check_round_trip(Tokenizer::load(test::fixture("tokenizer/char.json")), 3);
}

TEST(TokenizerSave, KeepsGapsFlagsAndIgnoreMerges) {
  Json json = read_json(test::fixture("tokenizer/bpe.json"));
  json["added_tokens"][1]["special"] = false;
  json["model"]["ignore_merges"] = true;
  json["model"]["vocab"]["zzz"] = 430;
  const test::ScratchFolder source, saved;
  write_json(source / "tokenizer.json", json);
  const Tokenizer tokenizer = Tokenizer::load(source.path());
  EXPECT_EQ(tokenizer.encode("zzz"), std::vector<TokenId>{430});
  check_round_trip(tokenizer, 5);
  tokenizer.save(saved.path());
  const Json written = read_json(saved / "tokenizer.json");
  EXPECT_EQ(written["added_tokens"][1]["special"], false);
  EXPECT_EQ(written["model"]["ignore_merges"], true);
  EXPECT_EQ(written["model"]["vocab"]["zzz"], 430);
  EXPECT_EQ(written["model"]["vocab"].size(), 421u);
}

// A character vocabulary of someone else's may have both 'A' and <0x41>.
TEST(TokenizerSave, TellsACharacterFromItsByteToken) {
  Json json = read_json(test::fixture("tokenizer/char.json"));
  ASSERT_TRUE(json["model"]["vocab"].contains("A"));
  json["model"]["vocab"]["<0x41>"] = 356;
  const test::ScratchFolder source;
  write_json(source / "tokenizer.json", json);
  const Tokenizer tokenizer = Tokenizer::load(source.path());
  EXPECT_EQ(tokenizer.token_bytes(356), "A");
  EXPECT_EQ(tokenizer.encode("A"),
            std::vector<TokenId>{json["model"]["vocab"]["A"].get<TokenId>()});
  check_round_trip(tokenizer, 3);
}

// The class in tokenizer_config.json decides how transformers builds the tokenizer:
// docs/tokenizer.md.
TEST(TokenizerSave, NamesTheClassThatTransformersShallUse) {
  const auto saved_class = [](const TokenizerTrainOptions& options) -> std::string {
    const test::ScratchFolder folder;
    test::train_on("some text, some more text", options).save(folder.path());
    const Json config = read_json(folder / "tokenizer_config.json");
    EXPECT_EQ(config.contains("eos_token"), !options.special_tokens.empty());
    return config["tokenizer_class"];
  };
  EXPECT_EQ(saved_class({.vocab_size = 300}), "GPT2Tokenizer");
  EXPECT_EQ(saved_class({.vocab_size = 300, .special_tokens = {}}), "PreTrainedTokenizerFast");
  EXPECT_EQ(saved_class({.type = TokenizerType::kChar}), "PreTrainedTokenizerFast");
  EXPECT_EQ(saved_class({.type = TokenizerType::kByte}), "PreTrainedTokenizerFast");
}

TEST(TokenizerSave, LeavesOtherFilesAndSaysWhereItFailed) {
  const test::ScratchFolder folder;
  write_file(folder / "config.json", "{}");
  const Tokenizer tokenizer = test::train_on("ab ab", {.vocab_size = 300});
  tokenizer.save(folder.path());
  EXPECT_EQ(read_file(folder / "config.json"), "{}");
  write_file(folder / "file", "");
  const Error error = test::thrown_by([&] { tokenizer.save(folder / "file"); });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
  EXPECT_TRUE(test::mentions(error, (folder / "file").string()));
}

}  // namespace
}  // namespace inkstone
