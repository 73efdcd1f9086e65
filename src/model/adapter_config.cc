#include "model/adapter_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr int64_t kHighestRank = 65536;
constexpr double kHighestAlpha = 1e6;

// What is read here, and what says nothing about the numbers of a trained adapter.
constexpr std::array<std::string_view, 31> kKnownKeys = {"alpha_pattern",
                                                         "auto_mapping",
                                                         "base_model_name_or_path",
                                                         "bias",
                                                         "ensure_weight_tying",
                                                         "eva_config",
                                                         "exclude_modules",
                                                         "fan_in_fan_out",
                                                         "inference_mode",
                                                         "init_lora_weights",
                                                         "layers_pattern",
                                                         "layers_to_transform",
                                                         "lora_alpha",
                                                         "lora_dropout",
                                                         "loftq_config",
                                                         "lora_ga_config",
                                                         "corda_config",
                                                         "megatron_core",
                                                         "modules_to_save",
                                                         "peft_type",
                                                         "peft_version",
                                                         "qalora_group_size",
                                                         "r",
                                                         "rank_pattern",
                                                         "revision",
                                                         "runtime_config",
                                                         "target_modules",
                                                         "task_type",
                                                         "use_dora",
                                                         "use_rslora",
                                                         "velora_config"};

bool says_nothing(const Json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

// A key that is not known changes the numbers, or may.
void refuse_unknown(const Json& json) {
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(kKnownKeys, key) != kKnownKeys.end() || says_nothing(value)) continue;
    fail(ErrorCode::kUnsupported, "'{}' is {}, which is not supported", key,
         value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 100));
  }
}

void require_lora(const Json& json) {
  const std::string type = required(get_string(json, "peft_type"), "peft_type");
  if (type != "LORA")
    fail(ErrorCode::kUnsupported, "'peft_type' is '{}', only 'LORA' is supported", type);
}

// PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA take a part out of the model's matrices when they begin.
void require_plain_start(const Json& json) {
  const auto at = json.find("init_lora_weights");
  if (at == json.end() || at->is_null() || at->is_boolean()) return;
  const std::string start = *get_string(json, "init_lora_weights");
  for (const char* plain : {"gaussian", "orthogonal", "eva"}) {
    if (start == plain) return;
  }
  fail(ErrorCode::kUnsupported,
       "'init_lora_weights' is '{}', which changes the model too: save the adapter once more with "
       "PEFT's save_pretrained(..., path_initial_model_for_weight_conversion=...)",
       start);
}

// A string or a list of strings.
std::vector<std::string> get_strings(const Json& json, std::string_view key) {
  const auto at = json.find(std::string(key));
  if (at == json.end() || at->is_null()) return {};
  if (at->is_string()) return {at->get<std::string>()};
  const bool is_list = at->is_array() &&
                       std::ranges::all_of(*at, [](const Json& one) { return one.is_string(); });
  if (!is_list)
    fail(ErrorCode::kInvalidData, "'{}' is a JSON {}, expected strings", key, json_kind(*at));
  return at->get<std::vector<std::string>>();
}

void read_targets(const Json& json, AdapterConfig& config) {
  const auto at = json.find("target_modules");
  if (at != json.end() && at->is_string()) {
    config.target_pattern = at->get<std::string>();
  } else {
    config.targets = get_strings(json, "target_modules");
  }
  if (config.target_pattern.empty() && config.targets.empty())
    fail(ErrorCode::kInvalidData, "'target_modules' names no module");
}

std::vector<int64_t> read_layers(const Json& json) {
  constexpr const char* kKey = "layers_to_transform";
  for (const std::string& pattern : get_strings(json, "layers_pattern")) {
    if (pattern == "h") continue;
    fail(ErrorCode::kUnsupported, "'layers_pattern' has '{}', a GPT-2's layers are 'h'", pattern);
  }
  const auto at = json.find(kKey);
  if (at == json.end() || at->is_null()) return {};
  const Json list = at->is_array() ? *at : Json::array({*at});
  std::vector<int64_t> layers;
  for (const Json& one : list) {
    const Json single = {{kKey, one}};
    layers.push_back(required(get_integer(single, kKey, 0, INT32_MAX), kKey));
  }
  return layers;
}

AdapterBias read_bias(const Json& json) {
  const std::string bias = get_string(json, "bias").value_or("none");
  if (bias == "none") return AdapterBias::kNone;
  if (bias == "all") return AdapterBias::kAll;
  if (bias == "lora_only") return AdapterBias::kLoraOnly;
  fail(ErrorCode::kInvalidData, "'bias' is '{}', expected 'none', 'all' or 'lora_only'", bias);
}

const char* bias_name(AdapterBias bias) {
  if (bias == AdapterBias::kNone) return "none";
  return bias == AdapterBias::kAll ? "all" : "lora_only";
}

// An integer where it is one: PEFT declares lora_alpha so.
Json number_json(double value) {
  if (std::floor(value) == value && std::fabs(value) < 1e15) return static_cast<int64_t>(value);
  return value;
}

// The alpha that makes `scale` of `rank`.
double alpha_of(const AdapterConfig& config, double scale, int64_t rank) {
  return scale / AdapterConfig{.alpha = 1, .use_rslora = config.use_rslora}.scale(rank);
}

// A name as a regular expression may write it: "h\.3\.attn" is "h.3.attn". A dot, which there
// stands for any character, is one in every name of a module.
std::string unescaped_name(std::string_view pattern, std::string_view key) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern.substr(i, 2) == "\\.") continue;
    const char c = pattern[i];
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (!is_plain) {
      fail(ErrorCode::kUnsupported,
           "'{}' has '{}', a regular expression: only names and their ends are supported", key,
           pattern);
    }
    name += c;
  }
  return name;
}

