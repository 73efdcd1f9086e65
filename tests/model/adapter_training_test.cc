// Adapters and frozen parts in training: gradients against PyTorch, bases of every type, and that
// what is not trained stays as it is.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "golden.h"
#include "inkstone/quantize.h"
#include "inkstone/tokenizer.h"
#include "model/model_impl.h"
#include "model/trained_adapter.h"
#include "model/training_pass.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

// A variant of tools/make_lora_fixtures.py.
struct Variant {
  const char *name, *base;
  LoraOptions lora;
};

LoraOptions options(const char* targets = "", bool stabilised = false, bool magnitudes = false,
                    double dropout = 0) {
  return {.rank = 2,
          .alpha = 6,
          .targets = targets,
          .dropout = dropout,
          .rank_stabilised = stabilised,
          .magnitudes = magnitudes};
}

const Variant kVariants[] = {
    {"all", "two_layers", options()},
    {"only_c_attn", "two_layers", options("c_attn")},
    {"only_attn_c_proj", "two_layers", options("attn.c_proj")},
    {"only_c_fc", "two_layers", options("mlp.c_fc")},
    {"only_mlp_c_proj", "two_layers", options("mlp.c_proj")},
    {"rank_stabilised", "two_layers", options("c_attn,c_proj,c_fc", true)},
    {"magnitudes", "two_layers", options("", false, true)},
    {"dropout", "two_layers", options("", false, false, 0.25)},
    {"magnitudes_and_dropout", "two_layers", options("", true, true, 0.25)},
    {"no_biases", "relu_no_biases", options()},
    {"magnitudes_no_biases", "relu_no_biases", options("", false, true)}};
constexpr uint64_t kDropoutSeed = 11;

// The first windows of a model fixture, as a micro-batch.
struct Windows {
  explicit Windows(const test::Golden& golden)
      : inputs(golden.tokens(0, 0)), targets(golden.tokens(0, 1)), context(golden.context) {}
  MicroBatch all() const { return part(0, inputs.size()); }
  MicroBatch part(size_t begin, size_t count) const {
    return {.inputs = std::span(inputs).subspan(begin, count),
            .targets = std::span(targets).subspan(begin, count),
            .gradient_scale = 1.0f / static_cast<float>(inputs.size()),
            .accumulate = begin > 0,
            .dropout_seed = kDropoutSeed};
  }
  std::vector<TokenId> inputs, targets;
  int64_t context;
};

std::vector<float> floats_of(const SafetensorsFile& file, const std::string& name) {
  std::vector<float> values(file.at(name).bytes.size() / size_bytes(file.at(name).dtype));
  copy_as_f32(file.at(name), values);
  return values;
}

std::vector<float> numbers(const Network& network, View view) {
  std::vector<float> values(static_cast<size_t>(view.count()));
  network.backend().copy_to_host(view, values.data());
  return values;
}

// Rows that have numbers of their own get other ones, so that every gradient counts.
void shake(Network& network, float by) {
  for (int row = 0; row < network.table().count(); ++row) {
    if (network.table()[row].offset == kNoOffset) continue;
    std::vector<float> values = numbers(network, network.master(row));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] += by * std::sin(static_cast<float>(i) + static_cast<float>(row));
    network.backend().copy_from_host(values.data(), network.master(row));
  }
  network.refresh_copies();
}

std::vector<float> gradient_of(Network& network, const Windows& windows, float dropout = 0) {
  Gradients gradients(network);
  const auto batch = static_cast<int64_t>(windows.inputs.size()) / windows.context;
  TrainingPass pass(network, batch, windows.context, dropout);
  pass.forward_backward(windows.all(), windows.context, gradients);
  return numbers(network, gradients.flat());
}

class GoldenAdapter : public ::testing::TestWithParam<Variant> {
 protected:
  GoldenAdapter()
      : file(test::fixture("lora/golden.safetensors")),
        base(test::fixture("model/" + std::string(GetParam().base))) {}

