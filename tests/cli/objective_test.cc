// Objectives as a user meets them: each trains, goes on, is saved, and is there when text is
// written.
#include <nlohmann/json.hpp>

#include <cmath>

#include "workspace.h"

namespace inkstone::test {
namespace {

class ObjectiveTest : public Workspace {
 protected:
  ObjectiveTest() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += verses(1 + i % 3) + "<|endoftext|>\n";
    make_data(text, "char");
  }

  static const std::vector<Words>& objectives() {
    static const std::vector<Words> all = {
        {"--separate-documents"},
        {"--mask-rate", "0.1:0.4", "--mask-unit", "word", "--mask-with", "mask"},
        {"--masked-fraction", "0.5"},
        {"--prefix-lm"},
        {"--fim-rate", "0.7"},
        {"--prefix-lm", "--masked-fraction", "0.25", "--separate-documents"},
        {"--prefix-lm", "--fim-rate", "0.5", "--separate-documents"}};
    return all;
  }

  // The first step of a run of these words.
  nlohmann::json first_step(const std::string& run, const std::string& batch,
                            const std::string& accumulate, const Words& objective) const {
    Words words = {"train", "--data",      "data", "-o",           run,        "--layers",
                   "2",     "--heads",     "2",    "--width",      "32",       "--context",
                   "16",    "--batch",     batch,  "--accumulate", accumulate, "--steps",
                   "1",     "--log-every", "1",    "--threads",    "1"};
    words.insert(words.end(), objective.begin(), objective.end());
    run_well(words);
    return json_lines(read(run + "/metrics.jsonl")).front();
  }
};

// Losses and gradients are of all that a step trains, however it is cut into micro-batches.
TEST_F(ObjectiveTest, ABatchIsItsMicroBatches) {
  int number = 0;
  for (const Words& objective : objectives()) {
    const std::string name = "run" + std::to_string(++number);
    const auto a = first_step(name, "16", "1", objective),
               b = first_step(name + "parts", "1", "16", objective);
    for (const char* key : {"loss", "grad_norm"}) {
      EXPECT_NEAR(b[key].get<double>() / a[key].get<double>(), 1, 1e-6)
          << key << " of " << objective.front();
    }
  }
}

// From the checkpoint in the middle of a finished run, as after a power failure.
TEST_F(ObjectiveTest, ARunGoesOnToTheSameBytes) {
  int number = 0;
  for (const Words& objective : objectives()) {
    const std::string name = "run" + std::to_string(++number);
    Words words = objective;
    words.insert(words.end(), {"--steps", "12", "--save-every", "6"});
    run_well(training(name, words));
    const std::string whole = read(name + "/last/model.safetensors");
    std::filesystem::remove_all(*this / name / "checkpoints/step-0000012");
    run_well({"train", "--resume", name, "--threads", "2"});
    EXPECT_TRUE(read(name + "/last/model.safetensors") == whole) << objective.front();
  }
}

TEST_F(ObjectiveTest, AMaskTokenIsAddedToldAndSaved) {
  const Outcome outcome = run_well(training("run", {"--masked-fraction", "0.25", "--steps", "5"}));
  EXPECT_NE(outcome.err.find("new special token '<|mask|>'"), std::string::npos) << outcome.err;
  EXPECT_NE(read("run/last/tokenizer_config.json").find("\"mask_token\": \"<|mask|>\""),
            std::string::npos);
  // A model that has it is trained further without another one, and one that has not gets a row.
  const Outcome again = run_well({"finetune", "run", "text.txt", "-o", "more", "--steps", "2",
                                  "--batch", "2", "--masked-fraction", "0.5"});
  EXPECT_EQ(again.err.find("new special token"), std::string::npos) << again.err;
  run_well(training("plain", {"--steps", "2"}));
  run_well({"finetune", "plain", "--data", "data", "-o", "grown", "--steps", "2", "--batch", "2",
            "--mask-rate", "0.2", "--mask-with", "mask"});
  const auto vocab_size = [&](const std::string& run) {
    return nlohmann::json::parse(read(run + "/last/config.json"))["vocab_size"].get<int64_t>();
  };
  EXPECT_EQ(vocab_size("run"), vocab_size("plain") + 1);
  EXPECT_EQ(vocab_size("more"), vocab_size("run"));
  EXPECT_EQ(vocab_size("grown"), vocab_size("run"));
  run_well({"generate", "grown", "--prompt", "1 little", "--max-tokens", "4"});
}

TEST_F(ObjectiveTest, APrefixModelSaysSoAndSeesPromptsWhole) {
  run_well(training("run", {"--prefix-lm", "--steps", "30"}));
  EXPECT_NE(read("run/last/config.json").find("\"inkstone_prefix_lm\": true"), std::string::npos);
  // The same weights without the word are another function of a prompt, but for its first token.
  std::filesystem::copy(*this / "run/last/", *this / "causal",
                        std::filesystem::copy_options::recursive);
  std::string config = read("causal/config.json");
  config.replace(config.find("\"inkstone_prefix_lm\": true"), 26, "\"inkstone_prefix_lm\": false");
  write("causal/config.json", config);
  const auto score = [&](const std::string& model, const std::string& context) {
    return run_well({"score", model, "--context", context, "--completion", " ducks"}).out;
  };
  EXPECT_NE(score("run", "1 little"), score("causal", "1 little"));
  EXPECT_EQ(score("run", "1"), score("causal", "1"));
  const Words words = {"generate", "run",    "--prompt", "1 little", "--max-tokens",
                       "40",       "--seed", "3",        "-n",       "3"};
  EXPECT_EQ(run_well(words).out, run_well(words).out);
  run_well({"finetune", "run", "text.txt", "-o", "more", "--steps", "2", "--batch", "2"});
  EXPECT_NE(read("more/last/config.json").find("\"inkstone_prefix_lm\": true"), std::string::npos);
  expect_refused(1, {"quantize", "run", "-o", "run.gguf", "--type", "q8_0"}, {"--prefix-lm"});
}

TEST_F(ObjectiveTest, AModelFillsInIfItWasTrainedTo) {
  run_well(training("run", {"--fim-rate", "0.5", "--steps", "5"}));
  const Outcome outcome = run_well({"generate", "run", "--prompt", "1 li", "--suffix", "ducks",
                                    "--max-tokens", "3", "--seed", "1"});
  EXPECT_EQ(outcome.out.find("1 li"), 0u);
  EXPECT_EQ(outcome.out.rfind("ducks\n"), outcome.out.size() - 6);
  expect_refused(2, {"generate", "run", "--prompt", "1 little", "--suffix", " ducks went"},
                 {"context of 16"});
  run_well(training("plain", {"--steps", "2"}));
  expect_refused(1, {"generate", "plain", "--prompt", "1", "--suffix", "d"}, {"--fim-rate"});
}

}  // namespace
}  // namespace inkstone::test
