// Inference with a cache: equal to the full forward pass, independent of what runs beside it.
#include "model/decoder.h"

#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "golden.h"
#include "inkstone/model.h"
#include "kernels/failing_backend.h"
#include "kernels/late_backend.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

class DecoderTest : public ::testing::Test {
 protected:
  DecoderTest()
      : model(Model::load(test::fixture("model/two_layers"))), V(model.config().vocab_size) {}
  const Weights& weights() const { return *model.impl().weights; }

  // Appends tokens to a sequence in one pass; the logits after each of them.
  std::vector<float> append(Decoder& decoder, int64_t sequence, std::span<const TokenId> tokens) {
    const Chunk chunk{sequence, tokens};
    decoder.run({&chunk, 1});
    std::vector<int64_t> rows(tokens.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<float> logits(tokens.size() * static_cast<size_t>(V));
    decoder.logits(rows, logits);
    return logits;
  }
  std::vector<float> last(const std::vector<float>& logits) const {
    return {logits.end() - V, logits.end()};
  }

  Model model;
  int64_t V;
  const std::vector<TokenId> text = {3, 96, 0, 17, 55, 3, 3, 41, 80, 9, 12};
};

// One pass, several, or a token at a time: the same bits.
TEST(Decoder, ChunksChangeNoBitOfAnyKindOfLayer) {
  for (const auto& folder : test::golden_folders()) {
    for (const ComputeType compute : {ComputeType::kF32, ComputeType::kBF16}) {
      for (const char* weights : {"auto", "f32", "bf16", "f16"}) {
        const Model model = Model::load(folder, {.compute = compute, .weights = weights});
        const std::vector<TokenId> text = {3, 0, 17, 5, 3};
        const auto whole = model.logits(text);
        Decoder decoder(*model.impl().weights, 5);
        const int64_t sequence = decoder.open();
        std::vector<float> steps, logits(model.config().vocab_size);
        for (const TokenId& token : text) {
          const Chunk chunk{sequence, {&token, 1}};
          decoder.run({&chunk, 1});
          decoder.logits(std::array<int64_t, 1>{0}, logits);
          steps.insert(steps.end(), logits.begin(), logits.end());
        }
        EXPECT_EQ(steps, whole) << folder << " " << weights;
      }
    }
  }
}

// Sequences that come, grow by chunks of random sizes beside each other, fork, shrink and go: every
// row has the bits that its text has when it is alone.
void check_random_company(const Model& model, int rounds) {
  const int64_t V = model.config().vocab_size;
  struct Held {
    int64_t id;
    std::vector<TokenId> tokens;
  };
  Decoder decoder(*model.impl().weights, 200);
  std::vector<Held> held;
  std::mt19937 random(1);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int round = 0; round < rounds; ++round) {
    if (held.size() < 8 && below(2) == 0) held.push_back({decoder.open(), {}});
    if (!held.empty() && held.size() < 8 && below(4) == 0) {
      const Held& from = held[below(held.size())];
      const int64_t length = below(from.tokens.size() + 1);
      const int64_t id = decoder.fork(from.id, length);
      held.push_back({id, {from.tokens.begin(), from.tokens.begin() + length}});
    }
    if (!held.empty() && below(5) == 0) {
      Held& cut = held[below(held.size())];
      cut.tokens.resize(below(cut.tokens.size() + 1));
      decoder.truncate(cut.id, static_cast<int64_t>(cut.tokens.size()));
    }
    if (!held.empty() && below(8) == 0) {
      std::swap(held[below(held.size())], held.back());
      decoder.close(held.back().id);
      held.pop_back();
    }
    std::vector<size_t> growing;
    std::vector<Chunk> chunks;
    std::vector<std::vector<TokenId>> added(held.size());
    std::vector<int64_t> rows;
    int64_t row = -1;
    for (size_t i = 0; i < held.size(); ++i) {
      const int64_t room = model.config().context - static_cast<int64_t>(held[i].tokens.size());
      const int64_t count = std::min<int64_t>(room, below(4));
      if (count == 0) continue;
      for (int64_t k = 0; k < count; ++k) added[i].push_back(static_cast<TokenId>(below(V)));
      growing.push_back(i);
      chunks.push_back({held[i].id, added[i]});
      rows.push_back(row += count);
    }
    if (chunks.empty()) continue;
    std::vector<float> logits(chunks.size() * static_cast<size_t>(V));
    decoder.run(chunks);
    decoder.logits(rows, logits);
    for (size_t i = 0; i < growing.size(); ++i) {
      Held& h = held[growing[i]];
      h.tokens.insert(h.tokens.end(), added[growing[i]].begin(), added[growing[i]].end());
      const auto alone = model.logits(h.tokens);
      EXPECT_TRUE(
          std::equal(alone.end() - V, alone.end(), logits.begin() + static_cast<int64_t>(i) * V))
          << round;
    }
  }
  for (const Held& h : held) decoder.close(h.id);
  EXPECT_EQ(decoder.free_pages(), decoder.pages());
}

