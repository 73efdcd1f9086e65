// Model folders that are missing a part, damaged, or put together from parts that do not fit.
#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;

class BadModelTest : public Workspace {
 protected:
  BadModelTest() {
    make_run();
    fs::copy(*this / "run/last/", *this / "model", fs::copy_options::recursive);
  }

  // Everything that loads a model refuses it.
  void expect_no_model(const Words& parts) {
    expect_refused(1, {"generate", "model"}, parts);
    expect_refused(1, {"chat", "model"}, parts, "hello\n");
    expect_refused(1, {"score", "model", "--completion", "a"}, parts);
    expect_refused(1, {"eval", "model", "text.txt"}, parts);
    expect_refused(1, {"finetune", "model", "--data", "data", "-o", "new", "--threads", "1"},
                   parts);
  }

  void replace(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = read(name);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << name << " has no " << from;
    write(name, text.replace(at, from.size(), to));
  }
};

TEST_F(BadModelTest, NoModelAtAll) {
  expect_refused(1, {"generate", "nowhere"}, {"nowhere"});
  expect_refused(1, {"generate", "data"}, {"data", "config.json", "run folder"});
  expect_refused(1, {"generate", "text.txt"}, {"text.txt", "not a model"});
}

TEST_F(BadModelTest, AConfigThatDoesNotMatchTheWeights) {
  replace("model/config.json", "\"n_layer\": 2", "\"n_layer\": 3");
  expect_no_model({"model.safetensors", "h.2.", "config.json"});
  replace("model/config.json", "\"n_layer\": 3", "\"n_layer\": 1");
  expect_no_model({"model.safetensors", "h.1.", "config.json"});
  replace("model/config.json", "\"n_layer\": 1", "\"n_layer\": 2");
  replace("model/config.json", "\"n_positions\": 16", "\"n_positions\": 32");
  expect_no_model({"model.safetensors", "wpe.weight", "16", "32"});
}

TEST_F(BadModelTest, ATruncatedSafetensorsFile) {
  const auto whole = static_cast<int64_t>(fs::file_size(*this / "model/model.safetensors"));
  for (const int64_t size : {whole - 1, whole / 2, int64_t{100}, int64_t{7}, int64_t{0}}) {
    fs::resize_file(*this / "model/model.safetensors", static_cast<uintmax_t>(size));
    expect_no_model({"model.safetensors"});
  }
}

TEST_F(BadModelTest, ACorruptConfig) {
  const std::string whole = read("model/config.json");
  write("model/config.json", whole.substr(0, whole.size() / 2));
  expect_no_model({"config.json", "not valid JSON"});
  write("model/config.json", "[]");
  expect_no_model({"config.json", "expected an object"});
  write("model/config.json", whole);
  replace("model/config.json", "\"n_head\": 2", "\"n_head\": -2");
  expect_no_model({"config.json", "n_head", "-2"});
  fs::remove(*this / "model/config.json");
  expect_no_model({"model", "config.json"});
}

TEST_F(BadModelTest, ACorruptTokenizer) {
  const std::string whole = read("model/tokenizer.json");
  const auto expect = [&](const Words& parts) {
    expect_refused(1, {"generate", "model"}, parts);
    expect_refused(1, {"score", "model", "--completion", "a"}, parts);
    expect_refused(1, {"tokenizer", "encode", "--tokenizer", "model"}, parts, "text");
    expect_refused(1, {"prepare", "text.txt", "--tokenizer", "model", "-o", "new"}, parts);
  };
  write("model/tokenizer.json", whole.substr(0, whole.size() / 2));
  expect({"tokenizer.json", "not valid JSON"});
  write("model/tokenizer.json", "{}");
  expect({"tokenizer.json"});
  fs::remove(*this / "model/tokenizer.json");
  expect({"model", "tokenizer.json"});
}

TEST_F(BadModelTest, ATokenizerOfAnotherModel) {
  run_well({"tokenizer", "train", "text.txt", "-o", "bpe", "--vocab-size", "300"});
  fs::copy_file(*this / "bpe/tokenizer.json", *this / "model/tokenizer.json",
                fs::copy_options::overwrite_existing);
  expect_refused(1, {"generate", "model"}, {"the model only 257", "do not belong together"});
}

TEST_F(BadModelTest, TokensThatTheModelCannotTake) {
  expect_refused(1, {"logits", "run", "--tokens", "1,99999", "-o", "out.npy"},
                 {"99999", "vocabulary"});
  expect_refused(
      2, {"logits", "run", "--tokens", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "-o", "out.npy"},
      {"17 tokens", "16"});
}

}  // namespace
}  // namespace inkstone::test