  // With the fixture's values.
  Model model(const LoadOptions& load = {}) const {
    Model model = load_for_adapter(base.folder, GetParam().lora, 1, load);
    Network& network = *model.impl().network;
    for (int row = 0; row < network.table().count(); ++row) {
      if (!network.table()[row].trained) continue;
      const auto values = floats_of(file, GetParam().base + ("." + network.table()[row].name));
      network.backend().copy_from_host(values.data(), network.master(row));
    }
    network.refresh_copies();
    return model;
  }

  SafetensorsFile file;
  test::Golden base;
};

TEST_P(GoldenAdapter, LossAndGradientsEqualPyTorchs) {
  const Model model = this->model();
  Network& network = *model.impl().network;
  const Windows windows(base);
  Gradients gradients(network);
  TrainingPass pass(network, base.batch, base.context, 0);
  pass.forward_backward(windows.all(), base.context, gradients);
  const std::string name = GetParam().name;
  const double loss = pass.read_loss() / static_cast<double>(windows.inputs.size());
  const double expected = floats_of(file, name + ".loss")[0];
  EXPECT_NEAR(loss / expected, 1, test::forward_bound(model.config()));
  const double bound = std::min(
      5e-6, test::backward_bound(model.config(), static_cast<int64_t>(windows.inputs.size())));
  double worst = 0;
  for (int row = 0; row < network.table().count(); ++row) {
    if (!network.table()[row].trained) continue;
    const std::string& row_name = network.table()[row].name;
    const auto gradient = numbers(network, gradients.row(row));
    const double error = test::relative_error(gradient,
                                              floats_of(file, name + ".grad." + row_name));
    EXPECT_LT(error, bound) << row_name;
    worst = std::max(worst, error);
  }
  std::printf("%s: worst gradient %.2e, bound %.2e\n", name.c_str(), worst, bound);
}

// bf16 has 8 bits: as MixedPrecisionStaysClose. Relu jumps (golden_test.cc).
TEST_P(GoldenAdapter, MixedPrecisionStaysClose) {
  const Model model = this->model({.compute = ComputeType::kBF16});
  Network& network = *model.impl().network;
  Gradients gradients(network);
  TrainingPass pass(network, base.batch, base.context, 0);
  pass.forward_backward(Windows(base).all(), base.context, gradients);
  double difference = 0, norm = 0;
  for (int row = 0; row < network.table().count(); ++row) {
    if (!network.table()[row].trained) continue;
    const auto gradient = numbers(network, gradients.row(row));
    const auto expected = floats_of(
        file, std::string(GetParam().name) + ".grad." + network.table()[row].name);
    for (size_t i = 0; i < expected.size(); ++i) {
      difference += std::pow(double{gradient[i]} - expected[i], 2);
      norm += double{expected[i]} * expected[i];
    }
  }
  const bool jumps = model.config().activation == Activation::kRelu;
  EXPECT_LT(std::sqrt(difference / norm), jumps ? std::exp2(-4) : 4 * std::exp2(-8));
}

TEST_P(GoldenAdapter, TwoMicroBatchesGiveTheGradientOfOne) {
  if (GetParam().lora.dropout > 0) GTEST_SKIP() << "other elements are dropped";
  const Model model = this->model();
  Network& network = *model.impl().network;
  const Windows windows(base);
  Gradients whole(network), parts(network);
  TrainingPass pass(network, base.batch, base.context, 0);
  pass.forward_backward(windows.all(), base.context, whole);
  const auto T = static_cast<size_t>(base.context);
  pass.forward_backward(windows.part(0, T), base.context, parts);
  pass.forward_backward(windows.part(T, windows.inputs.size() - T), base.context, parts);
  EXPECT_LT(test::relative_error(numbers(network, parts.flat()), numbers(network, whole.flat())),
            test::backward_bound(model.config(), static_cast<int64_t>(windows.inputs.size())));
}

