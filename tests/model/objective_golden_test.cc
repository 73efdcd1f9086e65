// What positions see, where they stand and what their losses weigh: losses and gradients against
// PyTorch (tools/make_objective_fixtures.py), and against the same texts one by one.
#include <array>
#include <numeric>

#include "golden.h"
#include "model/decoder.h"
#include "model/model_impl.h"
#include "model/training_pass.h"

namespace inkstone {
namespace {

constexpr int64_t kT = 16;

// The golden batch of three windows: documents apart, a prefix seen whole, both directions.
struct GoldenBatch {
  GoldenBatch() : file(test::fixture("objectives/golden.safetensors")) {}

  std::vector<int32_t> integers(const char* name) const {
    const StoredTensor& tensor = file.at(name);
    std::vector<int32_t> values(tensor.bytes.size() / sizeof(int32_t));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  std::vector<float> floats(const std::string& name) const {
    std::vector<float> values(file.at(name).bytes.size() / sizeof(float));
    copy_as_f32(file.at(name), values);
    return values;
  }
  // Windows [begin, begin + count). Weights are divided by the sum of all that are trained.
  MicroBatch windows(size_t begin, size_t count) const {
    const auto part = [&](const auto& all) {
      return std::span(all).subspan(begin * kT, count * kT);
    };
    return {.inputs = part(inputs),
            .targets = part(targets),
            .weights = part(weights),
            .positions = part(positions),
            .first_keys = part(first_keys),
            .last_keys = part(last_keys),
            .gradient_scale = static_cast<float>(1 / trained()),
            .accumulate = begin > 0};
  }
  double trained() const {
    double sum = 0;
    for (size_t n = 0; n < targets.size(); ++n) sum += targets[n] < 0 ? 0 : weights[n];
    return sum;
  }
  double expected_loss() const {
    double sum = 0;
    for (const float loss : floats("losses")) sum += loss;
    return sum;
  }

  SafetensorsFile file;
  std::vector<int32_t> inputs = integers("inputs"), targets = integers("targets"),
                       positions = integers("positions"), first_keys = integers("first_keys"),
                       last_keys = integers("last_keys");
  std::vector<float> weights = floats("weights");
};

class GoldenObjectives : public ::testing::Test {
 protected:
  const GoldenBatch batch;
  const Model model = load_trainable(test::fixture("model/erf_narrow_untied"));
  Network& network = *model.impl().network;
  TrainingPass pass{network, 3, kT, 0};

