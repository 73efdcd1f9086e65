// Configuration, the parameter table, initialisation, and model folders good and bad.
#include "inkstone/model.h"

#include <cmath>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "formats/safetensors.h"
#include "golden.h"
#include "model/model_impl.h"
#include "model/parameters.h"
#include "model/training_pass.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

TEST(ModelConfig, PublishedParameterCounts) {
  EXPECT_EQ(preset("gpt2")->parameter_count(), 124'439'808);
  EXPECT_EQ(preset("gpt2-medium")->parameter_count(), 354'823'168);
  EXPECT_EQ(preset("gpt2-large")->parameter_count(), 774'030'080);
  EXPECT_EQ(preset("gpt2-xl")->parameter_count(), 1'557'611'200);
  EXPECT_EQ(preset("distilgpt2")->parameter_count(), 81'912'576);
  EXPECT_FALSE(preset("gpt5"));
  for (const std::string& name : preset_names()) EXPECT_NO_THROW(validate(*preset(name))) << name;
}

TEST(ModelConfig, RefusesImpossibleShapes) {
  ModelConfig config;
  config.heads = 5;
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { validate(config); }),
                             "width 768 is not a multiple of heads 5"));
  config = {};
  config.layers = 0;
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { validate(config); }), "layers is 0"));
  config = {};
  config.vocab_size = -1;
  EXPECT_EQ(test::thrown_by([&] { validate(config); }).code(), ErrorCode::kUsage);
}

TEST(ParameterTable, HoldsEveryParameterOnce) {
  const ModelConfig gpt2 = *preset("gpt2");
  ModelConfig bare = gpt2;
  bare.inner = 1000;
  bare.tied_output = bare.biases = false;
  for (const ModelConfig& config : {gpt2, bare}) {
    const ParameterTable table(config);
    int64_t count = 0, end = 0;
    for (const ParameterRow& row : table.rows()) {
      EXPECT_GE(row.offset, end) << row.name;
      EXPECT_EQ(row.offset % 16, 0) << row.name;
      EXPECT_EQ(row.decay, row.shape.rank() == 2) << row.name;
      end = row.offset + row.shape.count();
      count += row.shape.count();
    }
    // bare: V C twice, T C, and of each layer 4 C^2 + 2 C I + 2 C, and C.
    EXPECT_EQ(count, config.tied_output ? 124'439'808 : 124'743'936);
    EXPECT_LE(end, table.flat_count());
  }
  const ParameterTable table(gpt2), of_bare(bare);
  EXPECT_EQ(table.multiplied_count(), 12 * 12 * 768 * 768 + 50257 * 768);
  EXPECT_EQ(of_bare.multiplied_count(), 12 * (4 * 768 * 768 + 2 * 768 * 1000) + 50257 * 768);
  EXPECT_EQ(table.output(), table.wte());
  EXPECT_EQ(of_bare[of_bare.output()].name, "lm_head.weight");
  EXPECT_EQ(of_bare.layer(0).attn_bias, kNoRow);
  EXPECT_EQ(table[table.layer(11).fc_proj_weight].name, "h.11.mlp.c_proj.weight");
  EXPECT_EQ(table[table.ln_f_bias()].name, "ln_f.bias");
}

TEST(Network, InitialisesAsGpt2) {
  ModelConfig config{.layers = 2, .heads = 2, .width = 64, .context = 32, .vocab_size = 500};
  const Model model = Model::create(config, 7);
  const Network& network = *model.impl().network;
  for (int r = 0; r < network.table().count(); ++r) {
    const ParameterRow& row = network.table()[r];
    std::vector<float> values(row.shape.count());
    network.backend().copy_to_host(network.master(r), values.data());
    double mean = 0, square = 0;
    for (const float v : values) mean += v, square += double{v} * v;
    const double n = static_cast<double>(values.size());
    mean /= n;
    const double deviation = std::sqrt(square / n - mean * mean);
    double expected_mean = 0, expected_deviation = 0;
    if (row.initialisation == Initialisation::kOne) expected_mean = 1;
    if (row.initialisation == Initialisation::kNormal) expected_deviation = 0.02;
    // 1/sqrt(2 * 2).
    if (row.initialisation == Initialisation::kNormalResidual) expected_deviation = 0.02 / 2;
    // Five standard errors of the mean and of the standard deviation.
    EXPECT_NEAR(mean, expected_mean, 5 * expected_deviation / std::sqrt(n)) << row.name;
    EXPECT_NEAR(deviation, expected_deviation, 5 * expected_deviation / std::sqrt(2 * n))
        << row.name;
  }
}

