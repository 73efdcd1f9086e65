// Adapters: against PEFT's logits, their files in and out, and what is refused.
#include "model/adapter.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "formats/gguf.h"
#include "golden.h"
#include "inkstone/adapter.h"
#include "inkstone/model.h"
#include "inkstone/quantize.h"
#include "model/adapted_model.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::fixture;
using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

constexpr const char* kCases[] = {
    "plain",      "all_rslora",      "all_dora", "patterns",   "regex_biases",     "all_biases",
    "embeddings", "embeddings_dora", "output",   "own_output", "whole_embeddings", "whole_input",
    "grown",      "no_biases"};

fs::path adapter_folder(const std::string& name) { return fixture("adapter/" + name); }

// What tools/make_adapter_fixtures.py wrote: PEFT's logits [B, T, V] of tokens [B, T].
struct PeftGolden {
  explicit PeftGolden(const std::string& name)
      : file(adapter_folder(name) / "golden.safetensors"),
        length(file.at("tokens").shape[1]),
        tokens(static_cast<size_t>(file.at("tokens").shape[0] * length)) {
    std::memcpy(tokens.data(), file.at("tokens").bytes.data(), tokens.size() * sizeof(TokenId));
    logits.resize(file.at("logits").bytes.size() / sizeof(float));
    copy_as_f32(file.at("logits"), logits);
  }
  std::vector<float> logits_of(const Model& model) const {
    std::vector<float> all;
    for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(length)) {
      const auto own = model.logits(std::span(tokens).subspan(at, static_cast<size_t>(length)));
      all.insert(all.end(), own.begin(), own.end());
    }
    return all;
  }

  SafetensorsFile file;
  int64_t length;
  std::vector<TokenId> tokens;
  std::vector<float> logits;
};

TEST(Adapter, GivesTheLogitsOfPeft) {
  for (const char* name : kCases) {
    const PeftGolden golden(name);
    const fs::path folder = adapter_folder(name);
    const Model model = Model::load(folder);
    EXPECT_LT(test::relative_worst(golden.logits_of(model), golden.logits),
              test::forward_bound(model.config()))
        << name;
    const Model beside = Model::load(base_of_adapter(folder), {.adapter = folder});
    EXPECT_EQ(golden.logits_of(beside), golden.logits_of(model)) << name;
    EXPECT_EQ(load_config(folder, {}), model.config()) << name;
    // As a network that can be trained.
    EXPECT_LT(test::relative_worst(golden.logits_of(load_trainable(folder)), golden.logits),
              test::forward_bound(model.config()))
        << name;
  }
}

TEST(Adapter, WithoutItTheLogitsAreOthers) {
  for (const char* name : kCases) {
    if (std::string(name) == "grown") continue;  // has tokens that the model has not
    const PeftGolden golden(name);
    const Model base = Model::load(base_of_adapter(adapter_folder(name)));
    EXPECT_GT(test::relative_worst(golden.logits_of(base), golden.logits), 1e-3) << name;
  }
}

void expect_same(const Adapter& a, const Adapter& b) {
  ASSERT_EQ(a.modules.size(), b.modules.size());
  for (size_t i = 0; i < a.modules.size(); ++i) {
    const AdapterModule &m = a.modules[i], &n = b.modules[i];
    EXPECT_EQ(m.name, n.name);
    EXPECT_EQ(m.rank, n.rank);
    EXPECT_DOUBLE_EQ(m.scale, n.scale);
    EXPECT_EQ(m.a, n.a);
    EXPECT_EQ(m.b, n.b);
    EXPECT_EQ(m.magnitude, n.magnitude);
  }
  ASSERT_EQ(a.whole.size(), b.whole.size());
  for (size_t i = 0; i < a.whole.size(); ++i) {
    EXPECT_EQ(a.whole[i].name, b.whole[i].name);
    EXPECT_EQ(a.whole[i].values, b.whole[i].values);
  }
}

TEST(Adapter, ComesBackFromItsFiles) {
  for (const char* name : kCases) {
    const ScratchFolder scratch;
    const ModelConfig model = load_config(base_of_adapter(adapter_folder(name)));
    const Adapter adapter = read_adapter(adapter_folder(name), model);
    write_adapter(scratch.path(), adapter);
    const Adapter again = read_adapter(scratch.path(), model);
    expect_same(adapter, again);
    EXPECT_EQ(again.config.base_model, adapter.config.base_model);
    EXPECT_EQ(again.config.targets, adapter.config.targets);
    EXPECT_EQ(again.config.layers, adapter.config.layers);
    EXPECT_EQ(again.config.bias, adapter.config.bias);
  }
}

