#include "formats/hf_config.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "support.h"

namespace inkstone {
namespace {

using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

TEST(HfConfig, MissingKeysTakeTransformersDefaults) {
  const ModelConfig config = parse_hf_config("{}");
  EXPECT_EQ(config, ModelConfig{});
  // GPT2Config of Transformers 5.
  EXPECT_EQ(config.vocab_size, 50257);
  EXPECT_EQ(config.context, 1024);
  EXPECT_EQ(config.width, 768);
  EXPECT_EQ(config.layers, 12);
  EXPECT_EQ(config.heads, 12);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-5);
  EXPECT_EQ(config.initializer_range, 0.02);
  EXPECT_FALSE(config.scale_attention_by_inverse_layer);
}

TEST(HfConfig, EveryKeyIsRead) {
  const ModelConfig config = parse_hf_config(R"({"model_type": "gpt2", "n_layer": 3, "n_head": 5,
    "n_embd": 35, "n_positions": 77, "vocab_size": 101, "layer_norm_epsilon": 1e-6,
    "initializer_range": 0.5, "scale_attn_by_inverse_layer_idx": true, "n_inner": 140,
    "reorder_and_upcast_attn": true, "activation_function": "gelu_pytorch_tanh",
    "some_future_key": [1, {"a": 2}]})");
  EXPECT_EQ(config, (ModelConfig{.layers = 3,
                                 .heads = 5,
                                 .width = 35,
                                 .context = 77,
                                 .vocab_size = 101,
                                 .layer_norm_epsilon = 1e-6,
                                 .initializer_range = 0.5,
                                 .scale_attention_by_inverse_layer = true}));
}

TEST(HfConfig, ReadsARealOne) {
  INK_SHARED_DATA_OR_SKIP(path, "models/capp_gpt/config.json");
  EXPECT_EQ(read_hf_config(path),
            (ModelConfig{.layers = 4, .heads = 4, .width = 64, .context = 512, .vocab_size = 53}));
}