bool ends_with_part(std::string_view name, std::string_view end) {
  if (name == end) return true;
  return name.size() > end.size() && name.ends_with(end) &&
         name[name.size() - end.size() - 1] == '.';
}

// N of "transformer.h.N."; nullopt: not in a layer.
std::optional<int64_t> layer_of(std::string_view module) {
  if (!module.starts_with("h.")) return std::nullopt;
  int64_t layer = 0;
  const char* const begin = module.data() + 2;
  if (std::from_chars(begin, module.data() + module.size(), layer).ec != std::errc())
    return std::nullopt;
  return layer;
}

}  // namespace

double AdapterConfig::scale(int64_t module_rank) const {
  const auto r = static_cast<double>(module_rank);
  return alpha / (use_rslora ? std::sqrt(r) : r);
}

std::string peft_module_name(std::string_view module) {
  return (module == "lm_head" ? "" : "transformer.") + std::string(module);
}

bool is_target(const AdapterConfig& config, std::string_view module) {
  const std::string name = peft_module_name(module);
  const bool is_named = std::ranges::any_of(
      config.targets, [&](const std::string& target) { return ends_with_part(name, target); });
  if (!is_named || config.layers.empty()) return is_named;
  // A list that has the whole name needs no layer.
  if (std::ranges::find(config.targets, name) != config.targets.end()) return true;
  const auto layer = layer_of(module);
  return layer && std::ranges::find(config.layers, *layer) != config.layers.end();
}

ModulePattern::ModulePattern(const Json& config, std::string_view key, double highest) {
  const auto at = config.find(std::string(key));
  if (at == config.end() || at->is_null()) return;
  if (!at->is_object())
    fail(ErrorCode::kInvalidData, "'{}' is a JSON {}, expected an object", key, json_kind(*at));
  for (const auto& [pattern, value] : at->items()) {
    const bool is_whole = pattern.starts_with('^');
    entries_.push_back({unescaped_name(std::string_view(pattern).substr(is_whole ? 1 : 0), key),
                        is_whole, required(get_number(*at, pattern, 0, highest), pattern)});
  }
}

std::optional<double> ModulePattern::find(std::string_view module) const {
  const std::string name = peft_module_name(module);
  for (const Entry& entry : entries_) {
    if (entry.is_whole ? name == entry.name : ends_with_part(name, entry.name)) return entry.value;
  }
  return std::nullopt;
}

double AdapterConfigText::scale(std::string_view module, int64_t rank) const {
  AdapterConfig own = config;
  own.alpha = alphas.find(module).value_or(config.alpha);
  return own.scale(rank);
}

AdapterConfigText parse_adapter_config(std::string_view text) {
  const Json json = parse_json_object(text);
  require_lora(json);
  refuse_unknown(json);
  require_plain_start(json);
  AdapterConfigText result;
  AdapterConfig& config = result.config;
  config.rank = get_integer(json, "r", 1, kHighestRank).value_or(config.rank);
  config.alpha = get_number(json, "lora_alpha", -kHighestAlpha, kHighestAlpha)
                     .value_or(config.alpha);
  config.use_rslora = get_boolean(json, "use_rslora").value_or(false);
  config.use_dora = get_boolean(json, "use_dora").value_or(false);
  config.dropout = get_number(json, "lora_dropout", 0, 1).value_or(0);
  read_targets(json, config);
  config.layers = read_layers(json);
  config.bias = read_bias(json);
  config.base_model = get_string(json, "base_model_name_or_path").value_or("");
  config.modules_to_save = get_strings(json, "modules_to_save");
  result.ranks = ModulePattern(json, "rank_pattern", static_cast<double>(kHighestRank));
  result.alphas = ModulePattern(json, "alpha_pattern", kHighestAlpha);
  const auto excluded = json.find("exclude_modules");
  result.excludes = excluded != json.end() && !says_nothing(*excluded);
  result.ties_weights = get_boolean(json, "ensure_weight_tying").value_or(false);
  return result;
}

Json adapter_config_json(const AdapterConfig& config, const std::vector<AdapterModule>& modules) {
  Json ranks = Json::object(), alphas = Json::object();
  for (const AdapterModule& m : modules) {
    if (m.rank != config.rank) ranks[m.name] = m.rank;
    if (m.scale != config.scale(m.rank))
      alphas[m.name] = number_json(alpha_of(config, m.scale, m.rank));
  }
  const auto or_null = [](const Json& list) { return list.empty() ? Json(nullptr) : list; };
  return {{"alpha_pattern", alphas},
          {"base_model_name_or_path",
           config.base_model.empty() ? Json(nullptr) : Json(config.base_model)},
          {"bias", bias_name(config.bias)},
          {"fan_in_fan_out", true},
          {"inference_mode", true},
          {"layers_to_transform", or_null(config.layers)},
          {"lora_alpha", number_json(config.alpha)},
          {"lora_dropout", config.dropout},
          {"modules_to_save", or_null(config.modules_to_save)},
          {"peft_type", "LORA"},
          {"r", config.rank},
          {"rank_pattern", ranks},
          {"target_modules",
           config.target_pattern.empty() ? Json(config.targets) : Json(config.target_pattern)},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", config.use_dora},
          {"use_rslora", config.use_rslora}};
}

}  // namespace inkstone