// The bytes of every tensor that an adapter leaves alone are those of the model, in its types.
TEST(Adapter, MergedFoldersKeepWhatDoesNotChange) {
  const ScratchFolder scratch;
  merge_adapter(fixture("model/two_layers"), adapter_folder("plain"), scratch / "merged");
  const SafetensorsFile before(fixture("model/two_layers") / "model.safetensors"),
      after(scratch / "merged/model.safetensors");
  EXPECT_EQ(before.tensors().size(), after.tensors().size());
  for (const auto& [name, tensor] : before.tensors()) {
    const bool is_changed = name.find("c_attn.weight") != std::string::npos;
    EXPECT_EQ(std::ranges::equal(tensor.bytes, after.at(name).bytes), !is_changed) << name;
  }
  EXPECT_EQ(read_file(scratch / "merged/config.json"),
            read_file(fixture("model/two_layers/config.json")));
}

TEST(Adapter, MergedFoldersHaveTheLogitsOfTheAdapter) {
  for (const char* name : kCases) {
    const ScratchFolder scratch;
    merge_adapter(adapter_folder(name), {}, scratch / "merged");
    const PeftGolden golden(name);
    const Model merged = Model::load(scratch / "merged"),
                loaded = Model::load(adapter_folder(name));
    EXPECT_EQ(merged.config(), loaded.config()) << name;
    EXPECT_EQ(golden.logits_of(merged), golden.logits_of(loaded)) << name;
  }
}

// A model whose matrices are stored as bf16: what changes is bf16 again, what does not lies in the
// file, and the merged folder says so.
TEST(Adapter, KeepsTheTypeOfTheWeights) {
  const ScratchFolder scratch;
  const fs::path base = fixture("model/two_layers");
  fs::create_directory(scratch / "half");
  fs::copy_file(base / "config.json", scratch / "half/config.json");
  const SafetensorsFile file(base / "model.safetensors");
  std::vector<TensorToStore> tensors;
  std::vector<std::vector<bf16>> values;
  for (const auto& [name, tensor] : file.tensors()) {
    auto& own = values.emplace_back(tensor.bytes.size() / sizeof(float));
    std::vector<float> wide(own.size());
    copy_as_f32(tensor, wide);
    for (size_t i = 0; i < own.size(); ++i) own[i] = to_bf16(wide[i]);
    tensors.push_back({name, DType::kBF16, tensor.shape, own.data()});
  }
  write_safetensors(scratch / "half/model.safetensors", tensors, {{"format", "pt"}});

  const Model model = Model::load(scratch / "half", {.adapter = adapter_folder("plain")});
  const Weights& weights = *model.impl().weights;
  EXPECT_EQ(weights.matrix(weights.table().layer(0).attn_weight).type, WeightType::kBF16);
  EXPECT_EQ(weights.matrix(weights.table().layer(0).fc_weight).type, WeightType::kBF16);
  merge_adapter(scratch / "half", adapter_folder("plain"), scratch / "merged");
  const SafetensorsFile merged(scratch / "merged/model.safetensors");
  for (const auto& [name, tensor] : merged.tensors()) EXPECT_EQ(tensor.dtype, DType::kBF16) << name;
  EXPECT_EQ(read_json(scratch / "merged/config.json")["dtype"], "bfloat16");
  const PeftGolden golden("plain");
  EXPECT_EQ(golden.logits_of(Model::load(scratch / "merged")), golden.logits_of(model));
}

// Quantising the merged model is the same as merging while it is quantised or loaded as blocks.
TEST(Adapter, IsMergedBeforeWeightsAreQuantised) {
  const ScratchFolder scratch;
  const fs::path base = fixture("model/two_layers"), adapter = adapter_folder("all_rslora");
  merge_adapter(base, adapter, scratch / "merged");
  const PeftGolden golden("all_rslora");
  EXPECT_EQ(golden.logits_of(Model::load(base, {.weights = "f16", .adapter = adapter})),
            golden.logits_of(Model::load(scratch / "merged", {.weights = "f16"})));
  // 48 channels are no whole number of blocks of 32: matrices of 192 are.
  EXPECT_EQ(golden.logits_of(Model::load(base, {.weights = "q8_0", .adapter = adapter})),
            golden.logits_of(Model::load(scratch / "merged", {.weights = "q8_0"})));
}

// A folder with a changed copy of an adapter.
class Changed {
 public:
  Changed(const std::string& name, const std::function<void(Json&)>& change) {
    fs::copy(adapter_folder(name), scratch_ / "adapter");
    Json json = read_json(folder() / "adapter_config.json");
    change(json);
    write_json(folder() / "adapter_config.json", json);
  }
  fs::path folder() const { return scratch_ / "adapter"; }
  Error error() const {
    return thrown_by([&] { Model::load(fixture("model/two_layers"), {.adapter = folder()}); });
  }