TEST(Network, InitialisationDependsOnTheSeedAlone) {
  const ModelConfig config{.layers = 1, .heads = 1, .width = 16, .context = 8, .vocab_size = 20};
  const auto tokens = std::vector<TokenId>{1, 2, 3};
  EXPECT_EQ(Model::create(config, 1).logits(tokens), Model::create(config, 1).logits(tokens));
  EXPECT_NE(Model::create(config, 1).logits(tokens), Model::create(config, 2).logits(tokens));
}

TEST(Model, UntrainedLossIsNearThatOfGuessing) {
  const ModelConfig config{.layers = 2, .heads = 4, .width = 32, .context = 16, .vocab_size = 300};
  const Model model = Model::create(config, 3);
  TrainingPass pass(*model.impl().network, 2, 16, 0);
  std::vector<TokenId> inputs, targets;
  for (int i = 0; i < 32; ++i) inputs.push_back(i * 7 % 300), targets.push_back(i * 11 % 300);
  pass.forward({.inputs = inputs, .targets = targets}, 16);
  EXPECT_NEAR(pass.read_loss() / 32, std::log(300.0), 0.1);
}

TEST(Model, SavedAndLoadedIsTheSame) {
  const test::ScratchFolder scratch;
  const std::vector<TokenId> tokens = {1, 5, 26, 0};
  const auto expect_same = [&](const Model& model, const fs::path& folder) {
    model.save(folder);
    const Model copy = Model::load(folder);
    EXPECT_EQ(copy.config(), model.config()) << folder;
    EXPECT_EQ(load_config(folder), model.config()) << folder;
    EXPECT_EQ(copy.logits(tokens), model.logits(tokens)) << folder;
  };
  for (const fs::path& folder : test::golden_folders())
    expect_same(Model::load(folder), scratch / folder.filename());
  // One that was made here has no file that says what it is.
  for (const Activation activation :
       {Activation::kGeluTanh, Activation::kGelu, Activation::kRelu, Activation::kSilu}) {
    for (const bool part : {false, true}) {
      const ModelConfig config{.layers = 1,
                               .heads = 2,
                               .width = 8,
                               .context = 8,
                               .vocab_size = 27,
                               .inner = part ? 12 : 0,
                               .activation = activation,
                               .tied_output = !part,
                               .biases = !part};
      expect_same(Model::create(config, 5),
                  scratch / (std::string(activation_name(activation)) + (part ? "_bare" : "")));
    }
  }
}

TEST(Model, AConfigAloneSaysWhatItCan) {
  const test::ScratchFolder scratch;
  fs::create_directory(scratch / "model");
  fs::copy(test::fixture("model/relu_no_biases/config.json"), scratch / "model/config.json");
  ModelConfig expected = load_config(test::fixture("model/relu_no_biases"));
  EXPECT_FALSE(expected.biases);
  expected.biases = true;  // no weights are there to deny it
  EXPECT_EQ(load_config(scratch / "model"), expected);
}

TEST(Model, ItsFilesComeBackOutOfASave) {
  const test::ScratchFolder scratch;
  fs::copy(test::fixture("model/two_layers"), scratch / "model");
  std::string config = read_file(scratch / "model/config.json");
  config.insert(1, "\n \"eos_token_id\": [5, 7], \"pad_token_id\": 9, \"theirs\": {\"a\": 1e30},");
  write_file(scratch / "model/config.json", config);
  write_file(scratch / "model/generation_config.json", "{\"eos_token_id\": 7, \"top_k\": 3 }");
  Model::load(scratch / "model").save(scratch / "copy");
  for (const char* name : {"config.json", "generation_config.json"}) {
    EXPECT_EQ(read_file(scratch / "copy" / name), read_file(scratch / "model" / name)) << name;
  }
  const SafetensorsFile before(scratch / "model/model.safetensors"),
      after(scratch / "copy/model.safetensors");
  for (const auto& [name, tensor] : after.tensors()) {
    const StoredTensor& old = before.at(name);
    EXPECT_EQ(tensor.shape, old.shape) << name;
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, old.bytes)) << name;
  }
}

