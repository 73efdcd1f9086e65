#include "tokenizer/vocab_merges.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::mentions;
using test::thrown_by;

// vocab.json and merges.txt of the fixture's BPE.
class VocabAndMerges : public ::testing::Test {
 protected:
  VocabAndMerges() {
    Tokenizer::load(test::fixture("tokenizer/bpe.json")).save(folder_.path());
    vocab_ = read_file(folder_ / "vocab.json");
    merges_ = read_file(folder_ / "merges.txt");
    fs::remove(folder_ / "tokenizer.json");
  }

  test::ScratchFolder folder_;
  std::string vocab_, merges_;
};

TEST_F(VocabAndMerges, GiveTheSameTokenizer) {
  const Tokenizer tokenizer = Tokenizer::load(folder_.path());
  const Tokenizer original = Tokenizer::load(test::fixture("tokenizer/bpe.json"));
  const std::string text = test::fixture_text("text.txt") + std::string(kEndOfText) + "<pad>";
  EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAllow),
            original.encode(text, SpecialTokens::kAllow));
  EXPECT_EQ(tokenizer.special_token("<pad>"), 1);
  EXPECT_EQ(tokenizer.end_of_text(), 0);
}

TEST_F(VocabAndMerges, MayHaveWindowsLineEndsAndNoVersion) {
  std::string lines;
  for (const char c : merges_.substr(merges_.find('\n') + 1))
    lines += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(parse_merges(lines), parse_merges(merges_));
  EXPECT_EQ(parse_merges(merges_).size(), 162u);
  EXPECT_EQ(parse_merges("# #").size(), 1u);  // no comment: a merge of two number signs
  EXPECT_TRUE(parse_merges("").empty());
}

TEST_F(VocabAndMerges, AddedTokensAreSpecial) {
  write_file(folder_ / "added_tokens.json", R"({"<new>": 420, "<pad>": 1})");
  const Tokenizer tokenizer = Tokenizer::load(folder_.path());
  EXPECT_EQ(tokenizer.vocab_size(), 421);
  EXPECT_EQ(tokenizer.special_token("<new>"), 420);
}

TEST_F(VocabAndMerges, RefusesMergesThatAreCutShort) {
  for (const std::string& cut :
       {std::string(), merges_.substr(0, merges_.find('\n', merges_.size() / 2) + 1)}) {
    const Error error = thrown_by([&] { parse_vocab_and_merges(vocab_, cut); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, "merges are cut short"));
  }
}

TEST_F(VocabAndMerges, RefusesBadLines) {
  for (const char* line : {"a", "a  b", "a b c", " ", "", "#version:0.2"}) {
    const Error error = thrown_by([&] { parse_merges(merges_ + line + "\n"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << line;
    EXPECT_TRUE(mentions(error, "line 164")) << line;
  }
}

TEST_F(VocabAndMerges, RefusesBadVocabularies) {
  for (const char* text :
       {"", "[]", "1", "{", R"({"a": "b"})", R"({"a": -1})", R"({"a": {}})", R"({"a": 0} x)"}) {
    EXPECT_EQ(thrown_by([&] { parse_vocab_and_merges(text, merges_); }).code(),
              ErrorCode::kInvalidData)
        << text;
  }
  write_file(folder_ / "merges.txt", merges_ + "z Q\n");
  const Error error = thrown_by([&] { Tokenizer::load(folder_.path()); });
  EXPECT_TRUE(mentions(error, "'zQ' is not in the vocabulary"));
  EXPECT_TRUE(mentions(error, folder_.path().string()));
}

TEST(TokenizerLoad, NamesWhatIsMissing) {
  const test::ScratchFolder folder;
  Error error = thrown_by([&] { Tokenizer::load(folder / "nowhere"); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(mentions(error, "nowhere"));
  error = thrown_by([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(mentions(error, "tokenizer.json"));
  write_file(folder / "vocab.json", "{}");
  EXPECT_EQ(thrown_by([&] { Tokenizer::load(folder.path()); }).code(), ErrorCode::kNotFound);
  write_file(folder / "tokenizer.json", "");
  error = thrown_by([&] { Tokenizer::load(folder.path()); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace inkstone
