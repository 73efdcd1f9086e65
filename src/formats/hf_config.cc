#include "formats/hf_config.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// A size under its own name or under one of the names that Transformers takes for it.
// Source: GPT2Config.attribute_map.
struct SizeKey {
  const char* name;
  const char* other_name;
  int64_t highest;
};

constexpr SizeKey kLayers = {"n_layer", "num_hidden_layers", 10'000};
constexpr SizeKey kHeads = {"n_head", "num_attention_heads", 100'000};
constexpr SizeKey kWidth = {"n_embd", "hidden_size", 1'000'000};
constexpr SizeKey kContext = {"n_positions", "max_position_embeddings", 10'000'000};
constexpr SizeKey kOldContext = {"n_ctx", "n_ctx", 10'000'000};
constexpr SizeKey kVocabulary = {"vocab_size", "vocab_size", 100'000'000};
// ModelConfig::prefix_lm, a key of our own: Transformers takes the model for a causal one.
constexpr const char* kPrefixKey = "inkstone_prefix_lm";

std::optional<int64_t> get_size(const Json& json, const SizeKey& key) {
  const auto size = get_integer(json, key.name, 1, key.highest);
  const auto other = get_integer(json, key.other_name, 1, key.highest);
  if (size && other && *size != *other) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, but '{}', which means the same, is {}", key.name,
         *size, key.other_name, *other);
  }
  return size ? size : other;
}

// Refuses a switch that is not in the only position that is implemented (which is also its
// default).
void require_switch(const Json& json, const char* key, bool expected) {
  if (get_boolean(json, key).value_or(expected) == expected) return;
  fail(ErrorCode::kUnsupported, "'{}' is {}, only {} is supported", key, !expected, expected);
}

void require_gpt2(const Json& json) {
  const std::string type = get_string(json, "model_type").value_or("gpt2");
  if (type != "gpt2") {
    fail(ErrorCode::kUnsupported, "'model_type' is '{}', only 'gpt2' is supported", type);
  }
  const auto quantisation = json.find("quantization_config");
  if (quantisation != json.end() && !quantisation->is_null()) {
    fail(ErrorCode::kUnsupported,
         "'quantization_config' is there: quantised weights are not supported, take the original "
         "model");
  }
  const auto pruned = json.find("pruned_heads");
  if (pruned != json.end() && !pruned->is_null() && !pruned->empty()) {
    fail(ErrorCode::kUnsupported, "'pruned_heads' is {}, pruned heads are not supported",
         pruned->dump());
  }
  require_switch(json, "scale_attn_weights", true);
  require_switch(json, "add_cross_attention", false);
  require_switch(json, "is_encoder_decoder", false);
}

// The first name of each is what a config.json of ours says. Source:
// transformers.activations.ACT2FN.
using NamedActivation = std::pair<std::string_view, Activation>;
constexpr NamedActivation kActivations[] = {
    {"gelu_new", Activation::kGeluTanh},  {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh}, {"gelu", Activation::kGelu},
    {"relu", Activation::kRelu},          {"silu", Activation::kSilu},
    {"swish", Activation::kSilu}};

Activation activation_of(const Json& json) {
  const std::string name = get_string(json, "activation_function").value_or("gelu_new");
  if (const auto activation = activation_by_name(name)) return *activation;
  std::string known;
  for (const auto& [key, activation] : kActivations)
    known += (known.empty() ? "" : ", ") + std::string(key);
  fail(ErrorCode::kUnsupported, "'activation_function' is '{}', expected one of {}", name, known);
}

ModelConfig config_of(const Json& json) {
  require_gpt2(json);
  ModelConfig config;  // holds GPT2Config's defaults
  config.layers = get_size(json, kLayers).value_or(config.layers);
  config.heads = get_size(json, kHeads).value_or(config.heads);
  config.width = get_size(json, kWidth).value_or(config.width);
  // Beside n_positions, Transformers leaves n_ctx aside; alone it is what OpenAI's hparams.json
  // has.
  config.context = get_size(json, kContext)
                       .value_or(get_size(json, kOldContext).value_or(config.context));
  config.vocab_size = get_size(json, kVocabulary).value_or(config.vocab_size);
  config.inner = get_integer(json, "n_inner", 1, 4 * kWidth.highest).value_or(0);
  if (config.inner == 4 * config.width) config.inner = 0;  // the same, said
  config.activation = activation_of(json);
  config.tied_output = get_boolean(json, "tie_word_embeddings").value_or(true);
  config.layer_norm_epsilon = get_number(json, "layer_norm_epsilon", 0, 1)
                                  .value_or(config.layer_norm_epsilon);
  config.initializer_range = get_number(json, "initializer_range", 0, 100)
                                 .value_or(config.initializer_range);
  config.scale_attention_by_inverse_layer = get_boolean(json, "scale_attn_by_inverse_layer_idx")
                                                .value_or(false);
  config.prefix_lm = get_boolean(json, kPrefixKey).value_or(false);
  // It changes the order of the arithmetic, not the result: only its type is checked.
  get_boolean(json, "reorder_and_upcast_attn");
  if (config.width % config.heads != 0) {
    fail(ErrorCode::kInvalidData, "'n_embd' is {}, expected a multiple of 'n_head', {}",
         config.width, config.heads);
  }
  return config;
}

constexpr std::array kDropoutKeys = {"attn_pdrop", "embd_pdrop", "resid_pdrop"};

