// Models as GGUF: which tensor gets which type, what the file's model computes, comparison.
#include "inkstone/quantize.h"

#include <numeric>
#include <random>

#include "golden.h"
#include "model/decoder.h"
#include "model/importance.h"
#include "model/model_impl.h"
#include "model/quantize_plan.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace {

using enum WeightType;

Tokenizer small_tokenizer() {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true)
                   ? std::nullopt
                   : std::optional("In the beginning was the word, and the word was with us. ");
      },
      {.vocab_size = 280});
}

// The last hidden states of all tokens.
std::vector<float> hidden_of(const Model& model, std::span<const TokenId> tokens) {
  Decoder decoder(*model.impl().weights, static_cast<int64_t>(tokens.size()));
  const Chunk chunk{decoder.open(), tokens};
  decoder.run({&chunk, 1});
  std::vector<int64_t> rows(tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<float> hidden(tokens.size() * static_cast<size_t>(model.config().width));
  decoder.hidden(rows, hidden);
  return hidden;
}

// A model folder: widths that are whole blocks of every type.
class QuantizeTest : public ::testing::Test {
 protected:
  QuantizeTest() : folder(scratch / "model") {
    const Tokenizer tokenizer = small_tokenizer();
    config = {.layers = 2,
              .heads = 4,
              .width = 256,
              .context = 32,
              .vocab_size = tokenizer.vocab_size(),
              .initializer_range = 0.08};
    Model::create(config, 3).save(folder);
    tokenizer.save(folder);
    std::mt19937 random(2);
    for (int i = 0; i < 200; ++i)
      text.push_back(static_cast<TokenId>(random() % static_cast<uint32_t>(config.vocab_size)));
  }
  std::filesystem::path quantized(const std::string& type, std::vector<TokenId> importance = {}) {
    const auto file = scratch / (type + ".gguf");
    quantize(folder, file,
             {.type = type, .importance = std::move(importance), .runtime = Runtime()});
    return file;
  }

  test::ScratchFolder scratch;
  std::filesystem::path folder;
  ModelConfig config;
  std::vector<TokenId> text;
};

TEST_F(QuantizeTest, FloatsComeBackAsTheyWere) {
  const Model model = Model::load(folder), copy = Model::load(quantized("f32"));
  EXPECT_EQ(copy.config().layers, config.layers);
  EXPECT_EQ(copy.config().vocab_size, config.vocab_size);
  const std::vector<TokenId> tokens(text.begin(), text.begin() + 20);
  // The same numbers in another order of summation: a few roundings per layer.
  EXPECT_LT(test::relative_worst(copy.logits(tokens), model.logits(tokens)), 1e-5);
  // Back to float32 in Hugging Face's order: the very numbers.
  copy.save(scratch / "back");
  EXPECT_EQ(Model::load(scratch / "back").logits(tokens), model.logits(tokens));
  EXPECT_EQ(Tokenizer::load(scratch / "f32.gguf").encode("the word was"),
            Tokenizer::load(folder).encode("the word was"));
}

TEST_F(QuantizeTest, FewerBitsAreFurtherAway) {
  const Model model = Model::load(folder);
  double last = 0;
  for (const char* type : {"f32", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q2_k"}) {
    const auto compared = compare_models(model, Model::load(quantized(type)), text, 32, {});
    EXPECT_EQ(compared.tokens, 6 * 15) << type;
    EXPECT_GE(compared.divergence, last) << type;
    EXPECT_GE(compared.divergence, -1e-9) << type;
    last = compared.divergence;
  }
  EXPECT_LT(last, 0.5);
}

// What the products with weights in blocks leave of a model: nine of them in a row (two layers and
// the output) each round their inputs by up to 1/254 of the largest of a block.
constexpr double kRoundedInputs = 9.0 / 254 * 1.5;

// The products of every type are those with the decoded weights.
TEST_F(QuantizeTest, EveryTypeIsItsDecodedWeights) {
  const std::vector<TokenId> tokens(text.begin(), text.begin() + 32);
  for (const std::string& type : quantize_types()) {
    const auto file = quantized(type);
    const auto decoded = load_trainable(file).logits(tokens);
    EXPECT_LT(test::relative_worst(Model::load(file).logits(tokens), decoded), kRoundedInputs)
        << type;
  }
}

// Converting while loading gives the weights that the type leaves of them.
TEST_F(QuantizeTest, EveryTypeCanBeLoaded) {
  const std::vector<TokenId> tokens(text.begin(), text.begin() + 32);
  for (const std::string& name : weight_names()) {
    const Model model = load_trainable(folder);
    const auto type = weight_type_by_name(name);
    const ParameterTable& table = model.impl().network->table();
    for (int row = 0; type && row < table.count(); ++row) {
      if (!table[row].multiplied || row == table.wte()) continue;
      const int64_t in = table[row].shape[0], out = table[row].shape[1];
      float* const weights = model.impl().network->master(row).as<float>();
      std::vector<float> column(in);
      std::vector<std::byte> encoded(row_bytes(*type, in));
      for (int64_t n = 0; n < out; ++n) {
        for (int64_t k = 0; k < in; ++k) column[k] = weights[k * out + n];
        encode_row(*type, column.data(), in, nullptr, encoded.data());
        decode_row(*type, encoded.data(), in, column.data());
        for (int64_t k = 0; k < in; ++k) weights[k * out + n] = column[k];
      }
    }
    const Model converted = Model::load(folder, {.weights = name});
    // The embedding, whose rows the network keeps, differs in the output layer alone: hidden states
    // are compared.
    EXPECT_LT(test::relative_worst(hidden_of(converted, tokens), hidden_of(model, tokens)),
              kRoundedInputs)
        << name;
  }
}

TEST_F(QuantizeTest, ImportanceIsTheMeanSquareOfEveryInput) {
  const Model model = Model::load(folder);
  const Weights& weights = *model.impl().weights;
  const auto importance = measure_importance(weights, text, {});
  const ParameterTable& table = weights.table();
  for (int row = 0; row < table.count(); ++row) {
    const int64_t in = table[row].maps > 0 ? table[row].shape[0] : table[row].shape.last();
    EXPECT_EQ(importance[row].size(), static_cast<size_t>(table[row].multiplied ? in : 0)) << row;
  }
  // A normalisation without its weight has a mean square of 1 (variance over variance + epsilon).
  double mean = 0;
  for (const float x : importance[table.layer(0).attn_weight]) mean += x;
  EXPECT_NEAR(mean / 256, 1, 0.01);
}

// An input that is always 0 has weights that do not matter; those of a large one matter most.
TEST_F(QuantizeTest, ImportanceLowersTheDivergence) {
  const Model model = Model::load(folder);
  const auto plain = compare_models(model, Model::load(quantized("q2_k")), text, 32, {});
  const auto weighted = compare_models(model, Model::load(quantized("q2_k", text)), text, 32, {});
  EXPECT_LT(weighted.divergence, plain.divergence);
}

TEST_F(QuantizeTest, RefusesWhatItCannot) {
  EXPECT_EQ(test::thrown_by([&] { quantized("q9"); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([&] { quantized("q8_0", {100000}); }).code(), ErrorCode::kMismatch);
  EXPECT_EQ(test::thrown_by([&] {
              compare_models(Model::load(folder), Model::load(folder), std::span(text).first(9), 32,
                             {});
            }).code(),
            ErrorCode::kUsage);
  EXPECT_FALSE(std::filesystem::exists(scratch / "q9.gguf"));
}

std::string types_of(const char* preset, const ParameterTable& table, int LayerRows::*part) {
  std::string types;
  for (int64_t l = 0; l < table.layers(); ++l) {
    types += std::string(l > 0 ? " " : "") +
             std::string(name(
                 quantized_type(*quantize_preset(preset), table, table.layer(l).*part, false)));
  }
  return types;
}

TEST(QuantizePlan, MixturesAreLlamaCpps) {
  const ParameterTable table(ModelConfig{.layers = 12});
  EXPECT_EQ(types_of("q4_k_m", table, &LayerRows::attn_weight),
            "q6_k q4_k q4_k q6_k q4_k q4_k q6_k q4_k q4_k q6_k q6_k q6_k");
  EXPECT_EQ(types_of("q4_k_m", table, &LayerRows::fc_proj_weight),
            types_of("q4_k_m", table, &LayerRows::attn_weight));
  EXPECT_EQ(types_of("q4_k", table, &LayerRows::fc_weight),
            "q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k");
  EXPECT_EQ(types_of("q3_k_m", table, &LayerRows::attn_weight),
            "q5_k q5_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k q4_k");
  const auto of = [&](const char* preset, int row) {
    return quantized_type(*quantize_preset(preset), table, row, false);
  };
  EXPECT_EQ(of("q4_k_m", table.wte()), kQ6_K);  // tied: the output layer
  EXPECT_EQ(of("q8_0", table.wte()), kQ8_0);
  EXPECT_EQ(of("f16", table.wte()), kF16);
  EXPECT_EQ(of("q4_k_m", table.wpe()), kF32);
  EXPECT_EQ(of("q4_k_m", table.layer(3).attn_bias), kF32);
}

// Rows of 1600 numbers (GPT-2 XL) are no whole number of blocks of 256; those of 6400 are.
TEST(QuantizePlan, RowsThatAreNoWholeBlocksGetAnotherType) {
  const ParameterTable table(ModelConfig{.layers = 48, .heads = 25, .width = 1600});
  const LayerRows& r = table.layer(20);
  const auto of = [&](const char* preset, int row) {
    return quantized_type(*quantize_preset(preset), table, row, false);
  };
  EXPECT_EQ(of("q4_k_s", r.fc_weight), kQ5_0);
  EXPECT_EQ(of("q4_k_s", r.fc_proj_weight), kQ4_K);
  EXPECT_EQ(of("q5_k_s", r.fc_weight), kQ5_1);
  EXPECT_EQ(of("q6_k", r.fc_weight), kQ8_0);
  EXPECT_EQ(of("q3_k_s", r.fc_weight), kQ4_0);
  EXPECT_EQ(of("q4_k_s", table.wte()), kQ8_0);
  const ParameterTable odd(ModelConfig{.layers = 1, .heads = 1, .width = 40});
  EXPECT_EQ(quantized_type(*quantize_preset("q8_0"), odd, odd.layer(0).fc_proj_weight, false),
            kQ8_0);
  EXPECT_EQ(quantized_type(*quantize_preset("q8_0"), odd, odd.layer(0).fc_weight, false), kF16);
}

}  // namespace
}  // namespace inkstone
