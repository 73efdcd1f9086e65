#include "model/adapter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lfs_pointer.h"
#include "formats/safetensors.h"
#include "model/adapter_config.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr const char *kConfigFile = "adapter_config.json",
                     *kWeightsFile = "adapter_model.safetensors",
                     *kOldWeightsFile = "adapter_model.bin";
constexpr std::string_view kPrefix = "base_model.model.", kOutputModule = "lm_head",
                           kWeightEnd = ".weight";

using Tensors = std::map<std::string, StoredTensor, std::less<>>;

// What a name behind the module's says. Of embeddings PEFT stores the two factors without
// ".weight".
struct AdapterPart {
  std::string_view end;
  enum Kind { kA, kB, kMagnitude } kind;
  bool of_embedding;
};
constexpr AdapterPart kAdapterParts[] = {
    {".lora_A.weight", AdapterPart::kA, false},
    {".lora_B.weight", AdapterPart::kB, false},
    {".lora_embedding_A", AdapterPart::kA, true},
    {".lora_embedding_B", AdapterPart::kB, true},
    {".lora_magnitude_vector", AdapterPart::kMagnitude, false},
    {".lora_magnitude_vector.weight", AdapterPart::kMagnitude, false}};

// Tensors of one module.
struct StoredModule {
  struct Named {
    std::string name;  // in the file
    const StoredTensor* tensor = nullptr;
  };
  std::array<Named, 3> parts;  // by AdapterPart::Kind
  bool of_embedding = false;
};

struct StoredAdapter {
  std::map<std::string, StoredModule> modules;
  std::map<std::string, StoredModule::Named> whole;  // by the row's name
};

bool is_embedding(std::string_view module) { return module == "wte" || module == "wpe"; }

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight" without what stands before "h.0".
std::string_view short_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    fail(ErrorCode::kMismatch, "tensor '{}' is none of an adapter's, whose names begin with '{}'",
         name, kPrefix);
  }
  name.remove_prefix(kPrefix.size());
  constexpr std::string_view kTransformer = "transformer.";
  if (name.starts_with(kTransformer)) name.remove_prefix(kTransformer.size());
  return name;
}

bool is_same(const StoredTensor& a, const StoredTensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::ranges::equal(a.bytes, b.bytes);
}

// The row's name: PEFT puts a trained module, or one beside an adapter, into another.
std::string without_wrapper(std::string_view name) {
  std::string row(name);
  for (const std::string_view wrapper : {".base_layer.", ".modules_to_save."}) {
    if (const size_t at = row.find(wrapper); at != std::string::npos)
      row.erase(at, wrapper.size() - 1);
  }
  return row;
}

void sort_in(std::string_view full, const StoredTensor& tensor, StoredAdapter& stored) {
  const StoredModule::Named named = {std::string(full), &tensor};
  const std::string_view name = short_name(full);
  const auto place = [&](StoredModule::Named& into) {
    if (into.tensor != nullptr && !is_same(*into.tensor, tensor))
      fail(ErrorCode::kInvalidData, "tensors '{}' and '{}' are one, and differ", into.name, full);
    into = named;
  };
  for (const AdapterPart& part : kAdapterParts) {
    if (!name.ends_with(part.end)) continue;
    StoredModule& module = stored
                               .modules[std::string(name.substr(0, name.size() - part.end.size()))];
    module.of_embedding |= part.of_embedding;
    return place(module.parts[part.kind]);
  }
  if (name.find(".original_module.") != std::string::npos) return;  // what was before training
  place(stored.whole[without_wrapper(name)]);
}

StoredAdapter sorted(const Tensors& tensors) {
  StoredAdapter stored;
  for (const auto& [name, tensor] : tensors) sort_in(name, tensor, stored);
  return stored;
}

std::vector<float> values_of(const StoredModule::Named& named,
                             const std::vector<int64_t>& expected) {
  const StoredTensor& tensor = *named.tensor;
  if (tensor.shape != expected) {
    fail(ErrorCode::kMismatch, "tensor '{}' has shape {}, the model and the rank imply {}",
         named.name, shape_text(tensor.shape), shape_text(expected));
  }
  int64_t count = 1;
  for (const int64_t size : expected) count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  with_context(message("tensor '{}'", named.name), [&] { copy_as_f32(tensor, values); });
  check_fits(values, WeightType::kF32, named.name);
  return values;
}