  std::vector<float> values(const Gradients& gradients, int row) const {
    std::vector<float> result(network.table()[row].shape.count());
    network.backend().copy_to_host(gradients.row(row), result.data());
    return result;
  }
};

TEST_F(GoldenObjectives, LossAndEveryGradientEqualAutograd) {
  Gradients gradients(network);
  pass.forward_backward(batch.windows(0, 3), kT, gradients);
  EXPECT_LT(std::fabs(pass.read_loss() / batch.expected_loss() - 1),
            test::forward_bound(model.config()));
  for (int row = 0; row < network.table().count(); ++row) {
    const std::string& name = network.table()[row].name;
    const auto expected = batch.floats("grad." + name);
    EXPECT_LT(test::relative_error(values(gradients, row), expected), 5e-6) << name;
  }
  // The losses alone are the same numbers.
  const double sum = pass.read_loss();
  pass.forward(batch.windows(0, 3), kT);
  EXPECT_EQ(pass.read_loss(), sum);
}

// A pass that was told of intervals, positions and weights is a plain one again when it is not.
TEST_F(GoldenObjectives, WhatABatchDoesNotSayIsForgotten) {
  const MicroBatch plain = {.inputs = batch.inputs, .targets = batch.targets};
  pass.forward(plain, kT);
  const double before = pass.read_loss();
  pass.forward(batch.windows(0, 3), kT);
  EXPECT_NE(pass.read_loss(), before);
  pass.forward(plain, kT);
  EXPECT_EQ(pass.read_loss(), before);
  // Saying what an empty array means changes no bit either.
  std::vector<int32_t> positions(batch.inputs.size()), zeros(batch.inputs.size());
  for (size_t n = 0; n < positions.size(); ++n) positions[n] = static_cast<int32_t>(n % kT);
  const std::vector<float> ones(batch.inputs.size(), 1);
  pass.forward({.inputs = batch.inputs,
                .targets = batch.targets,
                .weights = ones,
                .positions = positions,
                .first_keys = zeros,
                .last_keys = positions},
               kT);
  EXPECT_EQ(pass.read_loss(), before);
}

// The windows one after the other, with the divisor of all: the same step.
TEST_F(GoldenObjectives, AccumulatedWindowsAreOneBatch) {
  Gradients whole(network), parts(network);
  pass.forward_backward(batch.windows(0, 3), kT, whole);
  const double sum = pass.read_loss();
  for (const size_t b : {0, 1, 2}) pass.forward_backward(batch.windows(b, 1), kT, parts);
  EXPECT_NEAR(pass.read_loss() / sum, 1, 1e-6);
  for (int row = 0; row < network.table().count(); ++row) {
    EXPECT_LT(test::relative_error(values(parts, row), values(whole, row)), 1e-6)
        << network.table()[row].name;
  }
}

// The documents of the first window, each as a window of its own.
TEST_F(GoldenObjectives, DocumentsOfAWindowAreAsAlone) {
  pass.forward(batch.windows(0, 1), kT);
  const double packed = pass.read_loss();
  double alone = 0;
  for (size_t begin = 0; begin < kT;) {
    size_t end = begin + 1;
    while (end < kT && batch.positions[end] > 0) ++end;
    pass.forward({.inputs = std::span(batch.inputs).subspan(begin, end - begin),
                  .targets = std::span(batch.targets).subspan(begin, end - begin),
                  .weights = std::span(batch.weights).subspan(begin, end - begin)},
                 static_cast<int64_t>(end - begin));
    alone += pass.read_loss();
    begin = end;
  }
  EXPECT_NEAR(alone / packed, 1, test::forward_bound(model.config()));
}

// The golden window with a prefix through a decoder: the prefix in one chunk, then the rest. Losses
// as PyTorch has them, and the same bits in one chunk and beside other sequences.
TEST_F(GoldenObjectives, ADecoderSeesAPromptWhole) {
  const auto window = [](const auto& all) { return std::span(all).subspan(kT, kT); };
  const auto inputs = window(batch.inputs), targets = window(batch.targets);
  const int64_t prefix = batch.last_keys[kT] + 1;
  ASSERT_EQ(prefix, 7);
  Decoder decoder(*model.impl().weights, 8 * kT);
  const auto losses_of = [&](std::span<const Chunk> chunks, int64_t first, size_t from) {
    decoder.run(chunks);
    const size_t count = chunks.front().tokens.size() - static_cast<size_t>(first);
    std::vector<int64_t> rows(count);
    std::iota(rows.begin(), rows.end(), first);
    std::vector<float> losses(count), logits(count * model.config().vocab_size);
    decoder.losses(rows, targets.subspan(from, count), losses, logits);
    return losses;
  };
  const Chunk at_once = {.sequence = decoder.open(), .tokens = inputs, .whole = prefix};
  const auto whole = losses_of({&at_once, 1}, prefix - 1, static_cast<size_t>(prefix - 1));
  const auto weights = window(batch.weights);
  const std::vector<float> expected = batch.floats("losses");
  for (size_t i = 0; i < whole.size(); ++i) {
    const size_t t = static_cast<size_t>(prefix) - 1 + i;
    EXPECT_NEAR(whole[i] * weights[t] / expected[kT + t], 1,
                10 * test::forward_bound(model.config()));
  }
  const Chunk beside = {.sequence = decoder.open(), .tokens = window(batch.targets).last(5)};
  const Chunk prompt = {.sequence = decoder.open(), .tokens = inputs.first(7), .whole = prefix};
  std::vector<float> parts = losses_of(std::array{prompt, beside}, prefix - 1, 6);
  for (size_t t = 7; t < kT; ++t) {
    const Chunk next = {.sequence = prompt.sequence, .tokens = inputs.subspan(t, 1)};
    parts.push_back(losses_of({&next, 1}, 0, t).front());
  }
  EXPECT_EQ(parts, whole);
}

}  // namespace
}  // namespace inkstone
