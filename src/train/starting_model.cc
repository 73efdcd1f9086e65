#include "train/starting_model.h"

#include "base/error.h"
#include "model/adapter.h"
#include "model/model_impl.h"
#include "model/trained_adapter.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

LoadOptions load_options(const TrainOptions& options, const TrainObserver& observer) {
  return {.runtime = options.runtime,
          .compute = options.compute,
          .adapter = options.init_adapter,
          .on_message = observer.on_message};
}

// Special tokens that the objectives add to the text's vocabulary.
int64_t added_tokens(const DataSets& data) {
  return data.tokenizer().vocab_size() - data.text_ids();
}

// The model's ids must be the text's; only those that an objective adds may be more.
Model opened_model(const TrainOptions& options, const DataSets& data, const LoadOptions& load) {
  const bool grows = added_tokens(data) > 0 &&
                     load_config(find_model(options.init)).vocab_size >= data.text_ids();
  return load_trainable(
      options.init, load,
      {.vocab_size = grows ? data.tokenizer().vocab_size() : 0, .prefix_lm = options.prefix_lm});
}

// What an adapter has no place for: it changes matrices alone.
void check_for_adapter(const TrainOptions& options, const DataSets& data, const Model& model) {
  const ModelConfig& config = model.config();
  if (options.prefix_lm && !config.prefix_lm) {
    fail(ErrorCode::kUsage,
         "--prefix-lm with --lora: an adapter cannot say that the model sees prompts whole; train "
         "all of the model, or an adapter of a model that does");
  }
  if (added_tokens(data) > 0 && config.vocab_size < data.tokenizer().vocab_size()) {
    fail(
        ErrorCode::kUsage,
        "the objective needs {} new special tokens, which an adapter has no rows for: train all of "
        "the model (without --lora), or begin with a model that has them",
        added_tokens(data));
  }
}

// An adapter refers to its model, which is to be one by itself.
Model adapter_of_model(TrainOptions& options, const DataSets& data, const LoadOptions& load) {
  const fs::path base = find_model(options.init);
  if (is_adapter(base) || !options.init_adapter.empty()) {
    fail(ErrorCode::kUnsupported,
         "'{}' is a model with an adapter: merge them first (inkstone merge), then train another "
         "for the result",
         options.init.string());
  }
  options.init = fs::canonical(base);  // a run's best may be another one tomorrow
  Model model = load_for_adapter(options.init, options.lora, options.seed, load);
  check_for_adapter(options, data, model);
  return model;
}

}  // namespace

Model starting_model(TrainOptions& options, const DataSets& data, const TrainObserver& observer) {
  const LoadOptions load = load_options(options, observer);
  options.model.vocab_size = data.tokenizer().vocab_size();
  options.model.prefix_lm = options.prefix_lm;
  if (options.init.empty()) validate(options.model);
  Model model = options.init.empty()    ? Model::create(options.model, options.seed, load)
                : options.lora.rank > 0 ? adapter_of_model(options, data, load)
                                        : opened_model(options, data, load);
  options.prefix_lm = model.config().prefix_lm;  // such a model stays one
  options.model = model.config();
  if (!options.init.empty()) options.init = fs::absolute(options.init);
  if (!options.init_adapter.empty()) options.init_adapter = fs::absolute(options.init_adapter);
  set_policy(model, options);
  return model;
}

void set_policy(const Model& model, const TrainOptions& options) {
  model.impl().network->set_policy(options.freeze, options.layer_lr_decay);
}

}  // namespace inkstone