// An output layer of its own, so that an adapter may change it, and the adapter's vocabulary.
ModelConfig config_for(const StoredAdapter& stored, const AdapterConfig& config,
                       const ModelConfig& model) {
  constexpr int64_t kMostTokens = 10'000'000;
  ModelConfig own = model;
  own.tied_output = false;
  const auto wte = stored.whole.find("wte.weight");
  if (wte == stored.whole.end() || wte->second.tensor->shape.size() != 2) return own;
  own.vocab_size = wte->second.tensor->shape[0];
  if (own.vocab_size < 1 || own.vocab_size > kMostTokens) {
    fail(ErrorCode::kInvalidData, "tensor '{}' has {} rows, expected 1 to {}", wte->second.name,
         own.vocab_size, kMostTokens);
  }
  const bool has_output = stored.whole.contains("lm_head.weight") ||
                          (model.tied_output && output_follows(config));
  if (own.vocab_size == model.vocab_size || has_output) return own;
  fail(ErrorCode::kMismatch,
       "tensor '{}' has {} rows, the model's vocabulary has {}: an output layer of as many "
       "('lm_head') is missing",
       wte->second.name, own.vocab_size, model.vocab_size);
}

[[noreturn]] void fail_no_place(const std::string& tensor) {
  fail(ErrorCode::kMismatch, "tensor '{}' has no place in the model", tensor);
}

// A pair, and with DoRA its magnitude.
void require_parts(const std::string& name, const StoredModule& stored, bool use_dora) {
  constexpr const char* kNames[] = {"lora_A", "lora_B", "lora_magnitude_vector"};
  for (int kind = AdapterPart::kA; kind <= AdapterPart::kMagnitude; ++kind) {
    const bool is_there = stored.parts[static_cast<size_t>(kind)].tensor != nullptr;
    const bool is_wanted = kind != AdapterPart::kMagnitude || use_dora;
    if (is_there == is_wanted) continue;
    if (is_wanted) fail(ErrorCode::kInvalidData, "module '{}' has no {}", name, kNames[kind]);
    fail(ErrorCode::kInvalidData, "module '{}' has a {}, and 'use_dora' is false", name,
         kNames[kind]);
  }
}

int64_t rank_of(const std::string& name, const StoredModule& stored,
                const AdapterConfigText& config) {
  const auto expected = static_cast<int64_t>(
      config.ranks.find(name).value_or(static_cast<double>(config.config.rank)));
  const auto& a = stored.parts[AdapterPart::kA];
  if (a.tensor->shape.size() == 2 && a.tensor->shape[0] == expected && expected > 0)
    return expected;
  fail(ErrorCode::kMismatch, "tensor '{}' has shape {}, {} says that the rank is {}", a.name,
       shape_text(a.tensor->shape), kConfigFile, expected);
}

AdapterModule read_module(const ParameterRow& row, const StoredModule& stored,
                          const AdapterConfigText& config) {
  AdapterModule module = adapter_module(row, config.config);
  require_parts(module.name, stored, config.config.use_dora);
  if (stored.of_embedding != is_embedding(module.name)) fail_no_place(stored.parts[0].name);
  module.rank = rank_of(module.name, stored, config);
  module.scale = config.scale(module.name, module.rank);
  module.a = values_of(stored.parts[AdapterPart::kA], {module.rank, module.in});
  module.b = values_of(stored.parts[AdapterPart::kB], {module.out, module.rank});
  if (config.config.use_dora)
    module.magnitude = values_of(stored.parts[AdapterPart::kMagnitude], {module.out});
  return module;
}

// By the table's order.
std::vector<AdapterModule> read_modules(const StoredAdapter& stored,
                                        const AdapterConfigText& config,
                                        const ParameterTable& table) {
  std::vector<AdapterModule> modules;
  std::set<std::string> known;
  for (const ParameterRow& row : table.rows()) {
    if (row.shape.rank() != 2) continue;
    const std::string name = row.name.substr(0, row.name.size() - kWeightEnd.size());
    const auto at = stored.modules.find(name);
    if (at == stored.modules.end()) continue;
    known.insert(name);
    modules.push_back(read_module(row, at->second, config));
  }
  for (const auto& [name, module] : stored.modules) {
    if (known.contains(name)) continue;
    for (const auto& part : module.parts) {
      if (part.tensor != nullptr) fail_no_place(part.name);
    }
  }
  return modules;
}

