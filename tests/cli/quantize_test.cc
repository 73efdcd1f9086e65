// `inkstone quantize`, and GGUF files wherever a model is taken.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {

class QuantizeCommandTest : public Workspace {
 protected:
  // A run whose vocabulary GGUF can say: BPE with an end mark.
  QuantizeCommandTest() {
    make_data(verses(80), "bpe");
    run_well(training("run"));
  }
};

TEST_F(QuantizeCommandTest, AGgufIsTakenWhereAModelIs) {
  const Words common = {"--prompt",     "1 little", "--temperature", "0",
                        "--max-tokens", "20",       "--ignore-eos"};
  const auto writes = [&](const std::string& model) {
    Words words = {"generate", model};
    words.insert(words.end(), common.begin(), common.end());
    return run_well(words).out;
  };
  const std::string out = run_well({"quantize", "run", "-o", "whole.gguf", "--type", "f32"}).out;
  EXPECT_NE(out.find("whole.gguf"), std::string::npos);
  EXPECT_NE(out.find("f32"), std::string::npos);
  EXPECT_EQ(writes("whole.gguf"), writes("run"));
  run_well({"quantize", "whole.gguf", "-o", "small.gguf", "--type", "q8_0"});
  EXPECT_EQ(writes("small.gguf").find("1 little"), 0u);
  const auto score = [&](const std::string& model) {
    return std::stod(
        run_well({"score", model, "--context", "1 little", "--completion", " verse"}).out);
  };
  EXPECT_NEAR(score("whole.gguf"), score("run"), 1e-3);
  EXPECT_NEAR(score("small.gguf"), score("run"), 0.2);
  EXPECT_EQ(run_well({"chat", "small.gguf", "--max-tokens", "5"}, "1 little\n").out.empty(), false);
  run_well({"eval", "small.gguf", "text.txt"});
  const auto info = json_lines(run_well({"info", "small.gguf", "--json"}).out).at(0);
  EXPECT_EQ(info["kind"], "model");
  EXPECT_GT(info["parameters"], 0);
  EXPECT_TRUE(info["weights"].is_array());
  run_well({"finetune", "small.gguf", "text.txt", "-o", "tuned", "--steps", "2"});
}

TEST_F(QuantizeCommandTest, SaysWhatIsLost) {
  const auto json = json_lines(run_well({"quantize", "run", "-o", "small.gguf", "--type", "q8_0",
                                         "--eval", "text.txt", "--importance", "text.txt",
                                         "--window", "16", "--json"})
                                   .out)
                        .at(0);
  EXPECT_EQ(json["output"], "small.gguf");
  EXPECT_GT(json["eval"]["tokens"], 0);
  EXPECT_GT(json["eval"]["same_top"], 0.8);
  EXPECT_NEAR(
      json["eval"]["perplexity"].get<double>() / json["eval"]["perplexity_before"].get<double>(), 1,
      0.05);
  EXPECT_FALSE(json["tensors"].empty());
}

// The comparison is with what the file was before.
TEST_F(QuantizeCommandTest, AFileMayBeWrittenOver) {
  run_well({"quantize", "run", "-o", "model.gguf", "--type", "f32"});
  const auto json = json_lines(run_well({"quantize", "model.gguf", "-o", "model.gguf", "--type",
                                         "q4_0", "--eval", "text.txt", "--window", "16", "--json"})
                                   .out)
                        .at(0);
  EXPECT_NE(json["eval"]["perplexity"], json["eval"]["perplexity_before"]);
}

TEST_F(QuantizeCommandTest, WeightsAreConvertedWhileLoading) {
  const auto score = [&](const std::string& weights) {
    return std::stod(run_well({"score", "run", "--weights", weights, "--context", "1 little",
                               "--completion", " verse"})
                         .out);
  };
  for (const char* weights : {"auto", "f32", "bf16", "f16", "q8_0"})
    EXPECT_NEAR(score(weights), score("f32"), 0.2) << weights;
}

TEST_F(QuantizeCommandTest, KeysAndValuesAreHeldAsToldTo) {
  Words words = training("wide");  // one head of 32 channels; "run" has two of 16
  *(std::ranges::find(words, "--heads") + 1) = "1";
  run_well(words);
  const auto score = [&](const std::string& cache) {
    return std::stod(run_well({"score", "wide", "--cache", cache, "--context", "1 little",
                               "--completion", " verse"})
                         .out);
  };
  for (const char* cache : {"auto", "f16", "bf16", "q8_0"})
    EXPECT_NEAR(score(cache), score("f32"), 0.1) << cache;
  run_well({"generate", "wide", "--cache", "q8_0", "--prompt", "1", "--max-tokens", "4"});
  run_well({"eval", "wide", "text.txt", "--cache", "f16"});
  expect_refused(1, {"generate", "run", "--cache", "q8_0", "--prompt", "1"},
                 {"16 channels", "multiple of 32", "f16"});
  expect_refused(2, {"generate", "run", "--cache", "q4_0"}, {"--cache", "q4_0"});
}

TEST_F(QuantizeCommandTest, RefusesBeforeItWorks) {
  const auto refused = [&](int status, Words more, const Words& parts) {
    Words words = {"quantize", "run", "-o", "new.gguf"};
    words.insert(words.end(), more.begin(), more.end());
    expect_refused(status, words, parts);
  };
  refused(2, {"--type", "q9"}, {"--type", "q9", "q4_k_m"});
  refused(1, {"--eval", "nowhere.txt"}, {"nowhere.txt"});
  refused(1, {"--importance", "nowhere.txt"}, {"nowhere.txt"});
  write("short.txt", "1");
  refused(2, {"--eval", "short.txt"}, {"short.txt", "tokens", "window"});
  expect_refused(2, {"quantize", "run", "-o", "data"}, {"data", "folder"});
  expect_refused(1, {"quantize", "run", "-o", "nowhere/new.gguf"}, {"nowhere"});
  expect_refused(1, {"quantize", "text.txt", "-o", "new.gguf"}, {"text.txt", "not a model"});
  write("cut.gguf", "GGUF\3");
  expect_refused(1, {"generate", "cut.gguf", "--prompt", "x"}, {"cut.gguf"});
  expect_refused(1, {"info", "cut.gguf"}, {"cut.gguf"});
  expect_refused(2, {"generate", "run", "--weights", "q9"}, {"--weights", "q9"});
}

}  // namespace
}  // namespace inkstone::test
