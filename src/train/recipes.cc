// Recipes for small texts and short times. How they were found: docs/performance.md.
#include "train/plan.h"

namespace inkstone {
namespace {

Recipe recipe(int64_t layers, int64_t width, int64_t context, double lr) {
  return {.model = {.layers = layers, .heads = width / 32, .width = width, .context = context},
          .batch = 4,
          .lr = lr,
          .min_lr = 0,
          .beta2 = 0.99,
          .weight_decay = 0.01,
          .schedule = Schedule::kLinear};
}

}  // namespace

std::vector<Recipe> recipes_for(int64_t training_tokens) {
  std::vector<Recipe> recipes = {recipe(2, 128, 128, 2e-3)};
  if (training_tokens > 300'000) {
    recipes.push_back(recipe(2, 192, 128, 2e-3));
    recipes.push_back(recipe(4, 256, 128, 1e-3));
  }
  if (training_tokens > 3'000'000) {
    recipes.push_back(recipe(6, 384, 256, 1e-3));
    recipes.push_back(recipe(12, 768, 512, 6e-4));
  }
  return recipes;
}

}  // namespace inkstone
