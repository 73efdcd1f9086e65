// Fine-tuning on records with a completion, as a user does it.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "workspace.h"

namespace inkstone::test {
namespace {

using nlohmann::json;

const char* const kAnswers[] = {"one little duck", "hill", "far away", "went out one day"};

// Questions with answers of the same few kinds: something that a small model learns to end.
std::string records(const std::string& shape, int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const std::string question = std::to_string(i / 4) + " " + "abcd"[i % 4] + "? ";
    const std::string answer = kAnswers[i % 4];
    json record;
    if (shape == "pairs") record = {{"prompt", question}, {"completion", answer}};
    if (shape == "alpaca") record = {{"instruction", question}, {"output", answer}};
    if (shape == "messages") {
      record["messages"] = {{{"role", "user"}, {"content", question}},
                            {{"role", "assistant"}, {"content", answer}}};
    }
    lines += record.dump() + "\n";
  }
  return lines;
}

class Completions : public Workspace {
 protected:
  // A model of the characters of verses, with room for a record.
  void make_model() const {
    make_data(verses(60) + "User: Assistant: System: abcd?\n", "char");
    run_well({"train", "--data", "data", "-o", "run", "--layers", "2", "--heads", "2", "--width",
              "64", "--context", "64", "--lr", "3e-3", "--batch", "4", "--threads", "2", "--steps",
              "20"});
  }
  Words finetuning(const std::string& file, Words more = {}) const {
    Words words = {"finetune", "run",        file,   "-o",        "tuned", "--threads",
                   "2",        "--lr",       "4e-3", "--dropout", "0",     "--steps",
                   "120",      "--patience", "0",    "--batch",   "4"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  double ended_share(const Words& command, const std::string& input) const {
    int ended = 0, all = 0;
    for (const json& line : json_lines(run_well(command, input).out)) {
      ended += line["finish"] == "end" ? 1 : 0;
      ++all;
    }
    EXPECT_EQ(all, 100);
    return static_cast<double>(ended) / all;
  }
};

TEST_F(Completions, AFineTunedModelEndsByItself) {
  make_model();
  write("pairs.jsonl", records("pairs", 80));
  const Outcome outcome = run_well(finetuning("pairs.jsonl"));
  EXPECT_NE(outcome.err.find("80 records are {prompt, completion}"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("tokens of completions are trained"), std::string::npos);
  std::string prompts;
  for (int i = 0; i < 100; ++i) prompts += std::to_string(i % 20) + " " + "abcd"[i % 4] + "? \n";
  write("prompts.txt", prompts);
  EXPECT_GE(ended_share({"generate", "tuned", "--prompts-file", "prompts.txt", "--json", "--seed", "1",
                         "--max-tokens", "60"},
                        ""),
            0.95);
}

TEST_F(Completions, ChatWritesTurnsAsTheyWereLearnt) {
  make_model();
  write("talk.jsonl", records("messages", 80));
  run_well(finetuning("talk.jsonl"));
  EXPECT_NE(read("tuned/best/turn_template.json").find("Assistant:"), std::string::npos);
  EXPECT_NE(read("tuned/best/tokenizer_config.json").find("chat_template"), std::string::npos);
  const Words chat = {"chat", "tuned", "--seed", "1", "--max-tokens", "60", "--temperature", "0"};
  std::string typed;
  for (int i = 0; i < 8; ++i) typed += std::to_string(i) + " " + "abcd"[i % 4] + "? \n/clear\n";
  const std::string replies = run_well(chat, typed).out;
  int known = 0;
  for (size_t at = 0; at < replies.size();) {
    const size_t end = std::min(replies.find('\n', at), replies.size());
    const std::string line = replies.substr(at, end - at);
    known += std::find(std::begin(kAnswers), std::end(kAnswers), line) != std::end(kAnswers);
    at = end + 1;
  }
  EXPECT_GE(known, 7) << replies;
  Words allowing = chat;
  allowing.insert(allowing.end(), {"--special", "allow"});
  expect_refused(2, allowing, {"--special allow", "--template none"});
  Words plain = chat;
  plain.insert(plain.end(), {"--template", "none"});
  EXPECT_NE(run_well(plain, typed).out, replies);
}

TEST_F(Completions, EveryShapeAndFormatTrains) {
  make_model();
  write("a.jsonl", records("alpaca", 40));
  write("t.csv", "prompt,completion\n1 a? ,hill\n2 a? ,hill\n3 b? ,far\n4 b? ,far\n");
  for (const std::string file : {"a.jsonl", "t.csv"}) {
    const Outcome outcome = run_well({"finetune", "run", file, "-o", "tuned-" + file, "--threads",
                                      "1", "--steps", "2", "--json", "--val-fraction", "0.3",
                                      "--prompt-loss-weight", "0.1"});
    bool has_records = false;
    for (const json& line : json_lines(outcome.out)) {
      if (line["event"] != "records") continue;
      has_records = true;
      EXPECT_GT(line["trained_tokens"].get<int>(), 0);
      EXPECT_EQ(line["completions_cut"], 0);
    }
    EXPECT_TRUE(has_records) << outcome.out;
  }
}

TEST_F(Completions, PromptsAreCutFromTheirLeftAndItIsSaid) {
  make_model();
  std::string lines;
  for (int i = 0; i < 8; ++i) {
    lines += json({{"prompt", std::string(200, 'a') + std::to_string(i) + " "},
                   {"completion", "hill"}})
                 .dump() +
             "\n";
  }
  write("long.jsonl", lines);
  const Outcome outcome = run_well(finetuning("long.jsonl", {"--val-fraction", "0"}));
  EXPECT_NE(outcome.err.find("8 prompts are cut at their beginning and 0 completions"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Completions, BadDataIsRefusedWithItsReason) {
  make_model();
  write("empty.jsonl", R"({"prompt": "a", "completion": ""})"
                       "\n");
  write("keys.jsonl", R"({"prompt": "a"})"
                      "\n");
  write("types.jsonl", R"({"messages": {"role": "user"}})"
                       "\n");
  write("long.jsonl", json({{"prompt", "a "}, {"completion", std::string(500, 'b')}}).dump());
  std::filesystem::create_directory(folder() / "mixed");
  write("mixed/a.jsonl", records("pairs", 3));
  write("mixed/b.txt", "a text\n");
  write("bad.json", "{}");
  expect_refused(1, finetuning("empty.jsonl"), {"the completion is empty"});
  expect_refused(1, finetuning("keys.jsonl"), {"no field 'text'"});
  expect_refused(1, finetuning("keys.jsonl", {"--records", "completion"}),
                 {"'completion' is missing"});
  expect_refused(1, finetuning("types.jsonl", {"--records", "completion"}),
                 {"'messages' is an object, expected an array"});
  expect_refused(2, finetuning("mixed"), {"are text", "--records"});
  expect_refused(2, finetuning("keys.jsonl", {"--records", "all"}), {"--records"});
  expect_refused(2, finetuning("keys.jsonl", {"--prompt-loss-weight", "2"}),
                 {"--prompt-loss-weight"});
  expect_refused(1, finetuning("keys.jsonl", {"--template", "bad.json"}), {"'version' is missing"});
  expect_refused(1, finetuning("keys.jsonl", {"--template", "none.json"}), {"neither a file nor"});
  // The folder with the data stays: it was made.
  const Outcome cut = run(finetuning("long.jsonl", {"--val-fraction", "0"}));
  EXPECT_EQ(cut.status, 2) << cut.err;
  EXPECT_NE(cut.err.find("give a larger --context"), std::string::npos) << cut.err;
}

}  // namespace
}  // namespace inkstone::test
