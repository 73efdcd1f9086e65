#include <algorithm>
#include <cmath>

#include "inkstone/trainer.h"
#include "model/adapted_model.h"
#include "train/options.h"
#include "train/run_folder.h"

namespace inkstone {
namespace {

constexpr int64_t kEpochs = 3;

ModelConfig model_config(const TrainOptions& o) {
  return load_config(find_model(o.init), o.init_adapter);
}

double tokens_of_step(const TrainOptions& o, int64_t context) {
  const int64_t tokens = count_training_tokens(o.data);
  const int64_t window = std::min(context, std::max<int64_t>(1, tokens - 1));
  return static_cast<double>(tokens_per_step(o, window));
}

double tokens_of_step(const TrainOptions& o) {
  return tokens_of_step(o, o.context > 0 ? o.context : model_config(o).context);
}

double tokens_of_epochs(const TrainOptions& o) {
  return static_cast<double>(kEpochs * count_training_tokens(o.data));
}

// How a model was trained: its largest learning rate, and the tokens that it read.
struct Training {
  double lr = 0, tokens = 0;
};

Training guessed_training(const ModelConfig& model) {
  constexpr double kLr = 6e-4, kWidth = 768, kTokensPerParameter = 100;
  return {.lr = kLr * kWidth / static_cast<double>(model.width),
          .tokens = kTokensPerParameter * static_cast<double>(model.parameter_count())};
}

Training training_of(const TrainOptions& o) {
  const auto run = run_of_model(o.init);
  if (!run) return guessed_training(model_config(o));
  const TrainOptions own = read_run_description(*run).options;
  const int64_t context = own.context > 0 ? own.context : own.model.context;
  // The run's data may have gone: its windows are taken to be whole.
  return {.lr = own.lr,
          .tokens = static_cast<double>(own.steps) *
                    static_cast<double>(tokens_per_step(own, context))};
}

}  // namespace

int64_t finetune_batch(const TrainOptions& o) {
  constexpr double kLargest = 8, kSteps = 60;
  TrainOptions single = o;
  single.batch = 1;
  return static_cast<int64_t>(
      std::clamp(tokens_of_epochs(o) / (kSteps * tokens_of_step(single)), 1.0, kLargest));
}

int64_t finetune_steps(const TrainOptions& o) {
  constexpr int64_t kFewest = 20;
  return std::max(kFewest, static_cast<int64_t>(tokens_of_epochs(o) / tokens_of_step(o)));
}

double finetune_lr(const TrainOptions& o) {
  constexpr double kSmallest = 1.0 / 20, kOfAdapter = 10;
  const Training before = training_of(o);
  const double tokens = static_cast<double>(o.steps) * tokens_of_step(o);
  const double largest = o.lora.rank > 0 ? kOfAdapter * before.lr : before.lr;
  return largest * std::clamp(std::pow(tokens / before.tokens, 0.25), kSmallest, 1.0);
}

}  // namespace inkstone