TEST_F(DecoderTest, RandomCompanyChangesNoBit) { check_random_company(model, 150); }

// With weights held in every type.
TEST(Decoder, RandomCompanyChangesNoBitAtAnyTypeOfWeights) {
  const ModelConfig config{.layers = 1, .heads = 4, .width = 256, .context = 40, .vocab_size = 300};
  const test::ScratchFolder scratch;
  Model::create(config, 5).save(scratch / "model");
  for (const std::string_view type : weight_type_names()) {
    for (const ComputeType compute : {ComputeType::kF32, ComputeType::kBF16}) {
      SCOPED_TRACE(std::string(type) + (compute == ComputeType::kBF16 ? ", bf16" : ""));
      check_random_company(
          Model::load(scratch / "model", {.compute = compute, .weights = std::string(type)}), 12);
    }
  }
}

// With keys and values held in every type.
TEST(Decoder, RandomCompanyChangesNoBitAtAnyTypeOfCache) {
  const ModelConfig config{.layers = 1, .heads = 4, .width = 128, .context = 40, .vocab_size = 300};
  for (const std::string& cache : cache_names()) {
    for (const ComputeType compute : {ComputeType::kF32, ComputeType::kBF16}) {
      SCOPED_TRACE(cache);
      check_random_company(Model::create(config, 5, {.compute = compute, .cache = cache}), 20);
    }
  }
}