std::vector<AdapterTensor> read_whole(const StoredAdapter& stored, const ParameterTable& table) {
  std::vector<AdapterTensor> whole;
  for (const auto& [name, named] : stored.whole) {
    const int row = named_row(table, name);
    if (row == kNoRow) fail_no_place(named.name);
    const Shape& shape = table[row].shape;
    std::vector<int64_t> sizes;
    for (int i = 0; i < shape.rank(); ++i) sizes.push_back(shape[i]);
    whole.push_back({name, sizes, values_of(named, sizes)});
  }
  return whole;
}

bool is_there(const std::vector<AdapterModule>& modules, std::string_view name) {
  return std::ranges::any_of(modules, [&](const AdapterModule& m) { return m.name == name; });
}

// The modules of the file are those that the list of targets names.
void check_targets(const AdapterConfigText& config, const ParameterTable& table,
                   const Adapter& adapter) {
  if (!config.config.target_pattern.empty() || config.excludes) return;
  for (const AdapterModule& m : adapter.modules) {
    if (!is_target(config.config, m.name))
      fail(ErrorCode::kMismatch, "module '{}' is none of 'target_modules'", m.name);
  }
  for (const ParameterRow& row : table.rows()) {
    if (row.shape.rank() != 2) continue;
    const std::string name = row.name.substr(0, row.name.size() - kWeightEnd.size());
    const bool is_whole = std::ranges::any_of(
        adapter.whole, [&](const AdapterTensor& t) { return t.name == row.name; });
    if (is_target(config.config, name) && !is_there(adapter.modules, name) && !is_whole)
      fail(ErrorCode::kMismatch, "module '{}' is one of 'target_modules', and has no tensors",
           name);
  }
}

void refuse_tied_changes(const AdapterConfigText& config, const Adapter& adapter) {
  if (!config.ties_weights) return;
  const bool changes = is_there(adapter.modules, "wte") ||
                       is_there(adapter.modules, kOutputModule) ||
                       std::ranges::any_of(adapter.whole, [](const AdapterTensor& t) {
                         return t.name == "wte.weight" || t.name == "lm_head.weight";
                       });
  if (changes) {
    fail(ErrorCode::kUnsupported,
         "'ensure_weight_tying' is true, which is not supported for an adapter that changes the "
         "embedding or the output layer");
  }
}

Adapter adapter_of(const AdapterConfigText& config, const Tensors& tensors,
                   const ModelConfig& model) {
  const StoredAdapter stored = sorted(tensors);
  const ParameterTable table(config_for(stored, config.config, model));
  Adapter adapter{.config = config.config, .modules = {}, .whole = {}};
  adapter.modules = read_modules(stored, config, table);
  adapter.whole = read_whole(stored, table);
  if (adapter.modules.empty() && adapter.whole.empty())
    fail(ErrorCode::kInvalidData, "there are no tensors");
  check_targets(config, table, adapter);
  refuse_tied_changes(config, adapter);
  return adapter;
}

AdapterConfigText read_config_text(const fs::path& folder) {
  const fs::path file = folder / kConfigFile;
  return with_context(message("reading '{}'", file.string()),
                      [&] { return parse_adapter_config(read_file(file)); });
}

// Older adapters are pickles.
void refuse_pickle(const fs::path& folder) {
  if (fs::exists(folder / kWeightsFile) || !fs::exists(folder / kOldWeightsFile)) return;
  fail(ErrorCode::kUnsupported,
       "'{}' has {}, a pickle, which is not read: load it with PEFT and save it once more, as {}",
       folder.string(), kOldWeightsFile, kWeightsFile);
}

}  // namespace

bool is_adapter(const fs::path& folder) {
  return fs::exists(folder / kConfigFile) && !fs::exists(folder / "model.safetensors") &&
         !fs::exists(folder / "model.safetensors.index.json");
}

int named_row(const ParameterTable& table, std::string_view name) {
  for (int row = 0; row < table.count(); ++row) {
    if (table[row].name == name) return row;
  }
  return kNoRow;
}

