// AdamW against PyTorch: the losses of ten steps of a whole model.
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "inkstone/model.h"
#include "../model/golden.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

constexpr double kLr = 1e-3, kClip = 1;

// Relative, of the gradient of one step.
double gradient_bound(const test::Golden& golden, const ModelConfig& c) {
  return test::backward_bound(c, golden.batch * golden.context);
}

// Relative, of a loss: that of the forward pass, and what the weights are off by then. A step moves
// each of P weights by about lr, with the gradient's relative error, and the loss follows by the
// product with the gradient, whose norm is at most kClip.
double loss_bound(const test::Golden& golden, const Network& network, double loss) {
  const ModelConfig& c = network.config();
  const double moved = kLr * std::sqrt(static_cast<double>(c.parameter_count()));
  return test::forward_bound(c) +
         static_cast<double>(golden.steps) * kClip * moved * gradient_bound(golden, c) / loss;
}

// The norm of every parameter's second moment: with a beta2 of 0.999 that is rounded to float32
// before it is taken from 1, all of them would be off by 1.3e-5. A square has twice its root's
// relative error, and a norm of at least 17 elements half of its elements'.
void expect_second_moments(const test::Golden& golden, const Network& network,
                           const Optimizer& optimizer) {
  const double bound = gradient_bound(golden, network.config());
  if (network.config().layers < 12) {
    ASSERT_LT(bound, 1.3e-5);  // in a large model it would not be seen
  }
  for (int row = 0; row < network.table().count(); ++row) {
    const View v = optimizer.v(row);
    double sum = 0;
    for (int64_t i = 0; i < v.count(); ++i) sum += std::pow(double{v.as<float>()[i]}, 2);
    const double expected = golden.floats("adamw_v_norm." + network.table()[row].name)[0];
    EXPECT_NEAR(std::sqrt(sum) / expected, 1, bound) << network.table()[row].name;
  }
}

class GoldenTraining : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenTraining, TenStepsLoseWhatPyTorchLoses) {
  const test::Golden golden(GetParam());
  const Model model = load_trainable(golden.folder);
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, golden.batch, golden.context, 0);
  Optimizer optimizer(network, OptimizerKind::kAdamW);
  const auto expected = golden.floats("adamw_losses");
  double worst = 0;
  for (int64_t step = 0; step < golden.steps; ++step) {
    const auto inputs = golden.tokens(step, 0), targets = golden.tokens(step, 1);
    const auto count = static_cast<double>(inputs.size());
    pass.forward_backward(
        {.inputs = inputs, .targets = targets, .gradient_scale = static_cast<float>(1 / count)},
        golden.context, gradients);
    const double loss = pass.read_loss() / count;
    optimizer.step(gradients,
                   {.lr = kLr,
                    .beta1 = 0.9,
                    .beta2 = 0.999,
                    .epsilon = 1e-8,
                    .weight_decay = 0.1,
                    .clip = kClip},
                   step);
    EXPECT_LT(std::fabs(loss - expected[step]) / expected[step],
              loss_bound(golden, network, expected[step]))
        << "step " << step;
    worst = std::max(worst, std::fabs(loss - expected[step]) / expected[step]);
  }
  expect_second_moments(golden, network, optimizer);
  std::printf("worst of ten losses: %.2e\n", worst);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GoldenTraining, ::testing::ValuesIn(test::golden_folders()),
                         [](const auto& shape) { return shape.param.filename().string(); });

// Five steps of PyTorch's Muon, which orthogonalises in double precision there
// (tools/make_muon_fixtures.py).
TEST(Optimizer, MuonMovesAMatrixAsPyTorch) {
  const SafetensorsFile golden(test::fixture("muon/golden.safetensors"));
  const auto backend = make_backend(Runtime());
  const auto floats = [&](const std::string& name) {
    std::vector<float> values(golden.at(name).bytes.size() / sizeof(float));
    copy_as_f32(golden.at(name), values);
    return values;
  };
  for (const std::string name : {"wide", "tall", "square", "side_by_side"}) {
    SCOPED_TRACE(name);
    const auto& shape = golden.at(name + ".gradients").shape;  // [steps, rows, columns]
    const int64_t count = shape[1] * shape[2], parts = name == "side_by_side" ? 3 : 1;
    std::vector<float> parameter = floats(name + ".start"), m(count);
    std::vector<float> gradients = floats(name + ".gradients");
    const Shape matrix = {shape[1], shape[2]};
    ParameterUpdate row{.rule = UpdateRule::kMuon,
                        .parameter = view(parameter.data(), matrix),
                        .m = view(m.data(), matrix),
                        .parts = parts,
                        .lr = 0.02,
                        .weight_decay = 0.1};
    const std::span rows(&row, 1);
    std::vector<float> scratch(backend->optimizer_scratch_bytes(rows) / sizeof(float));
    for (int64_t step = 0; step < shape[0]; ++step) {
      row.gradient = view(&gradients[step * count], matrix);
      backend->optimizer_step(
          {.rows = rows, .scratch = view(scratch.data(), {static_cast<int64_t>(scratch.size())})});
    }
    const double error = test::relative_error(parameter, floats(name + ".end"));
    EXPECT_LT(error, 1e-5);
    std::printf("%s: %.2e\n", name.c_str(), error);
  }
}