TEST(Model, RunFolderMeansItsBestElseItsLastCheckpoint) {
  const test::ScratchFolder scratch;
  fs::create_directories(scratch / "run/checkpoints/a");
  fs::create_directories(scratch / "run/checkpoints/b");
  write_file(scratch / "run/checkpoints/a/config.json", "{}");
  write_file(scratch / "run/checkpoints/b/config.json", "{}");
  EXPECT_EQ(test::thrown_by([&] { find_model(scratch / "run"); }).code(), ErrorCode::kNotFound);
  fs::create_directory_symlink("checkpoints/b", scratch / "run/last");
  EXPECT_EQ(find_model(scratch / "run"), scratch / "run/last");
  fs::create_directory_symlink("checkpoints/a", scratch / "run/best");
  EXPECT_EQ(find_model(scratch / "run"), scratch / "run/best");
}

// A copy of a good model folder for a test to damage.
class BadModel : public ::testing::Test {
 protected:
  BadModel() { fs::copy(test::fixture("model/two_layers"), folder = scratch / "model"); }
  Error load_error() {
    return test::thrown_by([&] { Model::load(folder); });
  }
  void replace_in_config(const std::string& from, const std::string& to) {
    std::string text = read_file(folder / "config.json");
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    write_file(folder / "config.json", text.replace(at, from.size(), to));
  }
  const test::ScratchFolder scratch;
  fs::path folder;
};

TEST_F(BadModel, MissingFolder) {
  folder = scratch / "nowhere";
  EXPECT_EQ(load_error().code(), ErrorCode::kNotFound);
}

TEST_F(BadModel, MissingWeights) {
  fs::remove(folder / "model.safetensors");
  EXPECT_TRUE(test::mentions(load_error(), "model.safetensors"));
}

TEST_F(BadModel, TruncatedWeights) {
  fs::resize_file(folder / "model.safetensors", fs::file_size(folder / "model.safetensors") - 1);
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "model.safetensors"));
}

TEST_F(BadModel, ConfigOfAnotherWidth) {
  replace_in_config("\"n_embd\": 48", "\"n_embd\": 51");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(
      error, "tensor 'wte.weight' has shape [97, 48], config.json implies [97, 51]"));
}

TEST_F(BadModel, ConfigWithMoreLayers) {
  replace_in_config("\"n_layer\": 2", "\"n_layer\": 3");
  EXPECT_TRUE(test::mentions(load_error(), "tensor 'h.2.ln_1.weight' is missing"));
}

TEST_F(BadModel, ConfigWithFewerLayers) {
  replace_in_config("\"n_layer\": 2", "\"n_layer\": 1");
  EXPECT_TRUE(test::mentions(load_error(), "has no place in the model"));
}

// Writes the weights again with a tensor more, or without one.
void change_tensors(const fs::path& folder, const std::string& more, const std::string& without) {
  const SafetensorsFile file(folder / "model.safetensors");
  std::vector<TensorToStore> tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    if (!without.empty() && name.ends_with(without)) continue;
    tensors.push_back({name, tensor.dtype, tensor.shape, tensor.bytes.data()});
  }
  const float number = 1;
  if (!more.empty()) tensors.push_back({more, DType::kF32, {1}, &number});
  write_safetensors(folder / "changed", tensors, {});
  fs::rename(folder / "changed", folder / "model.safetensors");
}

TEST_F(BadModel, HeadsOnTopAreNamedAndLeftOut) {
  const std::vector<TokenId> tokens = {1, 2};
  const auto expected = Model::load(folder).logits(tokens);
  change_tensors(folder, "v_head.summary.bias", "");
  std::string message;
  const Model model = Model::load(
      folder, {.on_message = [&](const auto& text) { message = text.english(); }});
  EXPECT_EQ(model.logits(tokens), expected);
  EXPECT_NE(message.find("model.safetensors': left out what is not part of GPT-2: "
                         "'v_head.summary.bias'"),
            std::string::npos)
      << message;
  change_tensors(folder, "lm_head.bias", "");
  EXPECT_TRUE(test::mentions(load_error(), "'lm_head.bias' has no place"));
}

