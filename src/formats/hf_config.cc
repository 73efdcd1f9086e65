#include "formats/hf_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

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
  require_switch(json, "tie_word_embeddings", true);
  require_switch(json, "add_cross_attention", false);
  require_switch(json, "is_encoder_decoder", false);
}

// Both names stand for GPT-2's tanh form. Source: transformers.activations.ACT2FN.
void require_activation(const Json& json) {
  constexpr std::array<std::string_view, 2> kKnown = {"gelu_new", "gelu_pytorch_tanh"};
  const std::string name = get_string(json, "activation_function").value_or("gelu_new");
  if (std::ranges::find(kKnown, name) != kKnown.end()) return;
  fail(ErrorCode::kUnsupported,
       "'activation_function' is '{}', only 'gelu_new' and 'gelu_pytorch_tanh' are supported",
       name);
}

void require_shape(const Json& json, const ModelConfig& config) {
  if (config.width % config.heads != 0) {
    fail(ErrorCode::kInvalidData, "'n_embd' is {}, expected a multiple of 'n_head', {}",
         config.width, config.heads);
  }
  const int64_t inner = get_integer(json, "n_inner", 1, 4 * kWidth.highest)
                            .value_or(4 * config.width);
  if (inner != 4 * config.width) {
    fail(ErrorCode::kUnsupported, "'n_inner' is {}, only 4 * n_embd = {} is supported", inner,
         4 * config.width);
  }
}

ModelConfig config_of(const Json& json) {
  if (!json.is_object()) {
    fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object", json.type_name());
  }
  require_gpt2(json);
  require_activation(json);
  ModelConfig config;  // holds GPT2Config's defaults
  config.layers = get_size(json, kLayers).value_or(config.layers);
  config.heads = get_size(json, kHeads).value_or(config.heads);
  config.width = get_size(json, kWidth).value_or(config.width);
  // Beside n_positions, Transformers leaves n_ctx aside; alone it is what OpenAI's hparams.json
  // has.
  config.context = get_size(json, kContext)
                       .value_or(get_size(json, kOldContext).value_or(config.context));
  config.vocab_size = get_size(json, kVocabulary).value_or(config.vocab_size);
  config.layer_norm_epsilon = get_number(json, "layer_norm_epsilon", 0, 1)
                                  .value_or(config.layer_norm_epsilon);
  config.initializer_range = get_number(json, "initializer_range", 0, 100)
                                 .value_or(config.initializer_range);
  config.scale_attention_by_inverse_layer = get_boolean(json, "scale_attn_by_inverse_layer_idx")
                                                .value_or(false);
  // It changes the order of the arithmetic, not the result: only its type is checked.
  get_boolean(json, "reorder_and_upcast_attn");
  require_shape(json, config);
  return config;
}

Json json_of(const ModelConfig& config, const HfConfigExtras& extras, const Json& end_of_text) {
  return {{"activation_function", "gelu_new"},
          {"architectures", Json::array({"GPT2LMHeadModel"})},
          {"attn_pdrop", extras.dropout},
          {"bos_token_id", end_of_text},
          {"embd_pdrop", extras.dropout},
          {"eos_token_id", end_of_text},
          {"initializer_range", config.initializer_range},
          {"layer_norm_epsilon", config.layer_norm_epsilon},
          {"model_type", "gpt2"},
          {"n_ctx", config.context},
          {"n_embd", config.width},
          {"n_head", config.heads},
          {"n_inner", nullptr},
          {"n_layer", config.layers},
          {"n_positions", config.context},
          {"reorder_and_upcast_attn", false},
          {"resid_pdrop", extras.dropout},
          {"scale_attn_by_inverse_layer_idx", config.scale_attention_by_inverse_layer},
          {"scale_attn_weights", true},
          {"tie_word_embeddings", true},
          {"torch_dtype", "float32"},
          {"use_cache", true},
          {"vocab_size", config.vocab_size}};
}

}  // namespace

ModelConfig parse_hf_config(std::string_view json) { return config_of(parse_json(json)); }

ModelConfig read_hf_config(const fs::path& path) {
  const std::string text = read_file(path, uint64_t{1} << 20);
  return with_context("reading '" + path.string() + "'", [&] { return parse_hf_config(text); });
}

void write_hf_config(const fs::path& folder, const ModelConfig& config,
                     const HfConfigExtras& extras) {
  // Without these keys Transformers would assume GPT-2's 50256, so that null is written, not left
  // out.
  const Json end_of_text = extras.end_of_text ? Json(*extras.end_of_text) : Json(nullptr);
  write_json(folder / "config.json", json_of(config, extras, end_of_text));
  const Json generation = {{"bos_token_id", end_of_text}, {"eos_token_id", end_of_text}};
  write_json(folder / "generation_config.json", generation);
}

}  // namespace inkstone
