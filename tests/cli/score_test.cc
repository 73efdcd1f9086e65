// `inkstone score`: where context and completion part, special tokens, and nothing invented.
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {

class ScoreTest : public Workspace {
 protected:
  ScoreTest() { make_run(); }

  nlohmann::json score(const std::string& context, const std::string& completion,
                       Words more = {}) const {
    Words words = {"score", "run", "--json", "--context", context, "--completion", completion};
    words.insert(words.end(), more.begin(), more.end());
    return nlohmann::json::parse(run_well(words).out);
  }
};

// As lm-eval: the probability of " ducks" behind "9 little", not of "ducks" behind "9 little ".
TEST_F(ScoreTest, BlanksAtTheEndOfTheContextBelongToTheCompletion) {
  for (const std::string blanks : {" ", " \n", "\u00A0", "\u3000 "}) {
    const auto moved = score("9 little" + blanks, "ducks");
    EXPECT_EQ(moved, score("9 little", blanks + "ducks")) << blanks;
  }
  EXPECT_EQ(score("9 little ", "ducks")["tokens"].size(), 6u);
  EXPECT_EQ(score(" ", "ducks"), score("", " ducks"));  // nothing else is there
  EXPECT_EQ(score("9 little", "ducks ")["tokens"].size(), 6u);
}

TEST_F(ScoreTest, TextBecomesASpecialTokenOnlyWhenAsked) {
  EXPECT_EQ(score("a", "<|endoftext|>")["tokens"].size(), 13u);
  EXPECT_EQ(score("a", "<|endoftext|>", {"--special", "allow"})["tokens"].size(), 1u);
  EXPECT_EQ(score("<|endoftext|>", "a", {"--special", "allow"}), score("", "a"));
  EXPECT_NE(score("<|endoftext|>", "a"), score("", "a"));
  expect_refused(1, {"score", "run", "--completion", "<|endoftext|>", "--special", "refuse"},
                 {"<|endoftext|>"});
}

TEST_F(ScoreTest, NoStartTokenIsInvented) {
  run_well({"tokenizer", "train", "text.txt", "-o", "bare", "--type", "byte", "--special-tokens",
            "<|pad|>"});
  run_well({"prepare", "text.txt", "--tokenizer", "bare", "-o", "bare_data"});
  Words words = training("bare_run", {"--steps", "1"});
  words[2] = "bare_data";
  run_well(words);
  expect_refused(2, {"score", "bare_run", "--completion", "a"},
                 {"no token that begins a text", "bos_token"});
  expect_refused(2, {"generate", "bare_run"}, {"no token that begins a text", "give a prompt"});
  EXPECT_EQ(run({"score", "bare_run", "--context", "a", "--completion", "b"}).status, 0);
}

}  // namespace
}  // namespace inkstone::test
