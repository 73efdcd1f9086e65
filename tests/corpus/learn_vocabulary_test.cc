// A vocabulary is learnt from the text that `prepare` gives to a model.
#include "inkstone/vocabulary.h"

#include <random>

#include "base/file.h"
#include "inkstone/prepare.h"
#include "support.h"

namespace inkstone {
namespace {

std::string book(const std::string& line_end) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += "The quick brown fox" + line_end + "jumps over it." + line_end + line_end;
  return text;
}

class LearnVocabulary : public ::testing::Test {
 protected:
  LearntVocabulary learn(const std::string& bytes, const VocabularyObserver& observer = {}) {
    write_file(folder_ / "book.txt", bytes);
    options_.inputs = {folder_ / "book.txt"};
    options_.train.vocab_size = 300;
    return learn_vocabulary(options_, observer);
  }

  std::vector<std::string> tokens_with(const Tokenizer& tokenizer, char byte) {
    std::vector<std::string> found;
    for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
      const std::string bytes(tokenizer.token_bytes(id));
      if (bytes.size() > 1 && bytes.find(byte) != bytes.npos) found.push_back(bytes);
    }
    return found;
  }

  test::ScratchFolder folder_;
  VocabularyOptions options_;
};

TEST_F(LearnVocabulary, LearnsNoMergeThatPreparedTextNeverHas) {
  const Tokenizer from_crlf = learn(book("\r\n")).tokenizer;
  const Tokenizer from_lf = learn(book("\n")).tokenizer;
  EXPECT_TRUE(tokens_with(from_crlf, '\r').empty());
  ASSERT_EQ(from_crlf.vocab_size(), from_lf.vocab_size());
  for (TokenId id = 0; id < from_lf.vocab_size(); ++id)
    EXPECT_EQ(from_crlf.token_bytes(id), from_lf.token_bytes(id));
}

TEST_F(LearnVocabulary, LearnsFromTheBytesWhenAskedTo) {
  options_.clean = kNoCleaning;
  EXPECT_FALSE(tokens_with(learn(book("\r\n")).tokenizer, '\r').empty());
}

TEST_F(LearnVocabulary, WithoutAnyTextItSaysWhyAndWhatToDo) {
  const Error error = test::thrown_by([&] { learn("%PDF-1.5\n"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "no text found: all was left out: '"));
  EXPECT_TRUE(test::mentions(error, "convert it to text first"));
}

// Two hundred words of random letters, each so many times: a merge is as frequent as its word. The
// last of them are rarer.
TEST_F(LearnVocabulary, WarnsOfTokensThatHardlyOccur) {
  std::mt19937 random(7);
  std::vector<std::string> words(200, " ");
  for (std::string& word : words) {
    for (int i = 0; i < 8; ++i) word += static_cast<char>('a' + random() % 26);
  }
  const auto warnings = [&](int64_t times, size_t rare = 0) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) {
      const bool is_rare = i + rare >= words.size();
      for (int64_t n = is_rare ? kRareMerge - 1 : times; n > 0; --n) text += words[i];
    }
    write_file(folder_ / "words.txt", text);
    options_.inputs = {folder_ / "words.txt"};
    options_.train.vocab_size = 1500;
    return learn_vocabulary(options_).report.warnings;
  };
  EXPECT_TRUE(warnings(kRareMerge).empty());
  EXPECT_TRUE(warnings(kRareMerge, 10).empty()) << "few of them";
  EXPECT_EQ(warnings(kRareMerge, 40).size(), 1u);
  ASSERT_EQ(warnings(kRareMerge - 1).size(), 1u);
  const std::string warning = warnings(kRareMerge - 1)[0].english();
  EXPECT_NE(warning.find("fewer than 5 times"), warning.npos) << warning;
}

TEST_F(LearnVocabulary, CountsWhatItReadAndReportsWhatItLeftOut) {
  std::vector<std::string> left_out;
  const auto learnt = learn(
      "one two three\n<|endoftext|>\n\x01\n<|endoftext|>\none two\r\n",
      {.on_left_out = [&](const DroppedDocument& d) { left_out.push_back(d.reason.english()); }});
  EXPECT_EQ(learnt.report.documents, 2);
  EXPECT_EQ(learnt.report.bytes, 14 + 8);
  EXPECT_EQ(left_out, (std::vector<std::string>{"blank"}));
  EXPECT_EQ(learnt.report.left_out, 1);
}

TEST_F(LearnVocabulary, HoldsOutWhatItMeasuresOn) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "text " + std::to_string(i) + "\n<|endoftext|>\n";
  options_.held_out = 0.5;
  int64_t sampled = 0;
  const auto learnt = learn(text, {.on_sample = [&](std::string_view part) {
                              sampled += static_cast<int64_t>(part.size());
                            }});
  EXPECT_EQ(learnt.report.held_out_bytes, sampled);
  EXPECT_EQ(learnt.report.train.text_bytes, learnt.report.bytes - sampled);
  EXPECT_GT(4 * sampled, learnt.report.bytes);
  EXPECT_LT(4 * sampled, 3 * learnt.report.bytes);
}

TEST_F(LearnVocabulary, EndsWhenAskedTo) {
  EXPECT_THROW(learn(book("\n"), {.stop = [] { return true; }}), Interrupted);
}

}  // namespace
}  // namespace inkstone