// What a run writes is what it has trained: merged into the model by the way of a file's adapter,
// it says what the training pass says.
TEST_P(GoldenAdapter, MergedModelLosesWhatThePassLoses) {
  const Model model = this->model();
  Network& network = *model.impl().network;
  const Windows windows(base);
  TrainingPass pass(network, base.batch, base.context, 0);
  pass.forward(windows.all(), base.context);
  const double loss = pass.read_loss();
  const Model merged = merged_model(network, base.folder);
  const auto T = static_cast<size_t>(base.context),
             V = static_cast<size_t>(model.config().vocab_size);
  double sum = 0;
  for (size_t begin = 0; begin < windows.inputs.size(); begin += T) {
    const auto logits = merged.logits(std::span(windows.inputs).subspan(begin, T));
    for (size_t t = 0; t < T; ++t) {
      const std::span row = std::span(logits).subspan(t * V, V);
      double total = 0;
      for (const float x : row) total += std::exp(double{x});
      sum += std::log(total) - row[static_cast<size_t>(windows.targets[begin + t])];
    }
  }
  EXPECT_NEAR(sum / loss, 1, 2 * test::forward_bound(model.config()));
}

TEST_P(GoldenAdapter, EveryNumberOfThreadsGivesTheSameBits) {
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const Model model = this->model({.runtime = Runtime({.threads = threads})});
    const auto gradient = gradient_of(*model.impl().network, Windows(base), 0.1f);
    if (first.empty()) first = gradient;
    EXPECT_EQ(gradient, first) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, GoldenAdapter, ::testing::ValuesIn(kVariants),
                         [](const auto& variant) { return std::string(variant.param.name); });

// A model of 64 channels, as a folder in float32, and quantised.
class StoredBase : public ::testing::TestWithParam<const char*> {
 protected:
  StoredBase() {
    bool told = false;
    const Tokenizer tokenizer = Tokenizer::train(
        [&]() -> std::optional<std::string> {
          return std::exchange(told, true) ? std::nullopt : std::optional("In the beginning.");
        },
        {.vocab_size = 260});
    const ModelConfig config{
        .layers = 2, .heads = 2, .width = 64, .context = 16, .vocab_size = tokenizer.vocab_size()};
    const Model made = Model::create(config, 9);
    shake(*made.impl().network, 0.02f);
    made.save(scratch / "made");
    tokenizer.save(scratch / "made");
    quantize(scratch / "made", scratch / "model.gguf", {.type = GetParam()});
    // The stored numbers, all in float32.
    load_trainable(scratch / "model.gguf").save(scratch / "widened");
  }
  std::vector<float> gradient(const fs::path& base, const LoraOptions& lora) const {
    const Model model = load_for_adapter(base, lora, 1);
    shake(*model.impl().network, 0.02f);
    const test::Golden golden(test::fixture("model/two_layers"));
    return gradient_of(*model.impl().network, Windows(golden));
  }
  test::ScratchFolder scratch;
};

// Weights are widened exactly; products are those of another layout, whose sums round otherwise.
TEST_P(StoredBase, GradientsAreThoseOfItsNumbersInFloat32) {
  for (const bool magnitudes : {false, true}) {
    const LoraOptions lora{.rank = 3, .alpha = 6, .magnitudes = magnitudes};
    const ModelConfig config = load_config(scratch / "widened");
    EXPECT_LT(test::relative_error(gradient(scratch / "model.gguf", lora),
                                   gradient(scratch / "widened", lora)),
              test::backward_bound(config, 48));
  }
}

