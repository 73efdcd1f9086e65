#include "model/trained_adapter.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "model/adapted_model.h"
#include "model/model_impl.h"
#include "model/weights.h"

namespace inkstone {
namespace {

std::vector<float> numbers_of(const Network& network, int row) {
  std::vector<float> values;
  if (row == kNoRow) return values;
  values.resize(static_cast<size_t>(network.table()[row].shape.count()));
  network.backend().copy_to_host(network.master(row), values.data());
  return values;
}

AdapterConfig config_of(const LoraOptions& lora, const std::string& base_model) {
  AdapterConfig config{.rank = lora.rank,
                       .alpha = lora.alpha,
                       .use_rslora = lora.rank_stabilised,
                       .use_dora = lora.magnitudes,
                       .dropout = lora.dropout,
                       .base_model = base_model};
  std::string_view targets = lora.targets;
  while (!targets.empty()) {
    const size_t end = std::min(targets.find(','), targets.size());
    config.targets.emplace_back(targets.substr(0, end));
    targets.remove_prefix(std::min(targets.size(), end + 1));
  }
  if (config.targets.empty())
    config.targets = {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"};
  return config;
}

void set_numbers(Network& network, int row, const std::vector<float>& values,
                 const std::string& module) {
  const auto count = row == kNoRow ? 0 : network.table()[row].shape.count();
  if (static_cast<int64_t>(values.size()) != count) {
    fail(ErrorCode::kMismatch, "the adapter of '{}' has {} numbers, expected {}", module,
         values.size(), count);
  }
  if (count > 0) network.backend().copy_from_host(values.data(), network.master(row));
}

}  // namespace

Adapter trained_adapter(const Network& network, const std::string& base_model) {
  const ParameterTable& table = network.table();
  Adapter adapter;
  adapter.config = config_of(network.lora(), base_model);
  for (int row = 0; row < table.count(); ++row) {
    const AdapterRows rows = table.adapter(row);
    if (rows.empty()) continue;
    AdapterModule module = adapter_module(table[row], adapter.config);
    module.a = numbers_of(network, rows.a);
    module.b = numbers_of(network, rows.b);
    module.magnitude = numbers_of(network, rows.magnitude);
    adapter.modules.push_back(std::move(module));
  }
  return adapter;
}

void set_adapter(Network& network, const Adapter& adapter) {
  auto module = adapter.modules.begin();
  for (int row = 0; row < network.table().count(); ++row) {
    const AdapterRows rows = network.table().adapter(row);
    if (rows.empty()) continue;
    const std::string& name = network.table()[row].name;
    if (module == adapter.modules.end() || module->name + ".weight" != name)
      fail(ErrorCode::kMismatch, "the adapter has no module for '{}'", name);
    set_numbers(network, rows.a, module->a, module->name);
    set_numbers(network, rows.b, module->b, module->name);
    set_numbers(network, rows.magnitude, module->magnitude, module->name);
    ++module;
  }
  network.refresh_copies();
}

std::string base_fingerprint(const Network& network) {
  const TensorSource& source = *network.base()->source();
  Hash128 hash;
  for (int row = 0; row < network.base()->table().count(); ++row) {
    const Weight weight = source.get(row);
    hash.add({static_cast<const char*>(weight.data), static_cast<size_t>(stored_bytes(weight))});
    source.release(row);
  }
  const Digest128 value = hash.value();
  return fmt::format("{:016x}{:016x}", value.high, value.low);
}

Model load_for_adapter(const std::filesystem::path& model, const LoraOptions& lora, uint64_t seed,
                       const LoadOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  impl->backend = make_backend(options.runtime);
  impl->weights = std::make_unique<Weights>(
      *impl->backend, open_model(find_model(model), options.adapter, options.on_message),
      WeightOptions{.compute = to_dtype(options.compute), .packed = false});
  impl->network = std::make_unique<Network>(*impl->weights, lora);
  impl->network->initialise(seed);
  return Model(std::move(impl));
}

Model merged_model(const Network& network, const std::filesystem::path& model,
                   const LoadOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  impl->backend = make_backend(options.runtime);
  impl->weights = std::make_unique<Weights>(
      *impl->backend,
      adapted_model(open_model(find_model(model), options.adapter, options.on_message),
                    trained_adapter(network, model.string())),
      WeightOptions{.compute = to_dtype(options.compute)});
  return Model(std::move(impl));
}

}  // namespace inkstone
