// Logits, loss and the gradient of every parameter against PyTorch and Transformers.
#include "golden.h"

#include <algorithm>

#include "inkstone/model.h"
#include "model/model_impl.h"
#include "model/training_pass.h"

namespace inkstone {
namespace {

using test::Golden;

class GoldenModel : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  GoldenModel() : golden(GetParam()) {}
  Golden golden;
};

TEST_P(GoldenModel, LogitsEqualTransformers) {
  const Model model = Model::load(golden.folder);
  const auto inputs = golden.tokens(0, 0);
  std::vector<float> logits;
  for (int64_t b = 0; b < golden.batch; ++b) {
    const auto row = model.logits(std::span(inputs).subspan(b * golden.context, golden.context));
    logits.insert(logits.end(), row.begin(), row.end());
  }
  const auto expected = golden.floats("logits");
  ASSERT_EQ(logits.size(), expected.size());
  const double bound = test::forward_bound(model.config());
  EXPECT_LT(test::relative_worst(logits, expected), bound);
  EXPECT_LT(test::relative_error(logits, expected), bound);
  RecordProperty("worst", std::to_string(test::relative_worst(logits, expected)));
  std::printf("logits: worst %.2e, norm %.2e, bound %.2e\n", test::relative_worst(logits, expected),
              test::relative_error(logits, expected), bound);
}

TEST_P(GoldenModel, LossAndEveryGradientEqualAutograd) {
  const Model model = load_trainable(golden.folder);
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, golden.batch, golden.context, 0);
  const auto inputs = golden.tokens(0, 0), targets = golden.tokens(0, 1);
  const double count = static_cast<double>(inputs.size());
  pass.forward_backward(
      {.inputs = inputs, .targets = targets, .gradient_scale = static_cast<float>(1 / count)},
      golden.context, gradients);
  const double sum = pass.read_loss();
  const double expected_loss = golden.floats("loss")[0];
  EXPECT_LT(std::fabs(sum / count - expected_loss) / expected_loss,
            test::forward_bound(model.config()));
  const double bound = test::backward_bound(model.config(), static_cast<int64_t>(inputs.size()));
  pass.forward({.inputs = inputs, .targets = targets}, golden.context);
  EXPECT_DOUBLE_EQ(pass.read_loss(), sum);
  double worst = 0;
  for (int row = 0; row < network.table().count(); ++row) {
    const std::string& name = network.table()[row].name;
    std::vector<float> gradient(network.table()[row].shape.count());
    network.backend().copy_to_host(gradients.row(row), gradient.data());
    const auto expected = golden.floats("grad." + name);
    EXPECT_LT(test::relative_error(gradient, expected), bound) << name;
    EXPECT_LT(test::relative_worst(gradient, expected), bound) << name;
    worst = std::max(worst, test::relative_error(gradient, expected));
  }
  std::printf("loss: %.2e, worst gradient: %.2e, bound %.2e\n",
              std::fabs(sum / count - expected_loss) / expected_loss, worst, bound);
}

TEST_P(GoldenModel, TwoMicroBatchesGiveTheGradientOfOne) {
  const Model model = load_trainable(golden.folder);
  Network& network = *model.impl().network;
  Gradients whole(network), halves(network);
  TrainingPass pass(network, golden.batch, golden.context, 0);
  const auto inputs = golden.tokens(0, 0), targets = golden.tokens(0, 1);
  const float scale = 1.0f / static_cast<float>(inputs.size());
  pass.forward_backward({.inputs = inputs, .targets = targets, .gradient_scale = scale},
                        golden.context, whole);
  const auto T = static_cast<size_t>(golden.context);
  for (const size_t begin : {size_t{0}, T}) {
    const size_t count = begin == 0 ? T : inputs.size() - T;
    pass.forward_backward({.inputs = std::span(inputs).subspan(begin, count),
                           .targets = std::span(targets).subspan(begin, count),
                           .gradient_scale = scale,
                           .accumulate = begin > 0},
                          golden.context, halves);
  }
  std::vector<float> a(whole.flat().count()), b(a.size());
  network.backend().copy_to_host(whole.flat(), a.data());
  network.backend().copy_to_host(halves.flat(), b.data());
  EXPECT_LT(test::relative_error(b, a),
            test::backward_bound(model.config(), static_cast<int64_t>(inputs.size())));
}

// bfloat16 has 8 bits: a product of rounded operands is off by about 2^-8, sums average it out.
TEST_P(GoldenModel, MixedPrecisionStaysClose) {
  const Model model = load_trainable(golden.folder, {.compute = ComputeType::kBF16});
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, golden.batch, golden.context, 0);
  const auto inputs = golden.tokens(0, 0), targets = golden.tokens(0, 1);
  const double count = static_cast<double>(inputs.size());
  pass.forward_backward(
      {.inputs = inputs, .targets = targets, .gradient_scale = static_cast<float>(1 / count)},
      golden.context, gradients);
  const double sum = pass.read_loss();
  const double expected_loss = golden.floats("loss")[0];
  EXPECT_LT(std::fabs(sum / count - expected_loss) / expected_loss, std::exp2(-8));
  double difference = 0, norm = 0;
  for (int row = 0; row < network.table().count(); ++row) {
    std::vector<float> gradient(network.table()[row].shape.count());
    network.backend().copy_to_host(gradients.row(row), gradient.data());
    const auto expected = golden.floats("grad." + network.table()[row].name);
    for (size_t i = 0; i < expected.size(); ++i) {
      difference += (double{gradient[i]} - expected[i]) * (double{gradient[i]} - expected[i]);
      norm += double{expected[i]} * expected[i];
    }
  }
  // Relu's derivative jumps: it is another one where a rounding, 2^-8 of its size, takes an input
  // across 0, in one unit of 2^8.
  const bool jumps = model.config().activation == Activation::kRelu;
  EXPECT_LT(std::sqrt(difference / norm), jumps ? std::exp2(-4) : 4 * std::exp2(-8));
  std::printf("bf16: loss %.2e, gradient %.2e\n",
              std::fabs(sum / count - expected_loss) / expected_loss, std::sqrt(difference / norm));
}

INSTANTIATE_TEST_SUITE_P(Shapes, GoldenModel, ::testing::ValuesIn(test::golden_folders()),
                         [](const auto& shape) { return shape.param.filename().string(); });

}  // namespace
}  // namespace inkstone