// Nothing is packed or copied, and activations need no more than one widened matrix.
TEST_P(StoredBase, IsHeldAsItIsStored) {
  const LoraOptions lora{.rank = 3};
  const Model stored = load_for_adapter(scratch / "model.gguf", lora, 1),
              widened = load_for_adapter(scratch / "widened", lora, 1);
  const Weights &weights = *stored.impl().weights, &others = *widened.impl().weights;
  const int row = weights.table().layer(0).fc_weight;
  EXPECT_EQ(weights.matrix(row).data, weights.source()->get(row).data);
  EXPECT_LT(weights.held_bytes(), others.held_bytes() * 0.55);
  const int64_t extra = TrainingPass::planned_bytes(*stored.impl().network, 2, 16) -
                        TrainingPass::planned_bytes(*widened.impl().network, 2, 16);
  EXPECT_EQ(extra, 64 * 256 * 4);
}

INSTANTIATE_TEST_SUITE_P(Types, StoredBase, ::testing::Values("f16", "bf16", "q8_0"),
                         [](const auto& type) { return std::string(type.param); });

TEST(Adapter, BeginsAsTheModelItself) {
  const fs::path base = test::fixture("model/two_layers");
  const Windows windows{test::Golden(base)};
  const Model plain = load_trainable(base);
  TrainingPass before(*plain.impl().network, 3, windows.context, 0);
  before.forward(windows.all(), windows.context);
  for (const bool magnitudes : {false, true}) {
    const Model model = load_for_adapter(base, {.rank = 4, .magnitudes = magnitudes}, 7);
    TrainingPass pass(*model.impl().network, 3, windows.context, 0);
    pass.forward(windows.all(), windows.context);
    // A zero is added; magnitudes are their own norms to a rounding.
    const double bound = magnitudes ? test::forward_bound(model.config()) : 0;
    EXPECT_LE(std::fabs(pass.read_loss() / before.read_loss() - 1), bound) << magnitudes;
  }
}

// U(-1/sqrt(in), 1/sqrt(in)): kaiming_uniform_ with a = sqrt(5), as PEFT has it.
TEST(Adapter, BeginsUniformAndZero) {
  const Model model = load_for_adapter(test::fixture("model/two_layers"), {.rank = 16}, 7);
  const Network& network = *model.impl().network;
  for (int row = 0; row < network.table().count(); ++row) {
    const ParameterRow& r = network.table()[row];
    if (!r.trained) continue;
    const auto values = numbers(network, network.master(row));
    const double limit = 1 / std::sqrt(static_cast<double>(r.shape[1]));
    double square = 0, largest = 0;
    for (const float x : values)
      square += double{x} * x, largest = std::max(largest, std::fabs(double{x}));
    if (r.name.ends_with("lora_B")) {
      EXPECT_EQ(largest, 0) << r.name;
      continue;
    }
    const double variance = square / static_cast<double>(values.size());
    // Five standard errors of a uniform variable's square: variance 4/45 limit^4.
    const double error = 5 * limit * limit *
                         std::sqrt(4.0 / 45 / static_cast<double>(values.size()));
    EXPECT_NEAR(variance, limit * limit / 3, error) << r.name;
    EXPECT_LE(largest, limit) << r.name;
    EXPECT_GT(largest, 0.95 * limit) << r.name;
  }
}

TEST(Adapter, RefusesMatricesThatThereAreNot) {
  const auto load = [](const char* targets) {
    return test::thrown_by([&] {
      load_for_adapter(test::fixture("model/two_layers"), {.rank = 2, .targets = targets}, 1);
    });
  };
  EXPECT_TRUE(test::mentions(load("c_attn,q_proj"), "'q_proj'"));
  EXPECT_TRUE(test::mentions(load("wte"), "'wte'"));
  EXPECT_TRUE(test::mentions(load("proj"), "'proj'"));
}

TEST(Adapter, OfAnotherRunIsRefused) {
  const fs::path base = test::fixture("model/two_layers");
  const Model model = load_for_adapter(base, {.rank = 2}, 1),
              larger = load_for_adapter(base, {.rank = 3}, 1),
              fewer = load_for_adapter(base, {.rank = 2, .targets = "c_attn"}, 1);
  const Adapter adapter = trained_adapter(*model.impl().network, base.string());
  EXPECT_EQ(adapter.config.base_model, base.string());
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { set_adapter(*larger.impl().network, adapter); }),
                             "numbers"));
  EXPECT_TRUE(test::mentions(test::thrown_by([&] {
                               set_adapter(*model.impl().network,
                                           trained_adapter(*fewer.impl().network, ""));
                             }),
                             "no module for 'h.0.attn.c_proj.weight'"));
}