bool output_follows(const AdapterConfig& config) {
  return std::ranges::none_of(config.modules_to_save, [](const std::string& name) {
    return name == "wte" || name == "transformer.wte";
  });
}

std::vector<int> adapted_rows(const ParameterTable& table, const AdapterConfig& config) {
  if (!config.target_pattern.empty())
    fail(ErrorCode::kUsage, "targets: '{}' is a pattern, expected names", config.target_pattern);
  std::vector<int> rows;
  std::set<std::string> used;
  for (int row = 0; row < table.count(); ++row) {
    if (table[row].shape.rank() != 2) continue;
    const std::string name = table[row].name.substr(0, table[row].name.size() - kWeightEnd.size());
    if (is_target(config, name)) rows.push_back(row);
    for (const std::string& target : config.targets) {
      const AdapterConfig alone{.targets = {target}};
      if (is_target(alone, name)) used.insert(target);
    }
  }
  for (const std::string& target : config.targets) {
    if (used.contains(target)) continue;
    fail(ErrorCode::kUsage,
         "targets: '{}' is no matrix of the model, expected names such as c_attn, c_proj, c_fc, "
         "attn.c_proj or mlp.c_proj",
         target);
  }
  return rows;
}

AdapterModule adapter_module(const ParameterRow& row, const AdapterConfig& config) {
  INK_CHECK(row.shape.rank() == 2 && row.name.ends_with(kWeightEnd), "a matrix");
  AdapterModule module;
  module.name = row.name.substr(0, row.name.size() - kWeightEnd.size());
  const bool is_output = module.name == kOutputModule;  // [V, C] is [out, in] there
  module.in = row.shape[is_output ? 1 : 0];
  module.out = row.shape[is_output ? 0 : 1];
  module.rank = config.rank;
  module.scale = config.scale(config.rank);
  return module;
}

AdapterConfig read_adapter_config(const fs::path& folder) {
  return read_config_text(folder).config;
}

Adapter read_adapter(const fs::path& folder, const ModelConfig& model) {
  const AdapterConfigText config = read_config_text(folder);
  refuse_pickle(folder);
  const SafetensorsFile file(folder / kWeightsFile);
  return with_context(message("reading '{}'", file.path().string()),
                      [&] { return adapter_of(config, file.tensors(), model); });
}

Adapter parse_adapter(std::string_view config_json, std::string_view safetensors,
                      const ModelConfig& model) {
  const AdapterConfigText config = parse_adapter_config(config_json);
  Tensors tensors;
  std::map<std::string, std::string, std::less<>> metadata;
  parse_safetensors(safetensors, tensors, metadata);
  return adapter_of(config, tensors, model);
}

void write_adapter(const fs::path& folder, const Adapter& adapter) {
  std::vector<TensorToStore> tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape,
                       const std::vector<float>& values) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    INK_CHECK(count == static_cast<int64_t>(values.size()), "numbers of an adapter's tensor");
    tensors.push_back({name, DType::kF32, std::move(shape), values.data()});
  };
  for (const AdapterModule& m : adapter.modules) {
    const std::string name = std::string(kPrefix) + peft_module_name(m.name);
    const bool embedding = is_embedding(m.name);
    add(name + (embedding ? ".lora_embedding_A" : ".lora_A.weight"), {m.rank, m.in}, m.a);
    add(name + (embedding ? ".lora_embedding_B" : ".lora_B.weight"), {m.out, m.rank}, m.b);
    if (!m.magnitude.empty()) add(name + ".lora_magnitude_vector", {m.out}, m.magnitude);
  }
  for (const AdapterTensor& t : adapter.whole) {
    const size_t kind = t.name.rfind('.');
    const std::string module = t.name.substr(0, kind);
    const std::string inner = is_there(adapter.modules, module) ? ".base_layer" : "";
    add(std::string(kPrefix) + peft_module_name(module) + inner + t.name.substr(kind), t.shape,
        t.values);
  }
  write_safetensors(folder / kWeightsFile, tensors, {{"format", "pt"}});
  write_json(folder / kConfigFile, adapter_config_json(adapter.config, adapter.modules));
}

}  // namespace inkstone
