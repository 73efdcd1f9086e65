// LoRA adapters wherever a model is taken, `merge` and `convert`; `memorised` and --no-copy.
#include <cstring>
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {

using Json = nlohmann::json;

std::string safetensors(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors) {
  Json header = Json::object();
  std::string data;
  for (const auto& [name, shape] : tensors) {
    const size_t begin = data.size();
    for (int64_t i = 0; i < shape[0] * shape[1]; ++i) {
      const float value = 0.01f * static_cast<float>(i % 37 - 18);
      data.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  return file + text + data;
}

class AdapterCommandTest : public Workspace {
 protected:
  // A run, and an adapter for it.
  AdapterCommandTest() {
    make_data(verses(80), "bpe");
    run_well(training("run", {"--steps", "200"}));
    const auto info = json_lines(run_well({"info", "run", "--json"}).out).at(0);
    const int64_t C = info["model"]["width"];
    std::filesystem::create_directory(*this / "lora");
    const std::string name = "base_model.model.transformer.h.0.mlp.c_fc.lora_";
    write("lora/adapter_model.safetensors",
          safetensors({{name + "A.weight", {4, C}}, {name + "B.weight", {4 * C, 4}}}));
    write_config(Json::object());
  }

  void write_config(const Json& changes) const {
    Json config = {{"peft_type", "LORA"},
                   {"base_model_name_or_path", "../run"},
                   {"r", 4},
                   {"lora_alpha", 32},
                   {"target_modules", {"h.0.mlp.c_fc"}}};
    config.update(changes);
    write("lora/adapter_config.json", config.dump());
  }

  std::string greedy(Words model) const {
    Words words = {"generate"};
    words.insert(words.end(), model.begin(), model.end());
    const Words rest = {"--prompt",     "1 little", "--temperature", "0",
                        "--max-tokens", "20",       "--ignore-eos"};
    words.insert(words.end(), rest.begin(), rest.end());
    return run_well(words).out;
  }
  double score(Words model) const {
    Words words = {"score"};
    words.insert(words.end(), model.begin(), model.end());
    const Words rest = {"--context", "1 little", "--completion", " verse"};
    words.insert(words.end(), rest.begin(), rest.end());
    return std::stod(run_well(words).out);
  }
};

TEST_F(AdapterCommandTest, IsTakenWhereAModelIs) {
  const std::string text = greedy({"run", "--adapter", "lora"});
  EXPECT_EQ(greedy({"lora"}), text);
  const double with = score({"run", "--adapter", "lora"});
  EXPECT_NE(with, score({"run"}));
  EXPECT_EQ(score({"lora"}), with);
  run_well({"merge", "run", "--adapter", "lora", "-o", "merged"});
  EXPECT_EQ(greedy({"merged"}), text);
  EXPECT_EQ(score({"merged"}), with);
  run_well({"merge", "lora", "-o", "again"});
  EXPECT_TRUE(read("again/model.safetensors") == read("merged/model.safetensors"));
  EXPECT_EQ(read("merged/tokenizer.json"), read("run/last/tokenizer.json"));
  run_well({"quantize", "run", "--adapter", "lora", "-o", "merged.gguf", "--type", "f32"});
  EXPECT_NEAR(score({"merged.gguf"}), with, 1e-4);
  run_well({"eval", "run", "--adapter", "lora", "text.txt"});
  run_well({"chat", "lora", "--max-tokens", "5"}, "1 little\n");
}

// What is trained on from the merged model is the same as from the model that `merge` writes.
TEST_F(AdapterCommandTest, TrainingBeginsWithTheMergedModel) {
  run_well({"merge", "lora", "-o", "merged"});
  const auto tuned = [&](Words from, const std::string& run) {
    Words words = {"finetune"};
    words.insert(words.end(), from.begin(), from.end());
    // The rate that is found by itself depends on what is known of the model.
    words.insert(words.end(),
                 {"text.txt", "-o", run, "--steps", "2", "--seed", "1", "--lr", "1e-4"});
    run_well(words);
    return read(run + "/last/model.safetensors");
  };
  const std::string expected = tuned({"merged"}, "tuned");
  EXPECT_TRUE(tuned({"lora"}, "tuned2") == expected);
  EXPECT_TRUE(tuned({"run", "--adapter", "lora"}, "tuned3") == expected);
  expect_refused(2, {"train", "text.txt", "--adapter", "lora", "-o", "new"}, {"--init"});
}

// A run that trains one is a model, and an adapter, and goes on.
TEST_F(AdapterCommandTest, IsTrainedByFinetune) {
  const Words words = {"finetune", "run", "text.txt", "-o", "tuned", "--lora", "2", "--steps", "4"};
  const Outcome trained = run_well(words);
  EXPECT_NE(trained.err.find("trained: "), std::string::npos) << trained.err;
  EXPECT_FALSE(std::filesystem::exists(*this / "tuned/last/model.safetensors"));
  run_well({"train", "--resume", "tuned", "--steps", "6"});
  const auto info = json_lines(run_well({"info", "tuned", "--json"}).out).at(0);
  EXPECT_EQ(info["kind"], "run");
  EXPECT_EQ(info["last"]["step"], 6);
  EXPECT_EQ(greedy({"tuned"}), greedy({"run", "--adapter", "tuned"}));
  EXPECT_EQ(score({"tuned"}), score({"run", "--adapter", "tuned"}));
  EXPECT_NE(score({"tuned"}), score({"run"}));
  run_well({"merge", "tuned", "-o", "merged"});
  EXPECT_EQ(score({"merged"}), score({"tuned"}));
  const auto refused = [&](const Words& more, const Words& says) {
    Words all = {"finetune", "run", "text.txt", "-o", "bad", "--steps", "2"};
    all.insert(all.end(), more.begin(), more.end());
    expect_refused(2, all, says);
  };
  refused({"--lora", "2", "--lora-targets", "q_proj"}, {"q_proj", "attn.c_attn"});
  refused({"--lora", "2", "--freeze", "wte"}, {"--freeze", "--lora-targets"});
  refused({"--lora", "2", "--optimizer", "muon"}, {"--optimizer", "AdamW"});
  refused({"--layer-lr-decay", "0"}, {"--layer-lr-decay"});
  expect_refused(2, {"finetune", "run", "--data", "data", "-o", "bad", "--freeze", "h.9"},
                 {"h.9", "h.N-M"});
}

TEST_F(AdapterCommandTest, InfoSaysWhatItIs) {
  const auto info = json_lines(run_well({"info", "lora", "--json"}).out).at(0);
  EXPECT_EQ(info["kind"], "adapter");
  EXPECT_EQ(info["rank"], 4);
  EXPECT_EQ(info["modules"][0]["module"], "mlp.c_fc");
  EXPECT_GT(info["parameters"], 0);
  write_config({{"base_model_name_or_path", "someone/else"}});
  const auto alone = json_lines(run_well({"info", "lora", "--json"}).out).at(0);
  EXPECT_EQ(alone["base_model"], "someone/else");
  EXPECT_FALSE(alone.contains("modules"));
}

TEST_F(AdapterCommandTest, ConvertWritesItForLlama) {
  run_well({"convert", "lora", "lora.gguf"});
  EXPECT_EQ(read("lora.gguf").substr(0, 4), "GGUF");
  expect_refused(2, {"convert", "lora", "lora.bin"}, {"lora.bin", ".gguf"});
  expect_refused(1, {"convert", "run", "lora2.gguf"}, {"run", "adapter_config.json"});
}

TEST_F(AdapterCommandTest, RefusesWhatDoesNotFit) {
  expect_refused(2, {"merge", "run", "-o", "merged"}, {"no adapter"});
  expect_refused(2, {"merge", "lora", "-o", "lora"}, {"lora", "another folder"});
  expect_refused(2, {"merge", "lora", "-o", "merged.gguf"}, {"quantize", "convert"});
  write_config({{"base_model_name_or_path", "someone/else"}});
  expect_refused(1, {"generate", "lora", "--prompt", "1"}, {"someone/else", "--adapter"});
  write_config({{"trainable_token_indices", {1}}});
  expect_refused(1, {"score", "lora", "--completion", "a"},
                 {"adapter_config.json", "trainable_token_indices"});
  write_config({{"r", 8}});
  expect_refused(1, {"score", "lora", "--completion", "a"}, {"lora_A", "rank is 8"});
}

// What a small model learns of some verses it says: much is copied, and with --no-copy nothing is
// that is longer.
TEST_F(AdapterCommandTest, MemorisedTextIsFoundAndKeptFromBeingWritten) {
  const Words small = {"--samples", "4", "--sample-tokens", "40", "--places", "5",
                       "--prefix",  "6", "--continuation",  "12", "--json"};
  Words words = {"memorised", "run"};
  words.insert(words.end(), small.begin(), small.end());
  const auto of_run = json_lines(run_well(words).out).at(0);
  EXPECT_EQ(of_run["samples"]["count"], 4);
  EXPECT_EQ(of_run["continued"]["count"], 5);
  EXPECT_GT(of_run["training_tokens"], 100);
  words = {"memorised", "run", "--text", "text.txt", "--held-out", "text.txt"};
  words.insert(words.end(), small.begin(), small.end());
  const auto of_text = json_lines(run_well(words).out).at(0);
  // Held-out text that is the training text is found whole.
  EXPECT_GT(of_text["held_out"]["longest_tokens"], 10);
  EXPECT_NE(run_well({"memorised", "run", "--samples", "2"}).out.find("samples"),
            std::string::npos);

  const auto longest = [&](Words more) {
    Words generate = {"generate", "run",           "--prompt", "1 little",     "--max-tokens",
                      "40",       "--temperature", "0",        "--ignore-eos", "--json"};
    generate.insert(generate.end(), more.begin(), more.end());
    return json_lines(run_well(generate).out).at(0)["text"].get<std::string>();
  };
  EXPECT_NE(longest({}), longest({"--no-copy", "2"}));
  EXPECT_EQ(longest({"--no-copy", "1000"}), longest({}));
  EXPECT_EQ(longest({"--no-copy", "2", "--no-copy-text", "text.txt"}).empty(), false);
  expect_refused(2, {"generate", "run", "--prompt", "a", "--no-copy-text", "text.txt"},
                 {"--no-copy"});
  run_well({"merge", "lora", "-o", "merged"});
  expect_refused(2, {"generate", "merged", "--prompt", "a", "--no-copy", "3"},
                 {"merged", "--no-copy-text"});
  expect_refused(2, {"memorised", "merged"}, {"merged", "--text"});
}

}  // namespace
}  // namespace inkstone::test