TEST(Parts, AreNamedByLayersAndWords) {
  EXPECT_TRUE(lies_in_part("wte.weight", "wte"));
  EXPECT_TRUE(lies_in_part("h.3.attn.c_attn.weight", "h"));
  EXPECT_TRUE(lies_in_part("h.3.attn.c_attn.weight", "h.3"));
  EXPECT_TRUE(lies_in_part("h.3.attn.c_attn.weight", "h.0-3"));
  EXPECT_TRUE(lies_in_part("h.3.attn.c_attn.weight", "h.*.attn"));
  EXPECT_TRUE(lies_in_part("h.3.attn.c_attn.weight", "h.3-3.attn.c_attn.weight"));
  EXPECT_FALSE(lies_in_part("h.13.attn.c_attn.weight", "h.1"));
  EXPECT_FALSE(lies_in_part("h.3.attn.c_attn.weight", "h.4-7"));
  EXPECT_FALSE(lies_in_part("h.3.attn.c_attn.weight", "h.3-"));
  EXPECT_FALSE(lies_in_part("h.3.attn.c_attn.weight", "h.3.mlp"));
  EXPECT_FALSE(lies_in_part("h.3.attn.c_attn.weight", "h.3.attn.c_attn.weight.x"));
  EXPECT_FALSE(lies_in_part("wte.weight", "wt"));
  EXPECT_FALSE(lies_in_part("wte.weight", "wte.0"));
}

TEST(Parts, ThatThereAreNotAreRefused) {
  ParameterTable table(*preset("gpt2"));
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { table.set_policy("wte,h.12", 1); }), "'h.12'"));
  EXPECT_TRUE(
      test::mentions(test::thrown_by([&] { table.set_policy("lm_head", 1); }), "'lm_head'"));
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { table.set_policy(",", 1); }), "''"));
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { table.set_policy("wte,wpe,h,ln_f", 1); }),
                             "nothing to train"));
}

TEST(Parts, HaveTheirPartOfTheLearningRate) {
  ParameterTable table(*preset("gpt2"));
  table.set_policy("", 0.5);
  EXPECT_EQ(table[table.wte()].lr_scale, std::exp2(-12));
  EXPECT_EQ(table[table.layer(0).ln_1_weight].lr_scale, std::exp2(-11));
  EXPECT_EQ(table[table.layer(0).fc_proj_bias].lr_scale, std::exp2(-11));
  EXPECT_EQ(table[table.layer(11).ln_1_weight].lr_scale, 1);
  EXPECT_EQ(table[table.ln_f_bias()].lr_scale, 1);
}

// What is frozen has no place among the gradients; those of the rest are the same bits, from
// however far down they come.
class Frozen : public ::testing::TestWithParam<const char*> {};

