// AdamW against PyTorch: the losses of ten steps of a whole model.
#include "train/optimizer.h"

#include "inkstone/model.h"
#include "../model/golden.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

class GoldenTraining : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenTraining, TenStepsLoseWhatPyTorchLoses) {
  const test::Golden golden(GetParam());
  const Model model = Model::load(golden.folder);
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, golden.batch, golden.context, 0);
  Optimizer optimizer(network);
  const auto expected = golden.floats("adamw_losses");
  double worst = 0;
  for (int64_t step = 0; step < golden.steps; ++step) {
    const auto inputs = golden.tokens(step, 0), targets = golden.tokens(step, 1);
    const auto count = static_cast<double>(inputs.size());
    const double loss = pass.forward_backward({.inputs = inputs,
                                               .targets = targets,
                                               .gradient_scale = static_cast<float>(1 / count)},
                                              golden.context, gradients) /
                        count;
    optimizer.step(gradients,
                   {.lr = 1e-3,
                    .beta1 = 0.9,
                    .beta2 = 0.95,
                    .epsilon = 1e-8,
                    .weight_decay = 0.1,
                    .clip = 1.0},
                   step);
    EXPECT_LT(std::fabs(loss - expected[step]) / expected[step], 1e-5) << "step " << step;
    worst = std::max(worst, std::fabs(loss - expected[step]) / expected[step]);
  }
  std::printf("worst of ten losses: %.2e\n", worst);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GoldenTraining, ::testing::ValuesIn(test::golden_folders()),
                         [](const auto& shape) { return shape.param.filename().string(); });

TEST(Optimizer, ChangesNothingWhenTheGradientIsNotFinite) {
  const Model model = Model::load(test::fixture("model/two_layers"));
  Network& network = *model.impl().network;
  Gradients gradients(network);
  Optimizer optimizer(network);
  const std::vector<TokenId> tokens = {1, 2, 3};
  const auto before = model.logits(tokens);
  gradients.row(3).as<float>()[0] = std::nanf("");
  EXPECT_TRUE(std::isnan(optimizer.step(gradients, {.lr = 1e-3}, 0)));
  EXPECT_EQ(model.logits(tokens), before);
}

TEST(Optimizer, ClipsToTheGlobalNorm) {
  const Model model = Model::load(test::fixture("model/one_head_odd_width"));
  Network& network = *model.impl().network;
  Gradients gradients(network);
  Optimizer optimizer(network);
  gradients.row(0).as<float>()[0] = 3;
  gradients.row(1).as<float>()[5] = 4;
  EXPECT_NEAR(optimizer.step(gradients, {.lr = 1e-3, .beta1 = 0.5, .clip = 1.0}, 0), 5.0, 1e-6);
  // (1 - beta1) * the clipped gradient.
  EXPECT_NEAR(optimizer.m(0).as<float>()[0], 0.5 * 3 / 5, 1e-6);
  EXPECT_NEAR(optimizer.m(1).as<float>()[5], 0.5 * 4 / 5, 1e-6);
}

}  // namespace
}  // namespace inkstone