TEST_F(BadModel, OneOfTheBiasesIsMissing) {
  change_tensors(folder, "", "h.0.ln_1.bias");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "tensor 'h.0.ln_1.bias' is missing"));
}

TEST_F(BadModel, AnUntiedOutputLayerIsMissing) {
  replace_in_config("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "tensor 'lm_head.weight' is missing"));
}

TEST_F(BadModel, AnEndMarkBeyondTheVocabularyIsTold) {
  write_file(folder / "generation_config.json", R"({"eos_token_id": 50256})");
  std::string message;
  Model::load(folder, {.on_message = [&](const auto& text) { message = text.english(); }});
  EXPECT_NE(message.find("eos_token_id 50256 lies beyond the vocabulary of 97"), std::string::npos)
      << message;
}

TEST_F(BadModel, APointerInPlaceOfTheWeights) {
  write_file(folder / "model.safetensors",
             "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "model.safetensors' is a Git LFS pointer"));
  EXPECT_TRUE(test::mentions(error, "git lfs pull"));
}

TEST_F(BadModel, UnknownActivation) {
  replace_in_config("gelu_new", "mish");
  const Error error = load_error();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(test::mentions(error, "mish"));
}

TEST_F(BadModel, CudaIsNotBuilt) {
  const Error error = test::thrown_by(
      [&] { Model::load(folder, {.runtime = Runtime({.device = "cuda"})}); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(test::mentions(error, "CUDA"));
  EXPECT_EQ(
      test::thrown_by([&] { Model::load(folder, {.runtime = Runtime({.device = "tpu"})}); }).code(),
      ErrorCode::kUsage);
}

// Loss, gradients and logits of one small model, as bytes.
std::string results(const fs::path& folder, const Runtime& runtime, ComputeType compute) {
  const test::Golden golden(folder);
  const Model model = load_trainable(folder, {.runtime = runtime, .compute = compute});
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, golden.batch, golden.context, 0.1f);
  const auto inputs = golden.tokens(0, 0), targets = golden.tokens(0, 1);
  pass.forward_backward({.inputs = inputs, .targets = targets, .gradient_scale = 0.01f},
                        golden.context, gradients);
  const double loss = pass.read_loss();
  const auto bytes = [](const void* data, int64_t count) {
    return std::string(static_cast<const char*>(data), static_cast<size_t>(count));
  };
  const auto logits = model.logits(std::span(inputs).first(golden.context));
  return bytes(&loss, sizeof loss) + bytes(gradients.flat().data, gradients.flat().bytes()) +
         bytes(logits.data(), static_cast<int64_t>(logits.size() * sizeof(float)));
}

TEST(Threads, TheirNumberChangesNoBit) {
  for (const fs::path& folder : test::golden_folders()) {
    for (const ComputeType compute : {ComputeType::kF32, ComputeType::kBF16}) {
      const std::string one = results(folder, Runtime({.threads = 1}), compute);
      for (const int threads : {2, 3, 5}) {
        EXPECT_TRUE(results(folder, Runtime({.threads = threads}), compute) == one)
            << folder << " differs with " << threads << " threads";
      }
    }
  }
}

TEST(Threads, TwoModelsInTwoThreadsGetInNobodysWay) {
  const fs::path folder = test::fixture("model/two_layers");
  const std::string expected = results(folder, Runtime({.threads = 1}), ComputeType::kF32);
  const auto work = [&](const Runtime& runtime) {
    for (int round = 0; round < 10; ++round) {
      EXPECT_TRUE(results(folder, runtime, ComputeType::kF32) == expected);
    }
  };
  const Runtime shared({.threads = 2});
  for (const bool apart : {true, false}) {
    std::thread other([&] { work(apart ? Runtime({.threads = 2}) : shared); });
    work(shared);
    other.join();
  }
}

}  // namespace
}  // namespace inkstone