 private:
  ScratchFolder scratch_;
};

TEST(Adapter, RefusesConfigurationsThatItWouldComputeWrongly) {
  struct Case {
    const char* key;
    Json value;
    ErrorCode code;
  };
  const Case cases[] = {{"peft_type", "IA3", ErrorCode::kUnsupported},
                        {"peft_type", nullptr, ErrorCode::kInvalidData},
                        {"init_lora_weights", "pissa_niter_4", ErrorCode::kUnsupported},
                        {"trainable_token_indices", {1, 2}, ErrorCode::kUnsupported},
                        {"lora_bias", true, ErrorCode::kUnsupported},
                        {"layer_replication", {{0, 2}}, ErrorCode::kUnsupported},
                        {"something_new", 3, ErrorCode::kUnsupported},
                        {"layers_pattern", "blocks", ErrorCode::kUnsupported},
                        {"rank_pattern", {{"c_(attn|fc)", 3}}, ErrorCode::kUnsupported},
                        {"rank_pattern", {{"c_attn", 3}}, ErrorCode::kMismatch},
                        {"r", 0, ErrorCode::kInvalidData},
                        {"r", 5, ErrorCode::kMismatch},
                        {"lora_alpha", "much", ErrorCode::kInvalidData},
                        {"bias", "some", ErrorCode::kInvalidData},
                        {"use_dora", true, ErrorCode::kInvalidData},
                        {"target_modules", {"c_fc"}, ErrorCode::kMismatch},
                        {"target_modules", {"c_attn", "c_fc"}, ErrorCode::kMismatch},
                        {"target_modules", nullptr, ErrorCode::kInvalidData},
                        {"layers_to_transform", {1}, ErrorCode::kMismatch}};
  for (const Case& c : cases) {
    const Changed changed("plain", [&](Json& json) { json[c.key] = c.value; });
    const Error error = changed.error();
    EXPECT_EQ(error.code(), c.code) << c.key << ": " << error.what();
    EXPECT_TRUE(mentions(error, changed.folder().string())) << error.what();
  }
}

TEST(Adapter, TakesWhatSaysNothing) {
  const Changed changed("plain", [](Json& json) {
    json["something_new"] = nullptr;
    json["another"] = false;
    json["third"] = Json::object();
    json["init_lora_weights"] = "gaussian";
  });
  EXPECT_NO_THROW(Model::load(fixture("model/two_layers"), {.adapter = changed.folder()}));
}

// The tensors of "plain" after a change, as a file's bytes.
std::string changed_tensors(const std::function<void(std::vector<TensorToStore>&)>& change) {
  const ScratchFolder scratch;
  const SafetensorsFile file(adapter_folder("plain") / "adapter_model.safetensors");
  std::vector<TensorToStore> tensors;
  for (const auto& [name, tensor] : file.tensors())
    tensors.push_back({name, tensor.dtype, tensor.shape, tensor.bytes.data()});
  change(tensors);
  write_safetensors(scratch / "a.safetensors", tensors, {{"format", "pt"}});
  return read_file(scratch / "a.safetensors");
}

Error error_of(const std::string& tensors) {
  const ModelConfig model = load_config(fixture("model/two_layers"));
  const std::string config = read_file(adapter_folder("plain") / "adapter_config.json");
  return thrown_by([&] { parse_adapter(config, tensors, model); });
}

TEST(Adapter, RefusesTensorsThatDoNotFit) {
  Error error = error_of(changed_tensors([](auto& tensors) { tensors.pop_back(); }));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(mentions(error, "module 'h.1.attn.c_attn' has no lora_B")) << error.what();

  error = error_of(changed_tensors([](auto& tensors) {
    tensors[1].shape = {tensors[1].shape[1], tensors[1].shape[0]};
  }));
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(mentions(error, "has shape [4, 144], the model and the rank imply [144, 4]"))
      << error.what();

  for (const char* name : {"base_model.model.transformer.h.2.attn.c_attn.lora_A.weight",
                           "base_model.model.transformer.h.0.ln_1.lora_A.weight",
                           "base_model.model.score.weight", "h.0.attn.c_attn.lora_A.weight"}) {
    error = error_of(changed_tensors([&](auto& tensors) {
      tensors.push_back(tensors[0]);
      tensors.back().name = name;
    }));
    EXPECT_TRUE(mentions(error, name)) << error.what();
  }

  std::vector<float> values(4 * 48, 0.5f);
  values[7] = std::numeric_limits<float>::quiet_NaN();
  error = error_of(changed_tensors([&](auto& tensors) { tensors[0].data = values.data(); }));
  EXPECT_TRUE(mentions(error, "not finite")) << error.what();

  const std::string whole = changed_tensors([](auto&) {});
  EXPECT_EQ(error_of(whole.substr(0, whole.size() - 1)).code(), ErrorCode::kInvalidData);
  EXPECT_EQ(error_of(whole.substr(0, 20)).code(), ErrorCode::kInvalidData);
}

