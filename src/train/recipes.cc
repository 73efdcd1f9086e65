// Recipes for small texts and short times. How they were found: docs/performance.md.
#include "train/plan.h"

namespace inkstone {
namespace {

Recipe recipe(int64_t layers, int64_t width, int64_t context, double scale_of_lr = 1) {
  return {.model = {.layers = layers, .heads = width / 32, .width = width, .context = context},
          .batch = 16,
          .optimizer = OptimizerKind::kMuon,
          .lr = 8e-3 * scale_of_lr,
          .muon_lr = 0.02 * scale_of_lr,
          .min_lr = 0,
          .beta1 = 0.8,
          .weight_decay = 0.1,
          .schedule = Schedule::kWsd,
          .decay_fraction = 0.6};
}

}  // namespace

std::vector<Recipe> recipes_for(int64_t training_tokens) {
  std::vector<Recipe> recipes = {recipe(2, 128, 128)};
  if (training_tokens > 300'000) {
    recipes.push_back(recipe(2, 192, 128));
    recipes.push_back(recipe(4, 256, 128));
  }
  if (training_tokens > 3'000'000) {
    recipes.push_back(recipe(6, 384, 256));
    recipes.push_back(recipe(12, 768, 512, 0.5));
  }
  return recipes;
}

}  // namespace inkstone