// A config.json of ours. Without the ids' keys Transformers would assume GPT-2's 50256, so that
// null is written, not left out.
Json new_config(const ModelConfig& config, const HfConfigExtras& extras) {
  const Json end = extras.end_of_text ? Json(*extras.end_of_text) : Json(nullptr);
  const double dropout = extras.dropout.value_or(0.1);
  Json json = {{"activation_function", std::string(activation_name(config.activation))},
               {"architectures", Json::array({"GPT2LMHeadModel"})},
               {"attn_pdrop", dropout},
               {"bos_token_id", end},
               {"embd_pdrop", dropout},
               {"eos_token_id", end},
               {"initializer_range", config.initializer_range},
               {"layer_norm_epsilon", config.layer_norm_epsilon},
               {"model_type", "gpt2"},
               {"n_ctx", config.context},
               {"n_embd", config.width},
               {"n_head", config.heads},
               {"n_inner", config.inner > 0 ? Json(config.inner) : Json(nullptr)},
               {"n_layer", config.layers},
               {"n_positions", config.context},
               {"reorder_and_upcast_attn", false},
               {"resid_pdrop", dropout},
               {"scale_attn_by_inverse_layer_idx", config.scale_attention_by_inverse_layer},
               {"scale_attn_weights", true},
               {"tie_word_embeddings", config.tied_output},
               {"torch_dtype", extras.torch_dtype},
               {"use_cache", true},
               {"vocab_size", config.vocab_size}};
  if (config.prefix_lm) json[kPrefixKey] = true;
  return json;
}

// The end mark of the save, in a file of a model that names none.
void name_end_mark(Json& json, const HfConfigExtras& extras) {
  if (!extras.end_of_text || !special_ids_of(extras.files).end.empty()) return;
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    if (!json.contains(key) || json[key].is_null()) json[key] = *extras.end_of_text;
  }
}

// That of a loaded model, with what the save knows better.
Json renewed_config(Json json, const ModelConfig& config, const HfConfigExtras& extras) {
  const ModelConfig before = config_of(json);
  if (before.vocab_size != config.vocab_size) json["vocab_size"] = config.vocab_size;
  if (before.tied_output != config.tied_output) json["tie_word_embeddings"] = config.tied_output;
  if (before.prefix_lm != config.prefix_lm) json[kPrefixKey] = config.prefix_lm;
  for (const char* key : kDropoutKeys) {
    if (extras.dropout) json[key] = *extras.dropout;
  }
  for (const char* key : {"torch_dtype", "dtype"}) {
    if (json.contains(key)) json[key] = extras.torch_dtype;
  }
  name_end_mark(json, extras);
  return json;
}

// The bytes that were read, if they say the same.
void write_renewed(const fs::path& path, const Json& json, const std::string& before) {
  if (before.empty() || parse_json(before) != json) return write_json(path, json);
  write_file(path, before);
}

Json parse_object(const char* name, const std::string& text) {
  if (text.empty()) return Json::object();
  return with_context(name, [&] { return parse_json_object(text); });
}

// The ids under `key`: a number or a list of numbers.
std::vector<TokenId> ids_of(const Json& json, const char* key) {
  const auto at = json.find(key);
  if (at == json.end() || at->is_null()) return {};
  std::vector<TokenId> ids;
  for (const Json& value : at->is_array() ? *at : Json::array({*at})) {
    const Json one = {{key, value}};
    const auto id = get_integer(one, key, INT64_MIN, kVocabulary.highest);
    if (id && *id >= 0) ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

}  // namespace

std::string_view activation_name(Activation activation) {
  return std::ranges::find(kActivations, activation, &NamedActivation::second)->first;
}

std::optional<Activation> activation_by_name(std::string_view name) {
  const auto found = std::ranges::find(kActivations, name, &NamedActivation::first);
  if (found == std::end(kActivations)) return std::nullopt;
  return found->second;
}

ModelConfig parse_hf_config(std::string_view json) { return config_of(parse_json_object(json)); }

ModelConfig read_hf_config(const fs::path& path) {
  const std::string text = read_file(path, uint64_t{1} << 20);
  return with_context(message("reading '{}'", path.string()),
                      [&] { return parse_hf_config(text); });
}

HfConfigFiles read_hf_config_files(const fs::path& folder) {
  HfConfigFiles files;
  for (const auto& [name, text] : {std::pair{"config.json", &files.config},
                                   std::pair{"generation_config.json", &files.generation}}) {
    if (fs::exists(folder / name)) *text = read_file(folder / name, uint64_t{1} << 20);
  }
  return files;
}

HfSpecialIds special_ids_of(const HfConfigFiles& files) {
  HfSpecialIds ids;
  for (const auto& [name, text] : {std::pair{"generation_config.json", &files.generation},
                                   std::pair{"config.json", &files.config}}) {
    const Json json = parse_object(name, *text);
    with_context(name, [&] {
      if (ids.end.empty()) ids.end = ids_of(json, "eos_token_id");
      const auto begin = ids_of(json, "bos_token_id");
      if (!ids.begin && !begin.empty()) ids.begin = begin.front();
    });
  }
  return ids;
}

void write_hf_config(const fs::path& folder, const ModelConfig& config,
                     const HfConfigExtras& extras) {
  const HfConfigFiles& files = extras.files;
  const Json json = files.config.empty()
                        ? new_config(config, extras)
                        : renewed_config(parse_object("config.json", files.config), config, extras);
  write_renewed(folder / "config.json", json, files.config);
  Json generation = parse_object("generation_config.json", files.generation);
  if (!files.generation.empty()) {
    name_end_mark(generation, extras);
  } else {
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
      if (json.contains(key)) generation[key] = json[key];
    }
  }
  write_renewed(folder / "generation_config.json", generation, files.generation);
}

}  // namespace inkstone
