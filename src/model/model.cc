#include "inkstone/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/hf_config.h"
#include "model/adapted_model.h"
#include "model/decoder.h"
#include "model/model_impl.h"

namespace inkstone {
namespace fs = std::filesystem;

DType to_dtype(ComputeType type) { return type == ComputeType::kF32 ? DType::kF32 : DType::kBF16; }

fs::path find_model(const fs::path& model_or_run) {
  if (!fs::exists(model_or_run)) {
    fail(ErrorCode::kNotFound, "there is no model at '{}'", model_or_run.string());
  }
  if (is_gguf(model_or_run)) return model_or_run;
  for (const fs::path& folder : {model_or_run, model_or_run / "best", model_or_run / "last"}) {
    if (fs::exists(folder / "config.json") || is_adapter(folder)) return folder;
  }
  fail(
      ErrorCode::kNotFound,
      "'{}' is not a model: expected a folder with config.json and model.safetensors, a GGUF file, "
      "or a run folder with a checkpoint ('best' or 'last')",
      model_or_run.string());
}

fs::path find_adapter(const fs::path& adapter_or_run) {
  for (const fs::path& folder :
       {adapter_or_run, adapter_or_run / "best", adapter_or_run / "last"}) {
    if (fs::exists(folder / "adapter_config.json")) return folder;
  }
  fail(ErrorCode::kNotFound,
       "there is no adapter at '{}': expected a folder with adapter_config.json and "
       "adapter_model.safetensors, or a run folder with such a checkpoint ('best' or 'last')",
       adapter_or_run.string());
}

namespace {

bool has_tokenizer(const fs::path& folder) {
  for (const char* file : {"tokenizer.json", "vocab.json", "encoder.json"}) {
    if (fs::exists(folder / file)) return true;
  }
  return false;
}

}  // namespace

fs::path find_tokenizer(const fs::path& model_or_run, const fs::path& adapter) {
  if (!adapter.empty() && has_tokenizer(find_adapter(adapter))) return find_adapter(adapter);
  const fs::path model = find_model(model_or_run);
  return is_adapter(model) && !has_tokenizer(model) ? base_of_adapter(model) : model;
}

std::vector<std::string> weight_names() {
  std::vector<std::string> names = {"auto"};
  for (const std::string_view type : weight_type_names()) names.emplace_back(type);
  return names;
}

std::vector<std::string> cache_names() {
  std::vector<std::string> names = {"auto"};
  for (const std::string_view type : cache_type_names()) names.emplace_back(type);
  return names;
}

namespace {

std::optional<WeightType> wanted_type(const std::string& weights) {
  if (weights == "auto") return std::nullopt;
  if (const auto type = weight_type_by_name(weights)) return type;
  fail(ErrorCode::kUsage, "there are no weights of the type '{}': expected one of {}", weights,
       fmt::join(weight_names(), ", "));
}

std::optional<DType> wanted_cache(const std::string& cache) {
  if (cache == "auto") return std::nullopt;
  if (const auto type = cache_type_by_name(cache)) return type;
  fail(ErrorCode::kUsage, "there is no cache of the type '{}': expected one of {}", cache,
       fmt::join(cache_names(), ", "));
}

// The weights of a network that is there.
void view_network(Model::Impl& impl, const LoadOptions& options) {
  impl.weights = std::make_unique<Weights>(*impl.network, wanted_cache(options.cache));
}

}  // namespace

Model Model::load(const fs::path& model_or_run, const LoadOptions& options) {
  const WeightOptions wanted = {.type = wanted_type(options.weights),
                                .compute = to_dtype(options.compute),
                                .cache = wanted_cache(options.cache)};
  auto impl = std::make_shared<Impl>();
  impl->backend = make_backend(options.runtime);
  impl->weights = std::make_unique<Weights>(
      *impl->backend, open_model(find_model(model_or_run), options.adapter, options.on_message),
      wanted);
  return Model(std::move(impl));
}

Model load_trainable(const fs::path& model_or_run, const LoadOptions& options,
                     const ModelChanges& changes) {
  auto impl = std::make_shared<Model::Impl>();
  impl->backend = make_backend(options.runtime);
  OpenedModel opened = open_model(find_model(model_or_run), options.adapter, options.on_message);
  opened.config.vocab_size = std::max(opened.config.vocab_size, changes.vocab_size);
  if (changes.prefix_lm) opened.config.prefix_lm = true;
  impl->network = load_network(*impl->backend, std::move(opened), to_dtype(options.compute));
  view_network(*impl, options);
  return Model(std::move(impl));
}

Model Model::create(const ModelConfig& config, uint64_t seed, const LoadOptions& options) {
  auto impl = std::make_shared<Impl>();
  impl->backend = make_backend(options.runtime);
  impl->network = std::make_unique<Network>(*impl->backend, config, to_dtype(options.compute));
  impl->network->initialise(seed);
  view_network(*impl, options);
  return Model(std::move(impl));
}

const ModelConfig& Model::config() const { return impl_->weights->config(); }

std::vector<float> Model::logits(std::span<const TokenId> tokens) const {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count < 1 || count > config().context) {
    fail(ErrorCode::kUsage, "{} tokens: expected 1 to {}, the model's context", count,
         config().context);
  }
  constexpr size_t kRowsOfPass = 1024;
  Decoder decoder(*impl_->weights, count);
  const auto V = static_cast<size_t>(config().vocab_size);
  const int64_t sequence = decoder.open();
  std::vector<float> all(tokens.size() * V);
  for (size_t begin = 0; begin < tokens.size(); begin += kRowsOfPass) {
    const size_t n = std::min(kRowsOfPass, tokens.size() - begin);
    const Chunk chunk{sequence, tokens.subspan(begin, n)};
    decoder.run({&chunk, 1});
    std::vector<int64_t> rows(n);
    std::iota(rows.begin(), rows.end(), 0);
    decoder.logits(rows, std::span(all).subspan(begin * V, n * V));
  }
  return all;
}

void Model::save(const fs::path& folder) const {
  make_folders(folder);
  const fs::path file = folder / "model.safetensors";
  if (impl_->network != nullptr) {
    save_weights(*impl_->network, file);
  } else {
    save_weights(*impl_->weights, file);
  }
  write_hf_config(folder, config(), {.files = impl_->weights->files()});
}

}  // namespace inkstone
