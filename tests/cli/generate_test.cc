// `inkstone generate`: the same seed, the same text; stopping; streaming; inputs and outputs.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
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

TEST_F(GenerateTest, AStopStringMayStay) {
  const Words greedy = {"--temperature", "0",  "--prompt",          "1 little",
                        "--max-tokens",  "60", "--completion-only", "--stop-keep"};
  const std::string whole = text(greedy);
  ASSERT_GT(whole.size(), 12u);
  const std::string stop = whole.substr(5, 3);
  Words words = greedy;
  words.insert(words.end(), {"--stop", stop});
  EXPECT_EQ(text(words), whole.substr(0, whole.find(stop)) + stop + "\n");
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
  write("prompts.txt", "2 little\n\n\"4 little\"\n");
  const auto several = texts(
      {"--prompts-file", "prompts.txt", "--temperature", "0", "--max-tokens", "10"});
  ASSERT_EQ(several.size(), 2u);
  EXPECT_EQ("2 little" + several.at("2 little/0") + "\n", expected);
  EXPECT_TRUE(several.contains("\"4 little\"/0"));
  write("none.txt", "\n\n");
  expect_refused(1, {"generate", "run", "--prompts-file", "none.txt"}, {"none.txt", "no prompt"});
}

TEST_F(GenerateTest, LinesAreJsonWhenEveryOneIsAnObject) {
  const auto prompts = [&](const char* file) {
    std::set<std::string> found;
    for (const auto& [key, text] : texts({"--prompts-file", file, "--max-tokens", "2"})) {
      found.insert(key.substr(0, key.size() - 2));
    }
    return found;
  };
  using Prompts = std::set<std::string>;
  write("objects.txt",
        "{\"prompt\": \"2 little\", \"id\": 9}\r\n{\"prompt\": \"3 \\u006cittle\"}\r\n");
  EXPECT_EQ(prompts("objects.txt"), (Prompts{"2 little", "3 little"}));
  write("mixed.txt", "{\"prompt\": \"2 little\"}\n3 little\n");
  EXPECT_EQ(prompts("mixed.txt"), (Prompts{"{\"prompt\": \"2 little\"}", "3 little"}));
  const Outcome mixed = run_well(
      {"generate", "run", "--prompts-file", "mixed.txt", "--max-tokens", "1"});
  EXPECT_NE(mixed.err.find("every line is taken as text, line 1 too"), std::string::npos)
      << mixed.err;
  write("code.txt", "{\n{x}\n");
  EXPECT_EQ(prompts("code.txt"), (Prompts{"{", "{x}"}));
  write("strings.jsonl", "{\"prompt\": \"2 little\"}\n\"4 \\u006cittle\"\n");
  EXPECT_EQ(prompts("strings.jsonl"), (Prompts{"2 little", "4 little"}));
  write("python.jsonl",
        "{\"score\": NaN, \"prompt\": \"2 NaN\"}\n{\"n\": 1e999, \"prompt\": \"3 \\ud800 1\"}\n");
  EXPECT_EQ(prompts("python.jsonl"), (Prompts{"2 NaN", "3 \uFFFD 1"}));
}

TEST_F(GenerateTest, PromptsAreDecodedAsPrepareDecodesText) {
  const auto prompts = [&](Words more) {
    std::set<std::string> found;
    more.insert(more.end(), {"--max-tokens", "2"});
    for (const auto& [key, text] : texts(more)) found.insert(key.substr(0, key.size() - 2));
    return found;
  };
  using Prompts = std::set<std::string>;
  write("bom.jsonl", "\xEF\xBB\xBF{\"prompt\": \"Hello\"}\r\n{\"prompt\": \"World\"}\r\n");
  EXPECT_EQ(prompts({"--prompts-file", "bom.jsonl"}), (Prompts{"Hello", "World"}));
  write("utf16.txt", std::string("\xFF\xFEH\0i\0\r\0\n\0y\0o\0", 14));
  EXPECT_EQ(prompts({"--prompts-file", "utf16.txt"}), (Prompts{"Hi", "yo"}));
  write("gbk.txt", "\xBA\xEC\xC2\xA5");
  EXPECT_EQ(prompts({"--prompt-file", "gbk.txt", "--encoding", "gbk"}), (Prompts{"红楼"}));
  const Outcome guessed = run_well(
      {"generate", "run", "--prompt-file", "gbk.txt", "--max-tokens", "1"});
  EXPECT_NE(guessed.err.find("which is a guess"), std::string::npos) << guessed.err;
}

