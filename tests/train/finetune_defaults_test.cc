// What fine-tuning takes where nothing is given.
#include <gtest/gtest.h>

#include <cmath>

#include "corpus.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class FinetuneDefaultsTest : public ::testing::Test {
 protected:
  TrainOptions options(const fs::path& init, int lines) {
    const fs::path data = scratch / std::to_string(lines);
    if (!fs::exists(data)) test::prepare_text(data, test::rhyme(lines), tokenizer_);
    TrainOptions o;
    o.data = {data};
    o.init = init;
    o.batch = 8;
    return o;
  }

  // A folder with the shape of a model that is no run's.
  fs::path foreign(int64_t width) {
    const fs::path model = scratch / ("foreign" + std::to_string(width));
    fs::create_directories(model);
    write_file(model / "config.json",
               R"({"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_positions": 16,)"
               R"( "vocab_size": 257, "n_embd": )" +
                   std::to_string(width) + "}");
    return model;
  }

  // How often 2 layers of width w, 16 places and 257 tokens count in GPT-2.
  static double parameters(double w) { return (257 + 16) * w + 2 * (12 * w * w + 13 * w) + 2 * w; }

  const Tokenizer tokenizer_ = test::character_tokenizer(test::rhyme(10));
  const test::ScratchFolder scratch;
};

TEST_F(FinetuneDefaultsTest, AShortTextHasSmallerBatchesAndStepsEnough) {
  const auto tokens = static_cast<double>(count_training_tokens(options({}, 200).data));
  TrainOptions o = options(foreign(32), 200);
  o.batch = finetune_batch(o);
  EXPECT_EQ(o.batch, 8) << tokens;
  EXPECT_EQ(finetune_steps(o), static_cast<int64_t>(3 * tokens / (8 * 16)));
  o.context = 8;  // the window that trains, not the model's
  EXPECT_EQ(finetune_steps(o), static_cast<int64_t>(3 * tokens / (8 * 8)));

  o = options(foreign(32), 20);
  o.batch = finetune_batch(o);
  EXPECT_GT(o.batch, 1);
  EXPECT_LT(o.batch, 8);
  EXPECT_GE(finetune_steps(o), 60);
  EXPECT_LT(finetune_steps(o), 90);

  o = options(foreign(32), 3);
  o.batch = finetune_batch(o);
  EXPECT_EQ(o.batch, 1);
  o.accumulate = 4;
  EXPECT_EQ(finetune_steps(o), 20);
}

TEST_F(FinetuneDefaultsTest, AModelOfOthersChangesLittleByItsSize) {
  for (const int64_t width : {32, 64}) {
    TrainOptions o = options(foreign(width), 200);
    o.steps = 500;
    const auto w = static_cast<double>(width);
    const double lr = 6e-4 * 768 / w, read = 100 * parameters(w);
    EXPECT_NEAR(finetune_lr(o) / (lr * std::pow(500 * 8 * 16 / read, 0.25)), 1, 1e-12) << width;
    o.steps = 1;
    o.batch = 1;
    EXPECT_NEAR(finetune_lr(o) / (lr / 20), 1, 1e-12) << "no less than a twentieth";
    o.steps = 1'000'000;
    EXPECT_NEAR(finetune_lr(o) / lr, 1, 1e-12) << "no more than it was trained at";
  }
}

TEST_F(FinetuneDefaultsTest, AModelOfARunChangesAsItWasTrained) {
  TrainOptions own = test::tiny_run(scratch / "200", scratch / "run");
  options({}, 200);  // makes the data
  own.steps = 10;
  train(own);
  for (const fs::path& model : {scratch / "run", scratch / "run" / "last",
                                scratch / "run" / "checkpoints" / "step-0000010"}) {
    TrainOptions o = options(model, 20);
    o.steps = 5;
    EXPECT_NEAR(finetune_lr(o) / (own.lr * std::pow(5 * 8 / (10.0 * 4), 0.25)), 1, 1e-12) << model;
  }
  fs::remove_all(scratch / "200");  // what it was trained on is not needed
  TrainOptions o = options(scratch / "run", 20);
  o.steps = 80;
  EXPECT_NEAR(finetune_lr(o) / own.lr, 1, 1e-12);
}

}  // namespace
}  // namespace inkstone