// Muon has no second moment of a layer's matrices, and AdamW of all others.
TEST(Optimizer, MuonActsOnTheMatricesOfTheLayers) {
  const Model model = load_trainable(test::fixture("model/two_layers"));
  Network& network = *model.impl().network;
  Gradients gradients(network);
  Optimizer optimizer(network, OptimizerKind::kMuon);
  std::vector<std::vector<float>> before;
  for (int row = 0; row < network.table().count(); ++row) {
    const View w = network.master(row);
    before.emplace_back(w.as<float>(), w.as<float>() + w.count());
    for (int64_t i = 0; i < w.count(); ++i)
      gradients.row(row).as<float>()[i] = std::sin(static_cast<float>(i + row));
  }
  optimizer.step(gradients, {.lr = 1e-3, .beta1 = 0, .beta2 = 0, .muon_lr = 1e-2}, 0);
  int64_t by_muon = 0;
  for (int row = 0; row < network.table().count(); ++row) {
    const ParameterRow& r = network.table()[row];
    const bool of_layer = r.name.starts_with("h.") && r.shape.rank() == 2;
    SCOPED_TRACE(r.name);
    EXPECT_EQ(!optimizer.v(row), of_layer);
    by_muon += of_layer;
    // Without moments AdamW moves every weight by its rate; Muon by what makes singular values 1.
    double moved = 0;
    for (int64_t i = 0; i < r.shape.count(); ++i)
      moved = std::max(moved,
                       std::fabs(double{network.master(row).as<float>()[i]} - before[row][i]));
    if (of_layer) {
      EXPECT_GT(std::fabs(moved - 1e-3), 1e-4);
    } else {
      EXPECT_NEAR(moved, 1e-3, 1e-5);
    }
  }
  EXPECT_EQ(by_muon, 4 * network.config().layers);
  EXPECT_LT(Optimizer::planned_bytes(network, OptimizerKind::kMuon),
            Optimizer::planned_bytes(network, OptimizerKind::kAdamW));
}

// Without moments AdamW moves every weight by its row's rate; what is frozen has neither moments
// nor a rate.
TEST(Optimizer, MovesEachLayerAtItsRateAndWhatIsFrozenNotAtAll) {
  const Model model = load_trainable(test::fixture("model/inverse_layer_scale"));
  Network& network = *model.impl().network;
  const int64_t all = Optimizer::planned_bytes(network, OptimizerKind::kAdamW);
  network.set_policy("wpe,h.1", 0.5);
  EXPECT_LT(Optimizer::planned_bytes(network, OptimizerKind::kAdamW), all * 0.8);
  Gradients gradients(network);
  Optimizer optimizer(network, OptimizerKind::kAdamW);
  std::vector<std::vector<float>> before;
  for (int row = 0; row < network.table().count(); ++row) {
    const View w = network.master(row);
    before.emplace_back(w.as<float>(), w.as<float>() + w.count());
    if (const View g = gradients.row(row)) std::fill_n(g.as<float>(), g.count(), 1.0f);
  }
  optimizer.step(gradients, {.lr = 1e-3, .beta1 = 0, .beta2 = 0}, 0);
  for (int row = 0; row < network.table().count(); ++row) {
    const std::string& name = network.table()[row].name;
    const bool frozen = name == "wpe.weight" || name.starts_with("h.1.");
    const double rate = name == "wte.weight"       ? 1e-3 / 8
                        : name.starts_with("h.0.") ? 1e-3 / 4
                                                   : 1e-3;
    EXPECT_EQ(!optimizer.m(row), frozen) << name;
    EXPECT_EQ(!optimizer.v(row), frozen) << name;
    const float moved = before[row][0] - network.master(row).as<float>()[0];
    EXPECT_NEAR(moved, frozen ? 0 : rate, frozen ? 0 : 1e-3 * rate + 1e-6) << name;
  }
}

TEST(Optimizer, ChangesNothingWhenTheGradientIsNotFinite) {
  const Model model = load_trainable(test::fixture("model/two_layers"));
  Network& network = *model.impl().network;
  Gradients gradients(network);
  Optimizer optimizer(network, OptimizerKind::kAdamW);
  const std::vector<TokenId> tokens = {1, 2, 3};
  const auto before = model.logits(tokens);
  gradients.row(3).as<float>()[0] = std::nanf("");
  optimizer.step(gradients, {.lr = 1e-3}, 0);
  EXPECT_TRUE(std::isnan(optimizer.read_norm()));
  EXPECT_EQ(model.logits(tokens), before);
}

TEST(Optimizer, ClipsToTheGlobalNorm) {
  const Model model = load_trainable(test::fixture("model/one_head_odd_width"));
  Network& network = *model.impl().network;
  Gradients gradients(network);
  Optimizer optimizer(network, OptimizerKind::kAdamW);
  gradients.row(0).as<float>()[0] = 3;
  gradients.row(1).as<float>()[5] = 4;
  optimizer.step(gradients, {.lr = 1e-3, .beta1 = 0.5, .clip = 1.0}, 0);
  EXPECT_NEAR(optimizer.read_norm(), 5.0, 1e-6);
  // (1 - beta1) * the clipped gradient.
  EXPECT_NEAR(optimizer.m(0).as<float>()[0], 0.5 * 3 / 5, 1e-6);
  EXPECT_NEAR(optimizer.m(1).as<float>()[5], 0.5 * 4 / 5, 1e-6);
}

}  // namespace
}  // namespace inkstone
