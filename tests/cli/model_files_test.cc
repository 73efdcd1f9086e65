// Models as people have them: marks of their own, more ids than the tokenizer, heads on top.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;

class ModelFilesTest : public Workspace {
 protected:
  // "M", a copy that may be written to.
  void copy_model(const fs::path& model) const {
    fs::create_directory(*this / "M");
    for (const auto& entry : fs::directory_iterator(model)) {
      fs::copy_file(entry.path(), *this / "M" / entry.path().filename());
      fs::permissions(*this / "M" / entry.path().filename(), fs::perms::owner_all);
    }
  }

  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(read(name)); }
};

TEST_F(ModelFilesTest, ATokenizerMayHaveFewerIdsThanTheModel) {
  INK_SHARED_DATA_OR_SKIP(model, "faults/padded_vocab");
  INK_SHARED_DATA_OR_SKIP(text, "faults/base.txt");
  run_well({"prepare", text, "--tokenizer", model, "-o", "data"});
  run_well({"finetune", model, "--data", "data", "-o", "tuned", "--steps", "2", "--batch", "2",
            "--threads", "1"});
  EXPECT_EQ(json("tuned/last/config.json")["vocab_size"], 448);
  run_well({"eval", "tuned", text});
  const Outcome outcome = run_well({"generate", "tuned", "--prompt", "a", "-n", "8", "--json",
                                    "--temperature", "5", "--ignore-eos", "--seed", "1"});
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    for (const auto& token : nlohmann::json::parse(line)["tokens"]) {
      EXPECT_LT(token.get<int>(), 400);
    }
  }
}

TEST_F(ModelFilesTest, ItsOwnEndMarkStandsBetweenDocumentsAndSurvives) {
  INK_SHARED_DATA_OR_SKIP(model, "faults/end_mark/eos_s");
  INK_SHARED_DATA_OR_SKIP(documents, "faults/end_mark/three.jsonl");
  copy_model(model);
  auto map = json("M/special_tokens_map.json");
  map["pad_token"] = "</s>";
  write("M/special_tokens_map.json", map.dump());
  auto generation = json("M/generation_config.json");
  generation["eos_token_id"] = {0, 5};
  generation["pad_token_id"] = 7;
  write("M/generation_config.json", generation.dump());
  run_well({"prepare", documents, "--tokenizer", "M", "-o", "data", "--val-fraction", "0"});
  const auto shard = nlohmann::json::parse(
      run_well({"info", "data/train_000000.bin", "--json"}).out);
  EXPECT_EQ(shard["end_of_text_tokens"], 3) << shard;
  run_well({"finetune", "M", "--data", "data", "-o", "tuned", "--steps", "2", "--threads", "1"});
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json", "tokenizer.json",
                           "generation_config.json"}) {
    EXPECT_EQ(read(std::string("tuned/last/") + name), read(std::string("M/") + name)) << name;
  }
  const auto before = json("M/config.json"), after = json("tuned/last/config.json");
  for (const auto& [key, value] : before.items()) {
    if (!key.ends_with("_pdrop")) {
      EXPECT_EQ(after.value(key, nlohmann::json()), value) << key;
    }
  }
}

TEST_F(ModelFilesTest, ItsOwnEndMarkEndsATextAtOnce) {
  INK_SHARED_DATA_OR_SKIP(model, "faults/end_mark/eos_s_always");
  const Words words = {"generate", "M", "--temperature", "0", "--prompt", "hello"};
  copy_model(model);
  EXPECT_EQ(run_well(words).out, "hello\n");
  // Without a word from the tokenizer's own files, and in a list.
  fs::remove(*this / "M/special_tokens_map.json");
  fs::remove(*this / "M/tokenizer_config.json");
  auto generation = json("M/generation_config.json");
  generation["eos_token_id"] = {9, 0};
  write("M/generation_config.json", generation.dump());
  EXPECT_EQ(run_well(words).out, "hello\n");
  fs::remove(*this / "M/generation_config.json");
  EXPECT_EQ(run_well(words).out, "hello\n");
}

TEST_F(ModelFilesTest, HeadsOnTopAreNamedAndLeftOut) {
  INK_SHARED_DATA_OR_SKIP(model, "faults/heads/valuehead");
  const Outcome outcome = run_well({"generate", model, "--prompt", "a", "--max-tokens", "1"});
  EXPECT_NE(outcome.err.find("'v_head.summary.bias', 'v_head.summary.weight'"), std::string::npos)
      << outcome.err;
}

TEST_F(ModelFilesTest, ModelsWithoutBiasesAndOfOtherActivationsWrite) {
  INK_SHARED_DATA_OR_SKIP(no_bias, "faults/heads/nobias");
  INK_SHARED_DATA_OR_SKIP(gelu, "faults/heads/gelu");
  for (const auto& model : {no_bias, gelu}) {
    EXPECT_FALSE(run_well({"generate", model, "--prompt", "a", "--max-tokens", "5"}).out.empty());
  }
}

TEST_F(ModelFilesTest, HalfACharacterIsNotShown) {
  INK_SHARED_DATA_OR_SKIP(model, "faults/half_character");
  const Words words = {"generate", model, "--max-tokens", "120", "--seed", "3", "--prompt", "第"};
  const std::string text = run_well(words).out;
  Words as_json = words;
  as_json.push_back("--json");
  const auto line = nlohmann::json::parse(run_well(as_json).out);
  EXPECT_EQ(text, "第" + line["text"].get<std::string>() + "\n");
}

}  // namespace
}  // namespace inkstone::test