// One pass or a token at a time, over several pages and tiles of positions: the same bits.
TEST(Decoder, ChunksChangeNoBitAtAnyTypeOfCache) {
  const ModelConfig config{.layers = 2, .heads = 2, .width = 64, .context = 90, .vocab_size = 50};
  std::vector<TokenId> text(90);
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<TokenId>(i * i % 47);
  for (const std::string& cache : cache_names()) {
    const Model model = Model::create(config, 6, {.cache = cache});
    const auto whole = model.logits(text);
    Decoder decoder(*model.impl().weights, 90);
    const int64_t sequence = decoder.open();
    std::vector<float> steps, logits(50);
    for (const TokenId& token : text) {
      const Chunk chunk{sequence, {&token, 1}};
      decoder.run({&chunk, 1});
      decoder.logits(std::array<int64_t, 1>{0}, logits);
      steps.insert(steps.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(steps, whole) << cache;
  }
}

// To first order logits move by the cache's rounding errors times one and the same derivative, so
// that types differ as the errors of a number do. Of numbers of a normal distribution these are, as
// roots of mean squares: f16's an eighth of bf16's; bf16's 0.0016 of the standard deviation; q8_0's
// 1/127 of the largest of 32 numbers (2.1 deviations) over sqrt(12), 0.0048: three times bf16's.
// Twice that and half that are allowed for maxima over some thousand logits.
TEST(Decoder, LogitsWithAnyTypeOfCacheAreCloseToThoseWithFloat32) {
  const ModelConfig config{.layers = 3, .heads = 2, .width = 64, .context = 60, .vocab_size = 50};
  std::vector<TokenId> text(60);
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<TokenId>(i * i % 47);
  const auto logits_with = [&](const char* cache) {
    return Model::create(config, 6, {.cache = cache}).logits(text);
  };
  const auto exact = logits_with("f32");
  double size = 0;
  for (const float x : exact) size = std::max(size, std::abs(double{x}));
  const auto off = [&](const char* cache) {
    const auto logits = logits_with(cache);
    double most = 0;
    for (size_t i = 0; i < logits.size(); ++i)
      most = std::max(most, std::abs(double{logits[i]} - double{exact[i]}));
    return most / size;
  };
  const double bf16 = off("bf16");
  EXPECT_EQ(off("auto"), 0);
  EXPECT_GT(bf16, 0);
  EXPECT_LT(bf16, 0x1p-8);  // no more than a number by itself
  EXPECT_LT(off("f16"), bf16 / 8 * 2);
  EXPECT_LT(off("q8_0"), bf16 * 3 * 2);
  EXPECT_GT(off("q8_0"), bf16 * 3 / 2);
}

TEST(Decoder, RefusesCodesOfHeadsThatAreNoWholeGroups) {
  const ModelConfig config{.layers = 1, .heads = 2, .width = 96, .context = 8, .vocab_size = 9};
  const Error error = test::thrown_by([&] { Model::create(config, 1, {.cache = "q8_0"}); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "48 channels"));
  EXPECT_TRUE(test::mentions(error, "multiple of 32"));
  EXPECT_TRUE(test::mentions(error, "f16"));
  const Error name = test::thrown_by([&] { Model::create(config, 1, {.cache = "q4_0"}); });
  EXPECT_EQ(name.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(name, "q4_0"));
  EXPECT_TRUE(test::mentions(name, "f32, f16, bf16, q8_0"));
}

TEST_F(DecoderTest, HiddenStatesOfAnyRowGiveItsLogits) {
  Decoder decoder(weights(), 16);
  const auto logits = append(decoder, decoder.open(), text);
  const int64_t C = model.config().width;
  const std::vector<int64_t> rows = {7, 0, 10};
  std::vector<float> hidden(rows.size() * static_cast<size_t>(C));
  decoder.hidden(rows, hidden);
  // The output layer is the token embedding of this model.
  const Weight& wte = weights().embedding(weights().table().wte());
  const float* embedding = static_cast<const float*>(wte.data);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (int64_t v = 0; v < V; ++v) {
      double sum = 0, magnitude = 0;
      for (int64_t c = 0; c < C; ++c) {
        const double term = double{hidden[r * C + c]} * double{embedding[v * C + c]};
        sum += term, magnitude += std::abs(term);
      }
      EXPECT_NEAR(logits[rows[r] * V + v], sum, magnitude * C * 0x1p-24);
    }
  }
}

TEST_F(DecoderTest, ForkedSequencesShareTheirPages) {
  Decoder decoder(weights(), 4 * kPagePositions);
  const int64_t first = decoder.open();
  append(decoder, first, text);
  EXPECT_EQ(decoder.free_pages(), 3);
  const int64_t second = decoder.fork(first, 11), third = decoder.fork(first, 4);
  EXPECT_EQ(decoder.free_pages(), 3);
  EXPECT_EQ(decoder.pages_for(second, 1), 1);  // a copy of the page that it would write into
  append(decoder, second, std::array<TokenId, 1>{8});
  EXPECT_EQ(decoder.free_pages(), 2);
  append(decoder, third, std::array<TokenId, 1>{8});
  EXPECT_EQ(decoder.free_pages(), 1);
  EXPECT_EQ(decoder.pages_for(first, 1), 0);  // its own again
  decoder.close(first);
  decoder.close(second);
  decoder.close(third);
  EXPECT_EQ(decoder.free_pages(), 4);
}

TEST_F(DecoderTest, RefusesWhatDoesNotFitAndChangesNothing) {
  Decoder decoder(weights(), kPagePositions);
  const int64_t sequence = decoder.open(), other = decoder.open();
  const auto refused = [&](const std::vector<Chunk>& chunks) {
    const ErrorCode code = test::thrown_by([&] { decoder.run(chunks); }).code();
    EXPECT_EQ(decoder.length(sequence), 0);
    EXPECT_EQ(decoder.free_pages(), 1);
    return code;
  };
  const std::vector<TokenId> too_long(17, 1), above = {1, 97}, below = {-1}, good = {1, 2};
  EXPECT_EQ(refused({{sequence, too_long}}), ErrorCode::kUsage);
  EXPECT_EQ(refused({{sequence, above}}), ErrorCode::kMismatch);
  EXPECT_EQ(refused({{sequence, below}}), ErrorCode::kMismatch);
  EXPECT_EQ(refused({{sequence, good}, {other, good}}), ErrorCode::kUsage);  // one page only
}

TEST_F(DecoderTest, RefusesACacheThatCannotBeNumbered) {
  for (const int64_t tokens : {int64_t{0}, int64_t{-1}, int64_t{-31}, INT64_MIN, INT64_MAX,
                               int64_t{1} << 35, int64_t{1'000'000'000'000}}) {
    EXPECT_EQ(test::thrown_by([&] { Decoder(weights(), tokens); }).code(), ErrorCode::kUsage)
        << tokens;
  }
}

// Whichever call to the device throws: three sequences that share a partly filled page hold what
// they held, in the same pages, and go on with the same bits.
TEST_F(DecoderTest, APassThatFailsAnywhereIsTakenBack) {
  test::FailingBackend device(Runtime({.threads = 1}));
  const Weights there(device, open_hf_model(test::fixture("model/two_layers"), {}), {});
  const std::span<const TokenId> all = text, begin = all.first(5);
  const std::vector<TokenId> added[] = {{8, 1, 2}, {90, 91}, {4}};
  int64_t calls = 0;
  for (bool is_over = false; !is_over; ++calls) {
    SCOPED_TRACE("after " + std::to_string(calls) + " calls");
    Decoder decoder(there, 4 * kPagePositions);
    const int64_t first = decoder.open();
    append(decoder, first, begin);
    const int64_t ids[] = {first, decoder.fork(first, 5), decoder.fork(first, 5)};
    std::vector<Chunk> chunks;
    for (size_t i = 0; i < 3; ++i) chunks.push_back({ids[i], added[i]});
    std::vector<float> logits(3 * static_cast<size_t>(V));
    device.fail_after(calls);
    try {
      decoder.run(chunks);
      is_over = true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
      for (const int64_t id : ids) EXPECT_EQ(decoder.length(id), 5);
      EXPECT_EQ(decoder.free_pages(), 3);
      const std::array<int64_t, 3> rows = {0, 1, 2};  // of the failed pass: there are none
      EXPECT_EQ(test::thrown_by([&] { decoder.logits(rows, logits); }).code(),
                ErrorCode::kInternal);
      decoder.run(chunks);
    }
    EXPECT_NE(device.disarm(), is_over);
    decoder.logits(std::array<int64_t, 3>{2, 4, 5}, logits);
    for (size_t i = 0; i < 3; ++i) {
      std::vector<TokenId> whole(begin.begin(), begin.end());
      whole.insert(whole.end(), added[i].begin(), added[i].end());
      EXPECT_EQ(last(model.logits(whole)),
                std::vector<float>(logits.begin() + static_cast<int64_t>(i) * V,
                                   logits.begin() + static_cast<int64_t>(i + 1) * V));
    }
    for (const int64_t id : ids) decoder.close(id);
    EXPECT_EQ(decoder.free_pages(), 4);
  }
  EXPECT_GT(calls, 2 * 7);  // at least the operations of two layers
}

// On a device that is late: a pass waits for nothing and allocates nothing, and one wait brings the
// logits. They are those of the CPU.
TEST_F(DecoderTest, WaitsForNothingButTheLogits) {
  test::LateBackend late(Runtime({.threads = 2}));
  const Weights there(late, open_hf_model(test::fixture("model/two_layers"), {}), {});
  Decoder decoder(there, kPagePositions);
  const int64_t sequence = decoder.open();
  std::vector<float> logits(V);
  for (size_t i = 0; i < text.size(); ++i) {
    const Chunk chunk{sequence, {&text[i], 1}};
    const int64_t waits = late.waits(), allocations = late.allocations();
    decoder.run({&chunk, 1});
    EXPECT_EQ(late.waits(), waits);
    decoder.logits(std::array<int64_t, 1>{0}, logits);
    EXPECT_EQ(late.waits(), waits + 1);
    if (i > 0) {
      EXPECT_EQ(late.allocations(), allocations);
    }
  }
  EXPECT_EQ(logits, last(model.logits(text)));
}

TEST_F(DecoderTest, LossesAreTheLogProbabilitiesOfTargetsBesideTheirLogits) {
  Decoder decoder(*model.impl().weights, 16);
  const Chunk chunk{decoder.open(), text};
  decoder.run({&chunk, 1});
  const std::array<int64_t, 3> rows = {4, 0, 5};
  const std::array<TokenId, 3> targets = {7, 96, 0};
  const auto vocab = static_cast<size_t>(model.config().vocab_size);
  std::vector<float> losses(rows.size()), logits(rows.size() * vocab), alone(logits.size());
  decoder.logits(rows, alone);
  decoder.losses(rows, targets, losses, logits);
  EXPECT_EQ(logits, alone);
  for (size_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (size_t v = 0; v < vocab; ++v) sum += std::exp(double{logits[i * vocab + v]});
    const double expected = std::log(sum) -
                            double{logits[i * vocab + static_cast<size_t>(targets[i])]};
    EXPECT_NEAR(losses[i], expected, 1e-5) << i;
  }
}

}  // namespace
}  // namespace inkstone
