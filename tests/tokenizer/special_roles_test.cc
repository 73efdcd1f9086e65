// Which token ends and begins a text: what a tokenizer's files and the model's say, kept by a save.
#include <gtest/gtest.h>

#include "samples.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

// A vocabulary of bytes with </s> (0), <s> (1), <|endoftext|> (2) and <pad> (3), and nothing that
// says what they are for.
class SpecialRolesTest : public ::testing::Test {
 protected:
  SpecialRolesTest() {
    test::train_on("text", {.type = TokenizerType::kByte,
                            .special_tokens = {"</s>", "<s>", "<|endoftext|>", "<pad>"}})
        .save(folder.path());
    fs::remove(folder / "tokenizer_config.json");
    fs::remove(folder / "special_tokens_map.json");
  }

  void write(const char* name, const std::string& text) const { write_file(folder / name, text); }
  Tokenizer load() const { return Tokenizer::load(folder.path()); }

  const test::ScratchFolder folder;
};

using Ids = std::vector<TokenId>;

TEST_F(SpecialRolesTest, Gpt2sMarkWhereNothingIsSaid) {
  EXPECT_EQ(load().end_of_text(), 2);
  EXPECT_EQ(load().begin_of_text(), 2);
  EXPECT_EQ(load().end_marks(), Ids{2});
}

TEST_F(SpecialRolesTest, TheModelsFiles) {
  write("config.json", R"({"eos_token_id": 0, "bos_token_id": 1})");
  EXPECT_EQ(load().end_of_text(), 0);
  EXPECT_EQ(load().begin_of_text(), 1);
  EXPECT_EQ(load().end_marks(), Ids{0});
  write("generation_config.json", R"({"eos_token_id": [3, 0]})");
  EXPECT_EQ(load().end_of_text(), 3);
  EXPECT_EQ(load().end_marks(), (Ids{3, 0}));
  EXPECT_EQ(Tokenizer::load(folder / "tokenizer.json").end_marks(), (Ids{3, 0}));
}

TEST_F(SpecialRolesTest, TheTokenizersOwnFilesComeFirst) {
  write("config.json", R"({"eos_token_id": [3, 1]})");
  write("special_tokens_map.json", R"({"eos_token": {"content": "</s>", "lstrip": false}})");
  EXPECT_EQ(load().end_of_text(), 0);
  EXPECT_EQ(load().end_marks(), (Ids{0, 3, 1}));
  write("tokenizer_config.json", R"({"eos_token": "<s>", "bos_token": null})");
  EXPECT_EQ(load().end_of_text(), 1);
  EXPECT_EQ(load().begin_of_text(), 1);
}

TEST_F(SpecialRolesTest, WhatTheVocabularyDoesNotHaveDoesNotCount) {
  write("config.json", R"({"eos_token_id": 50256})");
  write("tokenizer_config.json", R"({"eos_token": "<|im_end|>"})");
  EXPECT_EQ(load().end_of_text(), 2);
  EXPECT_EQ(load().end_marks(), Ids{2});
}

TEST_F(SpecialRolesTest, AnOrdinaryTokenMayEndATextToo) {
  write("special_tokens_map.json", R"({"eos_token": "Ċ"})");
  EXPECT_EQ(load().end_of_text(), load().token_id("\n"));
}

TEST_F(SpecialRolesTest, ASaveGivesBackWhatWasRead) {
  const std::string config =
                        R"({"eos_token":"</s>",  "chat_template": "{{ x }}", "bos_token": "<s>"})",
                    map = R"({"pad_token": "<pad>", "additional_special_tokens": ["<s>"] })",
                    vocabulary = " " + read_file(folder / "tokenizer.json");
  write("tokenizer_config.json", config);
  write("special_tokens_map.json", map);
  write("tokenizer.json", vocabulary);
  const test::ScratchFolder saved;
  load().save(saved.path());
  EXPECT_EQ(read_file(saved / "tokenizer_config.json"), config);
  EXPECT_EQ(read_file(saved / "special_tokens_map.json"), map);
  EXPECT_EQ(read_file(saved / "tokenizer.json"), vocabulary);
}

// A folder of data has no config.json: the tokenizer's own files must say it there.
TEST_F(SpecialRolesTest, ASaveNamesTheMarksThatOnlyTheModelNames) {
  write("config.json", R"({"eos_token_id": 0, "bos_token_id": 1})");
  for (const char* config : {"", R"({"padding_side": "left"})", R"({"eos_token": "<gone>"})"}) {
    if (*config != '\0') write("tokenizer_config.json", config);
    const test::ScratchFolder saved;
    load().save(saved.path());
    const Tokenizer again = Tokenizer::load(saved.path());
    EXPECT_EQ(again.end_of_text(), 0) << config;
    EXPECT_EQ(again.begin_of_text(), 1) << config;
    EXPECT_EQ(read_json(saved / "special_tokens_map.json")["eos_token"], "</s>");
    EXPECT_EQ(read_json(saved / "tokenizer_config.json")["eos_token"], "</s>");
  }
}

TEST_F(SpecialRolesTest, FilesThatAreWrongAreNamed) {
  const auto expect = [&](const char* name, const char* text, const char* part) {
    write(name, text);
    const Error error = test::thrown_by([&] { load(); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(test::mentions(error, std::string(name) + ": "));
    EXPECT_TRUE(test::mentions(error, part));
    fs::remove(folder / name);
  };
  expect("tokenizer_config.json", "{", "not valid JSON");
  expect("tokenizer_config.json", "[]", "found a JSON array");
  expect("special_tokens_map.json", R"({"eos_token": 5})", "'eos_token' is a JSON number");
  expect("special_tokens_map.json", R"({"eos_token": {"id": 5}})", "'content' is missing");
}

TEST_F(SpecialRolesTest, APointerInPlaceOfTheVocabulary) {
  write("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n");
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { load(); }), "is a Git LFS pointer"));
}

}  // namespace
}  // namespace inkstone