TEST(HfConfig, OtherNamesOfTheSizes) {
  const ModelConfig config = parse_hf_config(
      R"({"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 30,
          "max_position_embeddings": 40})");
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 3);
  EXPECT_EQ(config.width, 30);
  EXPECT_EQ(config.context, 40);
  const Error error = thrown_by(
      [] { parse_hf_config(R"({"n_layer": 2, "num_hidden_layers": 3})"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(mentions(error, "'n_layer' is 2, but 'num_hidden_layers'"));
}

TEST(HfConfig, TheOldNameOfTheContext) {
  EXPECT_EQ(parse_hf_config(R"({"n_ctx": 256})").context, 256);
  EXPECT_EQ(parse_hf_config(R"({"n_ctx": 256, "n_positions": 512})").context, 512);
}

TEST(HfConfig, NullMeansAbsent) {
  EXPECT_EQ(parse_hf_config(R"({"n_inner": null, "activation_function": null, "n_ctx": null,
    "quantization_config": null, "pruned_heads": null, "model_type": null})"),
            ModelConfig{});
  EXPECT_EQ(parse_hf_config(R"({"pruned_heads": {}})"), ModelConfig{});
}

TEST(HfConfig, PartsOfAnotherKind) {
  for (const auto& [name, activation] :
       {std::pair{"gelu_new", Activation::kGeluTanh}, std::pair{"gelu_fast", Activation::kGeluTanh},
        std::pair{"gelu_pytorch_tanh", Activation::kGeluTanh}, std::pair{"gelu", Activation::kGelu},
        std::pair{"relu", Activation::kRelu}, std::pair{"silu", Activation::kSilu},
        std::pair{"swish", Activation::kSilu}}) {
    EXPECT_EQ(
        parse_hf_config(std::string(R"({"activation_function": ")") + name + "\"}").activation,
        activation)
        << name;
  }
  const ModelConfig other = parse_hf_config(R"({"n_inner": 2304, "tie_word_embeddings": false})");
  EXPECT_EQ(other.inner_width(), 2304);
  EXPECT_FALSE(other.tied_output);
  EXPECT_EQ(parse_hf_config(R"({"n_inner": 3072})"), ModelConfig{}) << "what it is anyway";
}

struct Refused {
  std::string json, expected_text;
};

TEST(HfConfig, WhatChangesTheNumbersIsRefused) {
  const std::vector<Refused> cases = {
      {R"({"model_type": "llama"})", "'model_type' is 'llama'"},
      {R"({"activation_function": "quick_gelu"})",
       "'activation_function' is 'quick_gelu', expected one of gelu_new, "},
      {R"({"scale_attn_weights": false})", "'scale_attn_weights' is false, only true"},
      {R"({"add_cross_attention": true})", "'add_cross_attention' is true, only false"},
      {R"({"is_encoder_decoder": true})", "'is_encoder_decoder' is true"},
      {R"({"quantization_config": {"bits": 4}})", "'quantization_config'"},
      {R"({"pruned_heads": {"1": [0]}})", "'pruned_heads' is {\"1\":[0]}"},
  };
  for (const Refused& refused : cases) {
    const Error error = thrown_by([&] { parse_hf_config(refused.json); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << refused.json;
    EXPECT_TRUE(mentions(error, refused.expected_text));
  }
}

TEST(HfConfig, WrongValuesAreNamed) {
  const std::vector<Refused> cases = {
      {"", "not valid JSON"},
      {"[]", "found a JSON array"},
      {"7", "found a JSON number"},
      {R"({"n_layer": 0})", "'n_layer' is 0, expected 1 to 10000"},
      {R"({"n_layer": 10001})", "'n_layer' is 10001"},
      {R"({"n_layer": "12"})", "'n_layer' is a JSON string"},
      {R"({"n_layer": 12.0})", "'n_layer' is a JSON number"},
      {R"({"n_head": -1})", "'n_head' is -1"},
      {R"({"n_head": 100001})", "'n_head' is 100001"},
      {R"({"n_embd": 1000001})", "'n_embd' is 1000001"},
      {R"({"n_embd": 18446744073709551615})", "'n_embd' is 18446744073709551615"},
      {R"({"n_positions": 10000001})", "'n_positions' is 10000001"},
      {R"({"vocab_size": 100000001})", "'vocab_size' is 100000001"},
      {R"({"n_embd": 770})", "'n_embd' is 770, expected a multiple of 'n_head', 12"},
      {R"({"n_inner": 0})", "'n_inner' is 0"},
      {R"({"layer_norm_epsilon": -1e-5})", "'layer_norm_epsilon' is -1e-05"},
      {R"({"layer_norm_epsilon": 2})", "'layer_norm_epsilon' is 2"},
      {R"({"layer_norm_epsilon": 1e999})", "not valid JSON"},
      {R"({"initializer_range": -1})", "'initializer_range' is -1"},
      {R"({"scale_attn_weights": 1})", "'scale_attn_weights' is a JSON number"},
      {R"({"reorder_and_upcast_attn": "no"})", "'reorder_and_upcast_attn' is a JSON string"},
      {R"({"model_type": 2})", "'model_type' is a JSON number"},
  };
  for (const Refused& refused : cases) {
    const Error error = thrown_by([&] { parse_hf_config(refused.json); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << refused.json;
    EXPECT_TRUE(mentions(error, refused.expected_text));
  }
}

TEST(HfConfig, ErrorsNameTheFile) {
  const ScratchFolder folder;
  write_file(folder / "config.json", R"({"n_layer": 0})");
  EXPECT_TRUE(mentions(thrown_by([&] { read_hf_config(folder / "config.json"); }),
                       "config.json': 'n_layer' is 0"));
  EXPECT_EQ(thrown_by([&] { read_hf_config(folder / "none.json"); }).code(), ErrorCode::kNotFound);
}

constexpr ModelConfig kOdd = {.layers = 3,
                              .heads = 5,
                              .width = 35,
                              .context = 77,
                              .vocab_size = 101,
                              .layer_norm_epsilon = 1e-6,
                              .initializer_range = 0.3,
                              .scale_attention_by_inverse_layer = true};

TEST(HfConfig, WritesAndReadsBack) {
  const ScratchFolder folder;
  write_hf_config(folder.path(), kOdd, {.end_of_text = 100, .dropout = 0.0});
  EXPECT_EQ(read_hf_config(folder / "config.json"), kOdd);
  const Json json = read_json(folder / "config.json");
  EXPECT_EQ(json["eos_token_id"], 100);
  EXPECT_EQ(json["bos_token_id"], 100);
  for (const char* key : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) EXPECT_EQ(json[key], 0.0);
  EXPECT_EQ(json["n_ctx"], 77);
  EXPECT_EQ(json["n_positions"], 77);
  const Json generation = read_json(folder / "generation_config.json");
  EXPECT_EQ(generation["eos_token_id"], 100);
  EXPECT_EQ(generation["bos_token_id"], 100);
}

TEST(HfConfig, WritesTheKeysOfARealOne) {
  INK_SHARED_DATA_OR_SKIP(path, "models/capp_gpt/config.json");
  const ScratchFolder folder;
  write_hf_config(folder.path(), read_hf_config(path), {.end_of_text = 51});
  const Json ours = read_json(folder / "config.json"), real = read_json(path);
  // Of no meaning to GPT2LMHeadModel, or particular to that model.
  const std::set<std::string> not_ours = {
      "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
      "summary_type",       "summary_use_proj",      "transformers_version",
      "is_decoder",         "pad_token_id"};
  for (const auto& [key, value] : real.items()) {
    if (not_ours.contains(key)) continue;
    ASSERT_TRUE(ours.contains(key)) << key;
    if (key == "bos_token_id") continue;  // it differs from eos_token_id in that model
    EXPECT_EQ(ours[key], value) << key;
  }
}

TEST(HfConfig, WithoutEndOfTextTheIdsAreNull) {
  const ScratchFolder folder;
  write_hf_config(folder.path(), kOdd, {});
  for (const char* name : {"config.json", "generation_config.json"}) {
    const Json json = read_json(folder / name);
    for (const char* key : {"bos_token_id", "eos_token_id"}) {
      ASSERT_TRUE(json.contains(key)) << name << " " << key;
      EXPECT_TRUE(json[key].is_null()) << name << " " << key;
    }
  }
  EXPECT_EQ(read_json(folder / "config.json")["attn_pdrop"], 0.1);
}

TEST(HfConfig, SpecialIdsAreNumbersOrListsAndGenerationComesFirst) {
  const auto end_of = [](const std::string& config, const std::string& generation) {
    return special_ids_of({.config = config, .generation = generation}).end;
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(end_of("", ""), Ids{});
  EXPECT_EQ(end_of(R"({"eos_token_id": 7})", ""), Ids{7});
  EXPECT_EQ(end_of(R"({"eos_token_id": 7})", R"({"eos_token_id": [5, 3]})"), (Ids{5, 3}));
  EXPECT_EQ(end_of(R"({"eos_token_id": 7})", R"({"eos_token_id": null})"), Ids{7});
  EXPECT_EQ(end_of(R"({"eos_token_id": -1})", "{}"), Ids{});
  EXPECT_EQ(special_ids_of({.config = R"({"bos_token_id": 4})"}).begin, 4);
  EXPECT_EQ(special_ids_of({.config = "{}"}).begin, std::nullopt);
  for (const char* bad : {R"({"eos_token_id": "</s>"})", R"({"eos_token_id": [1, 2.5]})",
                          R"({"eos_token_id": 99999999999})", "[]", "{"}) {
    const Error error = thrown_by([&] { special_ids_of({.generation = bad}); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << bad;
    EXPECT_TRUE(mentions(error, "generation_config.json"));
  }
}

constexpr const char* kForeign =
    R"({"n_layer":1, "eos_token_id": [3,4], "pad_token_id": 9,
  "attn_pdrop": 0.2, "resid_pdrop": 0.1, "dtype": "float32", "theirs": {"a": [1e30]}})";

TEST(HfConfig, WhatWasReadComesBackByteForByte) {
  const ScratchFolder folder;
  const HfConfigFiles files = {.config = kForeign, .generation = R"({"top_k":5 })"};
  write_hf_config(folder.path(), parse_hf_config(kForeign), {.end_of_text = 1, .files = files});
  EXPECT_EQ(read_file(folder / "config.json"), files.config);
  EXPECT_EQ(read_file(folder / "generation_config.json"), files.generation);
}

TEST(HfConfig, OnlyWhatChangedChanges) {
  const ScratchFolder folder;
  std::string text = kForeign;
  text.replace(text.find("float32"), 7, "float16");
  write_hf_config(folder.path(), parse_hf_config(text),
                  {.end_of_text = 1, .dropout = 0.0, .files = {.config = text, .generation = ""}});
  Json expected = parse_json(text);
  for (const char* key : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) expected[key] = 0.0;
  expected["dtype"] = "float32";
  EXPECT_EQ(read_json(folder / "config.json"), expected);
  EXPECT_EQ(read_json(folder / "generation_config.json"),
            (Json{{"eos_token_id", {3, 4}}, {"pad_token_id", 9}}));
}

TEST(HfConfig, TheSaveNamesAnEndMarkWhereTheModelNamesNone) {
  const ScratchFolder folder;
  const std::string config = R"({"eos_token_id": null, "bos_token_id": 8})";
  write_hf_config(folder.path(), parse_hf_config(config),
                  {.end_of_text = 6, .files = {.config = config, .generation = "{}"}});
  const Json expected = {{"eos_token_id", 6}, {"bos_token_id", 8}};
  EXPECT_EQ(read_json(folder / "config.json"), expected);
  EXPECT_EQ(read_json(folder / "generation_config.json")["eos_token_id"], 6);
}

}  // namespace
}  // namespace inkstone
