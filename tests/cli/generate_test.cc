// `inkstone generate`: the same seed, the same text; stopping; streaming; inputs and outputs.
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/utf8.h"
#include "workspace.h"

namespace inkstone::test {
namespace {

class GenerateTest : public Workspace {
 protected:
  GenerateTest() { make_run(); }

  // Standard output of generate with these words.
  std::string text(Words more, const std::string& input = "") const {
    Words words = {"generate", "run", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run_well(words, input).out;
  }

  // Of --json: "PROMPT INDEX/SAMPLE INDEX" to text.
  std::map<std::string, std::string> texts(Words more) const {
    more.push_back("--json");
    std::map<std::string, std::string> found;
    std::istringstream lines(text(std::move(more)));
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      found[json["prompt"].get<std::string>() + "/" + json["sample_index"].dump()] =
          json["text"].get<std::string>();
    }
    return found;
  }
};

TEST_F(GenerateTest, GreedyIsTheSameEveryTime) {
  const Words words = {"--temperature", "0",  "--prompt",    "1 little",
                       "--max-tokens",  "40", "--ignore-eos"};
  const std::string first = text(words);
  EXPECT_EQ(first, text(words));
  EXPECT_EQ(first.find("1 little"), 0u);
}

TEST_F(GenerateTest, OneSeedWritesOneTextWhateverTheBatch) {
  const Words common = {"--prompt", "1 little", "--seed", "7", "--max-tokens", "30"};
  const auto with = [&](Words more) {
    more.insert(more.end(), common.begin(), common.end());
    return texts(more);
  };
  const auto alone = with({"-n", "1"});
  const auto many = with({"-n", "5", "--parallel", "5"});
  EXPECT_EQ(many.size(), 5u);
  EXPECT_EQ(many.at("1 little/0"), alone.at("1 little/0"));
  EXPECT_NE(many.at("1 little/0"), many.at("1 little/1"));
  EXPECT_EQ(with({"-n", "5", "--parallel", "1"}), many);
  EXPECT_EQ(with({"-n", "5", "--parallel", "2"}), many);
  EXPECT_NE(texts({"--prompt", "1 little", "--seed", "8", "--max-tokens", "30"}).at("1 little/0"),
            alone.at("1 little/0"));
}

TEST_F(GenerateTest, WritesNoneOfAStopString) {
  const Words greedy = {"--temperature", "0",  "--prompt",         "1 little",
                        "--max-tokens",  "60", "--completion-only"};
  const std::string whole = text(greedy);
  ASSERT_GT(whole.size(), 12u);
  const std::string stop = whole.substr(5, 3);
  Words words = greedy;
  words.insert(words.end(), {"--stop", "never in it", "--stop", stop});
  EXPECT_EQ(text(words), whole.substr(0, whole.find(stop)) + "\n");
}

TEST_F(GenerateTest, PromptsComeFromEverywhere) {
  const Words greedy = {"--temperature", "0", "--max-tokens", "10"};
  const auto with = [&](Words more, const std::string& input = "") {
    more.insert(more.end(), greedy.begin(), greedy.end());
    return text(more, input);
  };
  const std::string expected = with({"--prompt", "2 little"});
  write("prompt.txt", "2 little");
  EXPECT_EQ(with({"--prompt-file", "prompt.txt"}), expected);
  EXPECT_EQ(with({"--prompt-file", "-"}, "2 little"), expected);
  EXPECT_EQ(with({"--prompt", "-"}, "2 little"), expected);
  write("prompts.txt", "2 little\n\n{\"prompt\": \"3 little\", \"id\": 9}\r\n\"4 \\u006cittle\"\n");
  const auto several = texts(
      {"--prompts-file", "prompts.txt", "--temperature", "0", "--max-tokens", "10"});
  ASSERT_EQ(several.size(), 3u);
  EXPECT_EQ("2 little" + several.at("2 little/0") + "\n", expected);
  EXPECT_TRUE(several.contains("3 little/0") && several.contains("4 little/0"));
  write("bad.txt", "fine\n{\"question\": 1}\n");
  expect_refused(1, {"generate", "run", "--prompts-file", "bad.txt"},
                 {"bad.txt", "line 2", "prompt"});
  write("none.txt", "\n\n");
  expect_refused(1, {"generate", "run", "--prompts-file", "none.txt"}, {"none.txt", "no prompt"});
}

TEST_F(GenerateTest, AnEmptyPromptIsANewDocument) {
  EXPECT_EQ(texts({"--seed", "1", "--max-tokens", "20"}),
            texts({"--prompt", "", "--seed", "1", "--max-tokens", "20"}));
}

TEST_F(GenerateTest, NoTokensAreNoText) {
  EXPECT_EQ(text({"--prompt", "hello", "--max-tokens", "0"}), "hello\n");
  EXPECT_EQ(text({"--prompt", "hello", "--max-tokens", "0", "--completion-only"}), "\n");
}

TEST_F(GenerateTest, WritesAFileWholeOrNotAtAll) {
  const Words words = {"--prompt", "5 little", "--seed", "3", "--max-tokens", "20"};
  Words to_file = words;
  to_file.insert(to_file.end(), {"-o", "out.txt"});
  EXPECT_EQ(text(to_file), "");
  EXPECT_EQ(read("out.txt"), text(words));
  // And leaves the file.
  expect_refused(2, {"generate", "run", "-o", "out.txt", "--top-p", "7"}, {"top-p"});
}

TEST_F(GenerateTest, GoesOnPastTheContext) {
  for (const char* count : {"16", "17", "100"}) {
    const auto found = texts(
        {"--max-tokens", count, "--ignore-eos", "--seed", "1", "--prompt", "1 little"});
    EXPECT_GE(found.at("1 little/0").size(), std::stoul(count));
  }
  const std::string prompt = verses(3);  // longer than the context
  EXPECT_EQ(text({"--prompt", prompt, "--max-tokens", "5"}).find(prompt), 0u);
}

TEST_F(GenerateTest, AReaderThatLeavesEndsItQuietly) {
  const Outcome outcome = run_shell(
      "{ inkstone generate run --threads 1 --ignore-eos --max-tokens 1000000; echo status $? >&2; "
      "} | head -c 1",
      folder());
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out.size(), 1u);
  EXPECT_EQ(outcome.err, "status 1\n");
}

class GenerateStreamTest : public Workspace {};

// A model of bytes that has learnt a text of long characters by heart: each of them is written in
// several tokens.
TEST_F(GenerateStreamTest, NeverPrintsHalfACharacter) {
  std::string poem;
  for (int i = 0; i < 60; ++i) poem += "春眠不觉晓🙂";
  make_data(poem, "byte");
  run_well(training("run", {"--steps", "250", "--eval-every", "0"}));
  const Outcome outcome = run_inkstone(
      Launch{.arguments = {"generate", "run", "--prompt", "春眠不觉晓🙂春眠",
                           "--temperature", "0", "--max-tokens", "57", "--threads", "1"},
             .folder = folder(),
             .one_chunk_per_write = true});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  ASSERT_EQ(outcome.out.find("春眠不觉晓🙂春眠不觉晓🙂春眠不觉晓🙂"), 0u)
      << "the model has not learnt it: " << outcome.out;
  EXPECT_GE(outcome.chunks.size(), 10u) << "it did not stream";
  for (const std::string& chunk : outcome.chunks) EXPECT_TRUE(is_valid_utf8(chunk)) << chunk;
}

}  // namespace
}  // namespace inkstone::test
