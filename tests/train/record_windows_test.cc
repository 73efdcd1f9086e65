// Training on records with a completion: losses equal TRL's, packed texts see nothing of each
// other, and a batch may be cut into micro-batches.
#include "train/record_windows.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "corpus.h"
#include "corpus/load/record_spans.h"
#include "model/model_impl.h"
#include "model/training_pass.h"
#include "train/batches.h"

namespace inkstone {
namespace {

class RecordTraining : public ::testing::Test {
 protected:
  RecordTraining() : model(load_trainable(test::fixture("completion/model"))) {
    PrepareOptions options;
    options.inputs = {test::fixture("completion/pairs.jsonl")};
    options.output = scratch / "data";
    options.val_fraction = 0;
    options.read.records = Records::kAuto;
    options.turns = load_turn_template("plain");
    prepare(options, Tokenizer::load(test::fixture("completion/model")));
    stream.emplace(scratch / "data", "train");
    spans = find_trained_spans(*stream, "train");
  }

  Network& network() { return *model.impl().network; }

  // Loss and gradients of a step over micro-batches, each divided by all that is trained.
  std::pair<double, std::vector<float>> step(const std::vector<TokenBatch>& batches, int64_t T) {
    Gradients gradients(network());
    TrainingPass pass(network(), static_cast<int64_t>(batches[0].inputs.size()) / T, T, 0);
    double weight = 0;
    for (const TokenBatch& batch : batches) weight += trained_weight(batch);
    for (size_t i = 0; i < batches.size(); ++i) {
      MicroBatch part = micro_batch(batches[i]);
      part.gradient_scale = static_cast<float>(1 / weight);
      part.accumulate = i > 0;
      pass.forward_backward(part, T, gradients);
    }
    std::vector<float> values(static_cast<size_t>(network().table().flat_count()));
    network().backend().copy_to_host(gradients.flat(), values.data());
    return {pass.read_loss() / weight, values};
  }

  TokenBatch batch_of(const RecordWindows& records, int64_t first, int64_t rows) {
    TokenBatch batch;
    batch.inputs.resize(static_cast<size_t>(rows * records.length()));
    batch.targets.resize(batch.inputs.size());
    for (int64_t b = 0; b < rows; ++b) records.read(first + b, b, batch);
    return batch;
  }

  const test::ScratchFolder scratch;
  Model model;
  std::optional<TokenStream> stream;
  std::optional<TrainedSpans> spans;
};

TEST_F(RecordTraining, TheLossEqualsTrls) {
  const Json golden = read_json(test::fixture("completion/goldens.json"))["sft"];
  const RecordWindows records(*stream, *spans, {.context = 64, .seed = 1});
  EXPECT_EQ(records.trained_tokens(records.packed().windows_per_epoch()),
            golden["trained_tokens"].get<int64_t>());
  TrainingPass pass(network(), 2, records.length(), 0);
  const double loss = mean_loss(pass, records, 2, records.packed().windows_per_epoch());
  const double expected = golden["loss"].get<double>();
  // A forward pass in float32 of two layers: some 2^-24 * (width + layers) of the loss.
  EXPECT_NEAR(loss, expected, expected * 0x1.0p-24 * 64);
}

TEST_F(RecordTraining, PackedTextsLoseWhatTextsAloneLose) {
  const RecordWindows records(*stream, *spans, {.context = 64, .seed = 1});
  const int64_t T = records.length();
  double alone = 0, packed = 0;
  for (int64_t w = 0; w < records.packed().windows_per_epoch(); ++w) {
    const TokenBatch batch = batch_of(records, w, 1);
    TrainingPass pass(network(), 1, T, 0);
    pass.forward(micro_batch(batch), T);
    packed += pass.read_loss();
    int64_t at = 0;
    for (const PackedText& text : records.packed().texts(w)) {
      TrainingPass own(network(), 1, text.inputs, 0);
      const auto first = static_cast<size_t>(at), size = static_cast<size_t>(text.inputs);
      own.forward({.inputs = std::span(batch.inputs).subspan(first, size),
                   .targets = std::span(batch.targets).subspan(first, size)},
                  text.inputs);
      alone += own.read_loss();
      at += text.inputs;
    }
  }
  EXPECT_NEAR(packed, alone, alone * 0x1.0p-24 * 64);
}

TEST_F(RecordTraining, WindowsInOneBatchAreThoseInManyMicroBatches) {
  const RecordWindows records(*stream, *spans, {.context = 52, .seed = 1, .prompt_weight = 0.3});
  constexpr int64_t kWindows = 16;
  const auto [loss, gradients] = step({batch_of(records, 0, kWindows)}, records.length());
  std::vector<TokenBatch> parts;
  for (int64_t i = 0; i < kWindows; ++i) parts.push_back(batch_of(records, i, 1));
  const auto [other_loss, other] = step(parts, records.length());
  EXPECT_NEAR(loss, other_loss, 1e-6 * loss);
  double norm = 0, difference = 0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    norm += double{gradients[i]} * gradients[i];
    difference += std::pow(double{gradients[i]} - other[i], 2);
  }
  EXPECT_LT(std::sqrt(difference / norm), 1e-6);
}

TEST_F(RecordTraining, PromptsWeighWhatIsAsked) {
  const RecordWindows plain(*stream, *spans, {.context = 64, .seed = 1});
  const RecordWindows weighted(*stream, *spans, {.context = 64, .seed = 1, .prompt_weight = 0.25});
  double expected = 0, found = 0;
  for (int64_t w = 0; w < plain.packed().windows_per_epoch(); ++w) {
    const TokenBatch a = batch_of(plain, w, 1), b = batch_of(weighted, w, 1);
    EXPECT_TRUE(a.weights.empty());
    EXPECT_EQ(a.inputs, b.inputs);
    int64_t prompt = 0;
    for (const PackedText& text : plain.packed().texts(w)) prompt += text.inputs;
    expected += trained_weight(a) + 0.25 * (static_cast<double>(prompt) - trained_weight(a));
    found += trained_weight(b);
  }
  EXPECT_DOUBLE_EQ(found, expected);
}

TEST_F(RecordTraining, RefusesAContextInWhichEveryCompletionIsCut) {
  const test::ScratchFolder folder;
  TrainedSpansWriter writer(folder / "spans");
  writer.write(stream->count(), std::vector<TrainedSpan>{{2, 100}});
  writer.commit();
  const TrainedSpans one = TrainedSpans::parse(read_file(folder / "spans"));
  const Error error = test::thrown_by([&] { RecordWindows(*stream, one, {.context = 16}); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "larger --context"));
}

TEST_F(RecordTraining, ARunIsResumedInTheSameBytes) {
  TrainOptions o = test::tiny_run(scratch / "data", scratch / "whole");
  o.model.context = 32, o.steps = 20, o.eval_every = 0, o.save_every = 10;
  train(o);
  o.run = scratch / "parts";
  int64_t asked = 0;
  TrainObserver stopping;
  stopping.stop_requested = [&] { return ++asked == 7; };
  train(o, stopping);
  resume({.run = o.run});
  const auto weights = [&](const char* run) {
    return read_file(scratch / (std::string(run) + "/last/model.safetensors"));
  };
  EXPECT_EQ(weights("whole"), weights("parts"));
  EXPECT_NE(Tokenizer::load(o.run).turn_template(), nullptr);
}

}  // namespace
}  // namespace inkstone