TEST(Adapter, RefusesAnotherModel) {
  const Error error = thrown_by(
      [&] { Model::load(fixture("model/silu_wide"), {.adapter = adapter_folder("plain")}); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch) << error.what();
}

TEST(Adapter, SaysHowToGiveTheModel) {
  const Changed lost("plain", [](Json& json) { json["base_model_name_or_path"] = "someone/gpt2"; });
  const Error error = thrown_by([&] { Model::load(lost.folder()); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(mentions(error, "someone/gpt2")) << error.what();
  EXPECT_TRUE(mentions(error, "--adapter")) << error.what();
  EXPECT_EQ(thrown_by([&] {
              Model::load(fixture("model/two_layers"), {.adapter = fixture("model/two_layers")});
            }).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(thrown_by([&] {
              Model::load(adapter_folder("plain"), {.adapter = adapter_folder("plain")});
            }).code(),
            ErrorCode::kUsage);
}

TEST(Adapter, TargetsNameRows) {
  const ParameterTable table(load_config(fixture("model/two_layers")));
  const auto names = [&](std::vector<std::string> targets, std::vector<int64_t> layers = {}) {
    std::vector<std::string> result;
    for (const int row : adapted_rows(table, {.targets = targets, .layers = layers}))
      result.push_back(table[row].name);
    return result;
  };
  EXPECT_EQ(names({"c_proj"}),
            (std::vector<std::string>{"h.0.attn.c_proj.weight", "h.0.mlp.c_proj.weight",
                                      "h.1.attn.c_proj.weight", "h.1.mlp.c_proj.weight"}));
  EXPECT_EQ(names({"mlp.c_proj"}, {1}), (std::vector<std::string>{"h.1.mlp.c_proj.weight"}));
  EXPECT_EQ(thrown_by([&] { names({"c_attn", "q_proj"}); }).code(), ErrorCode::kUsage);
}

// llama.cpp's own reading of such a file: tools/check_adapters.py.
TEST(Adapter, IsWrittenForLlama) {
  const ScratchFolder scratch;
  write_adapter_gguf(adapter_folder("all_rslora"), {}, scratch / "a.gguf");
  const GgufFile file(scratch / "a.gguf");
  const Gguf& gguf = file.content();
  EXPECT_EQ(gguf.get_string("general.type"), "adapter");
  EXPECT_FLOAT_EQ(static_cast<float>(*gguf.get_number("adapter.lora.alpha")),
                  static_cast<float>(5 * std::sqrt(3.0)));
  EXPECT_EQ(gguf.tensors().size(), 16u);
  EXPECT_EQ(gguf.tensor("blk.1.ffn_up.weight.lora_a").shape, (std::vector<int64_t>{3, 48}));
  EXPECT_EQ(gguf.tensor("blk.1.ffn_up.weight.lora_b").shape, (std::vector<int64_t>{192, 3}));
  for (const char* name : {"all_dora", "regex_biases", "embeddings", "output"}) {
    const Error error = thrown_by(
        [&] { write_adapter_gguf(adapter_folder(name), {}, scratch / "b"); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << name;
  }
  // Ranks and alphas of single modules, and queries scaled by their layer: B holds what the scale
  // of the file lacks.
  write_adapter_gguf(adapter_folder("patterns"), {}, scratch / "p.gguf");
  const GgufFile patterns(scratch / "p.gguf");
  const Adapter adapter = read_adapter(adapter_folder("patterns"),
                                       load_config(fixture("model/inverse_layer_scale")));
  const double alpha = *patterns.content().get_number("adapter.lora.alpha");
  for (const AdapterModule& m : adapter.modules) {
    const bool queries = m.name == "h.2.attn.c_attn";
    const std::string name = queries ? "blk.2.attn_qkv.weight.lora_b"
                                     : "blk.2.ffn_down.weight.lora_b";
    if (m.name != "h.2.mlp.c_proj" && !queries) continue;
    float first = 0;
    std::memcpy(&first, patterns.content().tensor(name).bytes.data(), sizeof first);
    const double scale = alpha / static_cast<double>(m.rank);
    EXPECT_NEAR(scale * first, m.scale * m.b[0] / (queries ? 3 : 1), 1e-6) << m.name;
  }
}

}  // namespace
}  // namespace inkstone
