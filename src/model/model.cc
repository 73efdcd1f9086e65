#include "inkstone/model.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "formats/hf_config.h"
#include "model/decoder.h"
#include "model/model_impl.h"

namespace inkstone {
namespace fs = std::filesystem;

DType to_dtype(ComputeType type) { return type == ComputeType::kF32 ? DType::kF32 : DType::kBF16; }

fs::path find_model_folder(const fs::path& model_or_run) {
  if (!fs::exists(model_or_run)) {
    fail(ErrorCode::kNotFound, "there is no model at '{}'", model_or_run.string());
  }
  for (const fs::path& folder : {model_or_run, model_or_run / "best", model_or_run / "last"}) {
    if (fs::exists(folder / "config.json")) return folder;
  }
  fail(ErrorCode::kNotFound,
       "'{}' is not a model: expected a folder with config.json and model.safetensors, or a run "
       "folder with a "
       "checkpoint ('best' or 'last')",
       model_or_run.string());
}

Model Model::load(const fs::path& model_or_run, const LoadOptions& options) {
  const fs::path folder = find_model_folder(model_or_run);
  auto impl = std::make_shared<Impl>();
  impl->backend = make_backend(options.runtime);
  impl->network = load_network(*impl->backend, folder, to_dtype(options.compute),
                               options.on_message);
  return Model(std::move(impl));
}

Model Model::create(const ModelConfig& config, uint64_t seed, const LoadOptions& options) {
  auto impl = std::make_shared<Impl>();
  impl->backend = make_backend(options.runtime);
  impl->network = std::make_unique<Network>(*impl->backend, config, to_dtype(options.compute));
  impl->network->initialise(seed);
  return Model(std::move(impl));
}

const ModelConfig& Model::config() const { return impl_->network->config(); }

std::vector<float> Model::logits(std::span<const TokenId> tokens) const {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count < 1 || count > config().context) {
    fail(ErrorCode::kUsage, "{} tokens: expected 1 to {}, the model's context", count,
         config().context);
  }
  Decoder decoder(*impl_->network, 1, count);
  std::vector<float> all;
  decoder.prefill(0, tokens, &all);
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
    Decoder decoder(*impl_->network, 1, end - begin);
    const auto losses = decoder.losses(0, std::span(text).subspan(begin, end - begin), targets);
    for (int64_t i = next; i <= end; ++i)
      result.push_back(-static_cast<double>(losses[i - begin - 1]));
    next = end + 1;
  }
  return result;
}

void Model::save(const fs::path& folder) const {
  make_folders(folder);
  save_weights(*impl_->network, folder / "model.safetensors");
  write_hf_config(folder, config(), {.files = impl_->network->files()});
}

}  // namespace inkstone