TEST_P(Frozen, LeavesTheOtherGradientsAsTheyWere) {
  for (const char* folder : {"two_layers", "erf_narrow_untied", "relu_no_biases"}) {
    SCOPED_TRACE(folder);
    const test::Golden golden(test::fixture("model/" + std::string(folder)));
    const Windows windows(golden);
    const Model whole = load_trainable(golden.folder), part = load_trainable(golden.folder);
    Network &all = *whole.impl().network, &some = *part.impl().network;
    some.set_policy(GetParam(), 1);
    Gradients expected(all), gradients(some);
    for (const auto& [network, to] : {std::pair(&all, &expected), std::pair(&some, &gradients)}) {
      TrainingPass pass(*network, golden.batch, golden.context, 0.1f);
      pass.forward_backward(windows.all(), golden.context, *to);
    }
    for (int row = 0; row < some.table().count(); ++row) {
      EXPECT_EQ(some.table()[row].trained, bool{gradients.row(row)});
      if (!gradients.row(row)) continue;
      EXPECT_EQ(numbers(some, gradients.row(row)), numbers(all, expected.row(row)))
          << some.table()[row].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, Frozen,
                         ::testing::Values("wte", "wpe", "wte,wpe", "wte,wpe,h.0",
                                           "h.*.ln_1,h.*.ln_2", "wte,wpe,h.0,h.1.ln_1,h.1.attn",
                                           "wte,wpe,h.0-1", "h.*.mlp",
                                           "wte,wpe,h.0,h.1.ln_1,h.1.attn.c_attn",
                                           "wte,wpe,h.0,h.1.ln_1,h.1.attn,h.1.ln_2,h.1.mlp.c_fc"));

// Activations that are computed again are the same bits, and take what the plan says.
class Recomputed : public ::testing::TestWithParam<Recompute> {};

TEST_P(Recomputed, GivesTheSameGradients) {
  for (const char* folder : {"two_layers", "inverse_layer_scale", "relu_no_biases"}) {
    SCOPED_TRACE(folder);
    const test::Golden golden(test::fixture("model/" + std::string(folder)));
    const Windows windows(golden);
    const Model whole = load_trainable(golden.folder),
                adapter = load_for_adapter(golden.folder,
                                           {.rank = 2, .dropout = 0.1, .magnitudes = true}, 3);
    shake(*adapter.impl().network, 0.02f);
    for (const Model* model : {&whole, &adapter}) {
      Network& network = *model->impl().network;
      Gradients kept(network), again(network);
      TrainingPass keeps(network, golden.batch, golden.context, 0.1f),
          computes(network, golden.batch, golden.context, 0.1f, GetParam());
      keeps.forward_backward(windows.all(), golden.context, kept);
      computes.forward_backward(windows.all(), golden.context, again);
      EXPECT_EQ(numbers(network, again.flat()), numbers(network, kept.flat()));
      EXPECT_EQ(computes.read_loss(), keeps.read_loss());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Recomputed,
                         ::testing::Values(Recompute::kLight, Recompute::kFull));

// N = 32 rows of 32 channels; sizes are multiples of 64 bytes.
TEST(RecomputedMemory, IsLessByWhatThePlanSays) {
  const ModelConfig config{.layers = 6, .heads = 2, .width = 32, .context = 16, .vocab_size = 50};
  const Model model = Model::create(config, 1);
  const auto bytes = [&](Recompute recompute) {
    return TrainingPass::planned_bytes(*model.impl().network, 2, 16, recompute);
  };
  const int64_t per_channel = 5 * 32 * 32 * 4;  // of the five layers above the first
  EXPECT_EQ(bytes(Recompute::kNone) - bytes(Recompute::kLight), 6 * per_channel);
  // Four means and deviations of each row, and the log-sum-exp of two heads.
  EXPECT_EQ(bytes(Recompute::kNone) - bytes(Recompute::kFull),
            15 * per_channel + 5 * (4 + 2) * 32 * 4);
}

TEST(FrozenMemory, IsSharedByTheLayersBelow) {
  const ModelConfig config{.layers = 6, .heads = 2, .width = 32, .context = 16, .vocab_size = 50};
  const Model model = Model::create(config, 1);
  Network& network = *model.impl().network;
  const int64_t all = TrainingPass::planned_bytes(network, 2, 16);
  network.set_policy("wte,wpe,h.0-4", 1);
  const int64_t top = TrainingPass::planned_bytes(network, 2, 16);
  network.set_policy("wte,wpe,h.0-3", 1);
  const int64_t two = TrainingPass::planned_bytes(network, 2, 16);
  EXPECT_EQ(all - top, 4 * (two - top));
}

}  // namespace
}  // namespace inkstone
