#include "inkstone/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/hf_config.h"
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
    if (fs::exists(folder / "config.json")) return folder;
  }
  fail(
      ErrorCode::kNotFound,
      "'{}' is not a model: expected a folder with config.json and model.safetensors, a GGUF file, "
      "or a run folder with a checkpoint ('best' or 'last')",
      model_or_run.string());
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
      *impl->backend, open_model(find_model(model_or_run), options.on_message), wanted);
  return Model(std::move(impl));
}

Model load_trainable(const fs::path& model_or_run, const LoadOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  impl->backend = make_backend(options.runtime);
  impl->network = load_network(*impl->backend,
                               open_model(find_model(model_or_run), options.on_message),
                               to_dtype(options.compute));
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

namespace {

// A sequence's tokens in passes of at most so many rows.
constexpr int64_t kRowsOfPass = 1024;

template <typename F>
void feed(Decoder& decoder, std::span<const TokenId> tokens, F&& after_pass) {
  const int64_t sequence = decoder.open();
  for (size_t begin = 0; begin < tokens.size(); begin += kRowsOfPass) {
    const size_t count = std::min<size_t>(kRowsOfPass, tokens.size() - begin);
    const Chunk chunk{sequence, tokens.subspan(begin, count)};
    decoder.run({&chunk, 1});
    after_pass(begin, count);
  }
}

}  // namespace

std::vector<float> Model::logits(std::span<const TokenId> tokens) const {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count < 1 || count > config().context) {
    fail(ErrorCode::kUsage, "{} tokens: expected 1 to {}, the model's context", count,
         config().context);
  }
  Decoder decoder(*impl_->weights, count);
  const auto V = static_cast<size_t>(config().vocab_size);
  std::vector<float> all(tokens.size() * V);
  feed(decoder, tokens, [&](size_t begin, size_t n) {
    std::vector<int64_t> rows(n);
    std::iota(rows.begin(), rows.end(), 0);
    decoder.logits(rows, std::span(all).subspan(begin * V, n * V));
  });
  return all;
}

std::vector<double> Model::score(std::span<const TokenId> context,
                                 std::span<const TokenId> completion) const {
  if (context.empty()) {
    fail(ErrorCode::kUsage,
         "nothing to condition on: give at least one token of context, such as the end-of-text "
         "token");
  }
  std::vector<TokenId> text(context.begin(), context.end());
  text.insert(text.end(), completion.begin(), completion.end());
  std::vector<double> result;
  const auto total = static_cast<int64_t>(text.size());
  const int64_t window = config().context;
  // `next` is the first token without a score; each window predicts from `begin` + 1 on.
  int64_t next = static_cast<int64_t>(context.size());
  while (next < total) {
    int64_t begin = 0;
    if (next > window)
      begin = std::min(next - std::max<int64_t>(1, window / 2), total - 1 - window);
    const int64_t end = std::min(total - 1, begin + window);  // inputs [begin, end)
    std::vector<TokenId> targets(text.begin() + begin + 1, text.begin() + end + 1);
    std::fill(targets.begin(), targets.begin() + (next - begin - 1), -1);
    Decoder decoder(*impl_->weights, end - begin);
    std::vector<float> losses;
    feed(decoder, std::span(text).subspan(begin, end - begin), [&](size_t at, size_t n) {
      const auto part = decoder.losses(std::span(targets).subspan(at, n));
      losses.insert(losses.end(), part.begin(), part.end());
    });
    for (int64_t i = next; i <= end; ++i)
      result.push_back(-static_cast<double>(losses[i - begin - 1]));
    next = end + 1;
  }
  return result;
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