TEST_F(GenerateTest, OneBadLineNeverLosesTheOthers) {
  write("bad.jsonl",
        "{\"prompt\": \"2 little\"}\n{\"question\": 1}\n{\"prompt\": \"3 lit\nnonsense\n"
        "{\"prompt\": 7}\n{\"prompt\": \"4 little\"}\n");
  const Outcome outcome = run({"generate", "run", "--prompts-file", "bad.jsonl", "--json",
                               "--max-tokens", "2", "-o", "out.jsonl"});
  EXPECT_EQ(outcome.status, 1);
  for (const char* part : {"'bad.jsonl', line 2: 'prompt' is missing; this line is left out",
                           "line 3: not valid JSON", "line 4: ", "line 5: 'prompt' is a JSON"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in " << outcome.err;
  }
  const std::string written = read("out.jsonl");
  EXPECT_NE(written.find("\"prompt\":\"2 little\""), std::string::npos) << written;
  EXPECT_NE(written.find("\"line\":6"), std::string::npos) << written;
  EXPECT_EQ(std::ranges::count(written, '\n'), 2);
  write("worse.jsonl", "nonsense\n");
  expect_refused(1, {"generate", "run", "--prompts-file", "worse.jsonl"},
                 {"worse.jsonl', line 1", "no line that gives a prompt"});
}

TEST_F(GenerateTest, TextBecomesASpecialTokenOnlyWhenAsked) {
  const auto prompt_tokens = [&](const std::string& special) {
    const auto line = text(
        {"--json", "--max-tokens", "1", "--prompt", "<|endoftext|>", "--special", special});
    return nlohmann::json::parse(line)["prompt_tokens"].get<int>();
  };
  EXPECT_EQ(prompt_tokens("text"), 13);
  EXPECT_EQ(prompt_tokens("allow"), 1);
  const Words words = {"generate", "run", "--max-tokens", "1", "--prompt", "<|endoftext|>"};
  EXPECT_NE(run_well(words).err.find("--special allow"), std::string::npos);
  Words refusing = words;
  refusing.insert(refusing.end(), {"--special", "refuse"});
  expect_refused(1, refusing, {"<|endoftext|>", "byte 0"});
  write("some.txt", "2 little\n<|endoftext|>\n");
  const Outcome outcome = run({"generate", "run", "--prompts-file", "some.txt", "--special",
                               "refuse", "--max-tokens", "1"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("'some.txt', line 2"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("2 little"), std::string::npos);
}

TEST_F(GenerateTest, LogprobsTellOfEveryTokenTheLikeliest) {
  const Words words = {"--prompt", "1 little",     "--seed", "4",  "--max-tokens",
                       "12",       "--ignore-eos", "--json", "-n", "2"};
  const std::string without = text(words);
  Words more = words;
  more.insert(more.end(), {"--logprobs", "3"});
  std::istringstream lines(text(more)), plain_lines(without);
  for (std::string line, plain; std::getline(lines, line) && std::getline(plain_lines, plain);) {
    auto json = nlohmann::json::parse(line);
    const auto told = json["logprobs"];
    json.erase("logprobs");
    EXPECT_EQ(json, nlohmann::json::parse(plain));  // keys are added, nothing else changes
    ASSERT_EQ(told.size(), 12u);
    std::string written;
    for (size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i]["id"], json["tokens"][i]);
      EXPECT_EQ(told[i]["logprob"], json["log_probs"][i]);
      if (told[i].contains("bytes")) {
        const auto bytes = told[i]["bytes"].get<std::vector<uint8_t>>();
        EXPECT_FALSE(is_valid_utf8(std::string(bytes.begin(), bytes.end())));
        written.append(bytes.begin(), bytes.end());
      } else {
        written += told[i]["text"].get<std::string>();
      }
      ASSERT_EQ(told[i]["top"].size(), 3u);
      for (const auto& likely : told[i]["top"]) {
        EXPECT_LE(likely["logprob"], told[i]["top"][0]["logprob"]);
        if (likely["id"] == told[i]["id"]) {
          EXPECT_EQ(likely["logprob"], told[i]["logprob"]);
        }
      }
      EXPECT_LE(told[i]["logprob"], told[i]["top"][0]["logprob"]);
    }
    EXPECT_TRUE(written.starts_with(json["text"].get<std::string>()));  // but for half a character
  }
  expect_refused(2, {"generate", "run", "--prompt", "x", "--logprobs", "3"}, {"--json"});
  expect_refused(2, {"generate", "run", "--json", "--logprobs", "21"}, {"--logprobs", "0 to 20"});
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
  const Outcome outcome = run_well({"generate", "run", "--prompt", prompt, "--max-tokens", "5"});
  EXPECT_EQ(outcome.out.find(prompt), 0u);
  EXPECT_NE(outcome.err.find("more than the model's context of 16: its last 11 were given"),
            std::string::npos)
      << outcome.err;
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

class GenerateStreamTest : public Workspace {
 protected:
  // A model of bytes that has learnt a text of long characters by heart: each of them is written in
  // several tokens.
  void learn_poem() const {
    std::string poem;
    for (int i = 0; i < 60; ++i) poem += "春眠不觉晓🙂";
    make_data(poem, "byte");
    run_well(training("run", {"--steps", "250", "--eval-every", "0"}));
  }
};

TEST_F(GenerateStreamTest, NeverPrintsHalfACharacter) {
  learn_poem();
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

TEST_F(GenerateStreamTest, EndsWithAWholeCharacterAndOnlyBytesAreKeptAsBytes) {
  learn_poem();
  const auto written = [&](const char* count, Words more) {
    Words words = {"generate",      "run", "--prompt",         "春眠不觉晓🙂春眠",
                   "--temperature", "0",   "--max-tokens",     count,
                   "--threads",     "1",   "--completion-only"};
    words.insert(words.end(), more.begin(), more.end());
    return run_well(words).out;
  };
  const std::string whole = written("3", {});
  ASSERT_EQ(whole, "不\n") << "the model has not learnt it";
  for (const char* count : {"4", "5"}) {
    EXPECT_EQ(written(count, {}), whole);
    EXPECT_EQ(written(count, {"-n", "2"}).find("不\n==="),
              std::string_view("=== prompt 1, sample 1\n").size());
    const auto text = nlohmann::json::parse(written(count, {"--json"}));
    EXPECT_EQ(text["text"], "不");
    EXPECT_FALSE(text.contains("bytes")) << text;
    EXPECT_EQ(text["tokens"].size(), std::stoul(count));
    EXPECT_EQ(written(count, {"--bytes"}), whole);
    const auto json = nlohmann::json::parse(written(count, {"--json", "--bytes"}));
    EXPECT_EQ(json["text"], "不");
    const auto bytes = json.at("bytes").get<std::vector<uint8_t>>();
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()),
              std::string("不觉").substr(0, std::stoul(count)));
  }
  EXPECT_FALSE(nlohmann::json::parse(written("3", {"--json", "--bytes"})).contains("bytes"));
}

// Models that have learnt next to nothing, of every kind of vocabulary.
class GenerateTextTest : public Workspace {
 protected:
  static constexpr const char* kVerse =
      "床前明月光，疑是地上霜。举头望明月，低头思故乡🙂。\n";

  void learn(const std::string& type) const {
    std::string poems;
    for (int i = 0; i < 60; ++i) poems += kVerse;
    write("text.txt", poems);
    Words train = {"tokenizer", "train", "text.txt", "-o", "vocabulary", "--type", type};
    if (type == "bpe") train.insert(train.end(), {"--vocab-size", "300"});
    run_well(train);
    run_well({"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "data"});
    run_well(training("run", {"--steps", "5", "--eval-every", "0"}));
  }

  // Texts in which something is no UTF-8, of 40, in what --json gives.
  int broken(Words more) const {
    Words words = {"generate",
                   "run",
                   "-n",
                   "20",
                   "--prompts-file",
                   "prompts.txt",
                   "--json",
                   "--max-tokens",
                   "50",
                   "--temperature",
                   "1.5",
                   "--seed",
                   "1",
                   "--threads",
                   "1"};
    words.insert(words.end(), more.begin(), more.end());
    std::istringstream lines(run_well(words).out);
    int count = 0, all = 0;
    for (std::string line; std::getline(lines, line); ++all) {
      const auto json = nlohmann::json::parse(line);
      const auto text = json["text"].get<std::string>();
      count += json.contains("bytes") || text.find("\uFFFD") != std::string::npos;
    }
    EXPECT_EQ(all, 40);
    return count;
  }
};

TEST_F(GenerateTextTest, IsWholeCharactersWithEveryTypeOfVocabulary) {
  write("prompts.txt", "床前\nverse\n");
  for (const char* type : {"bpe", "char", "byte"}) {
    SCOPED_TRACE(type);
    for (const char* name : {"vocabulary", "data", "run"})
      std::filesystem::remove_all(*this / name);
    learn(type);
    EXPECT_EQ(broken({}), 0);
    EXPECT_EQ(broken({"--top-k", "7", "--repetition-penalty", "1.3"}), 0);
    EXPECT_GT(broken({"--bytes"}), 30);
    const Words words = {"generate", "run",          "--prompt",      "床",  "--max-tokens",
                         "300",      "--ignore-eos", "--temperature", "1.5", "--seed",
                         "2"};
    const std::string shown = run_well(words).out;
    EXPECT_TRUE(is_valid_utf8(shown));
    EXPECT_EQ(shown.find("\uFFFD"), std::string::npos) << shown;
  }
}

TEST_F(GenerateTextTest, APromptOfOtherBytesIsToldOf) {
  learn("byte");
  const Outcome outcome = run_well(
      {"generate", "run", "--prompt", "caf\xE9", "--max-tokens", "40", "--seed", "1"});
  EXPECT_NE(outcome.err.find("note: the prompt is not UTF-8"), std::string::npos) << outcome.err;
  const Outcome quiet = run_well(
      {"generate", "run", "--prompt", "caf\xE9", "--max-tokens", "40", "--seed", "1", "--bytes"});
  EXPECT_EQ(quiet.err.find("UTF-8"), std::string::npos) << quiet.err;
  EXPECT_EQ(outcome.out, quiet.out);
}

}  // namespace
}  // namespace inkstone::test
