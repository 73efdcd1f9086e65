// Runs that train an adapter, or only parts of a model: resuming, checkpoints, what stays as it is.
#include <cmath>
#include <nlohmann/json.hpp>

#include "corpus.h"
#include "inkstone/model.h"
#include "inkstone/training_plan.h"
#include "model/adapter.h"
#include "model/model_impl.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

class AdapterRun : public ::testing::Test {
 protected:
  AdapterRun() {
    test::prepare_text(scratch / "data", test::rhyme(60));
    TrainOptions o = test::tiny_run(scratch / "data", scratch / "base");
    o.steps = 60, o.patience = 0;
    base_loss = *train(o).val_loss;
  }

  TrainOptions options(const std::string& run) const {
    TrainOptions o = test::tiny_run(scratch / "data", scratch / run);
    o.init = scratch / "base";
    o.lora = {.rank = 4, .alpha = 8};
    o.lr = 1e-2, o.min_lr = 1e-3;
    return o;
  }

  static TrainObserver stop_at(int64_t step) {
    auto count = std::make_shared<int64_t>(0);
    TrainObserver observer;
    observer.stop_requested = [=] { return ++*count >= step; };
    return observer;
  }
  static std::string file(const fs::path& run, const char* name) {
    return read_file(run / "last" / name);
  }
  static void expect_same_end(const fs::path& a, const fs::path& b) {
    for (const char* name :
         {"adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors"})
      EXPECT_TRUE(file(a, name) == file(b, name)) << name;
  }

  const test::ScratchFolder scratch;
  double base_loss = 0;
};

TEST_F(AdapterRun, LearnsAndLeavesItsModelAsItIs) {
  const std::string before = read_file(scratch / "base/best/model.safetensors");
  std::vector<std::string> messages;
  TrainObserver observer;
  observer.on_message = [&](const Message& m) { messages.push_back(m.english()); };
  const TrainResult result = train(options("run"), observer);
  EXPECT_LT(*result.val_loss, base_loss);
  EXPECT_TRUE(read_file(scratch / "base/best/model.safetensors") == before);
  for (const char* name : {"model.safetensors", "config.json"})
    EXPECT_FALSE(fs::exists(scratch / "run/last" / name)) << name;
  EXPECT_TRUE(fs::exists(scratch / "run/best/adapter_model.safetensors"));
  // 2 layers of width 32, inner 128: A and B of c_attn, c_proj, c_fc, c_proj at rank 4.
  const int64_t trained = 2 * 4 * (32 + 96 + 32 + 32 + 32 + 128 + 128 + 32);
  EXPECT_TRUE(std::any_of(messages.begin(), messages.end(), [&](const std::string& m) {
    return m.starts_with(fmt::format("trained: {:.2f} M parameters", trained / 1e6));
  }));
}

// The run is a model wherever one is taken: its best checkpoint refers to its base.
TEST_F(AdapterRun, IsAModelThatLosesWhatItsRunSaid) {
  TrainOptions o = options("run");
  o.lora.magnitudes = true;
  const TrainResult result = train(o);
  const AdapterConfig config = read_adapter_config(o.run / "best");
  EXPECT_EQ(config.rank, 4);
  EXPECT_EQ(config.alpha, 8);
  EXPECT_TRUE(config.use_dora);
  EXPECT_EQ(config.base_model, fs::canonical(scratch / "base/best").string());
  // Of a full run with the merged model and no learning, the validation loss.
  TrainOptions again = test::tiny_run(scratch / "data", scratch / "again");
  again.init = o.run;
  again.lr = 1e-12, again.min_lr = 0, again.steps = 1, again.warmup = 0;
  EXPECT_NEAR(*train(again).val_loss, *result.best_val_loss, 1e-5);
}

TEST_F(AdapterRun, StoppedAndResumedIsTheSameToTheByte) {
  for (const bool magnitudes : {false, true}) {
    TrainOptions whole = options(magnitudes ? "whole-m" : "whole");
    whole.dropout = 0.1, whole.lora.dropout = 0.1, whole.accumulate = 2;
    whole.lora.magnitudes = magnitudes;
    whole.steps = 20;
    train(whole);
    for (const int64_t step : {1, 7, 10}) {
      TrainOptions part = whole;
      part.run = scratch / fmt::format("part-{}-{}", magnitudes, step);
      SCOPED_TRACE(part.run.string());
      EXPECT_EQ(train(part, stop_at(step)).step, step);
      EXPECT_EQ(resume({.run = part.run, .threads = 3}).end, TrainResult::End::kDone);
      expect_same_end(part.run, whole.run);
    }
  }
}

TEST_F(AdapterRun, IsVerifiedToResumeExactly) {
  TrainOptions o = options("run");
  o.dropout = 0.1;
  const ResumeCheck check = verify_resume(o, scratch / "verify", 6);
  EXPECT_EQ(check.steps, 6);
  EXPECT_TRUE(check.differing.empty());
}

TEST_F(AdapterRun, KeepsTheMomentsOfWhatIsTrainedAlone) {
  train(options("run"));
  const std::string moments = file(scratch / "run", "optimizer.safetensors");
  EXPECT_NE(moments.find("exp_avg.h.0.attn.c_attn.lora_A"), std::string::npos);
  EXPECT_EQ(moments.find("c_attn.weight"), std::string::npos);
  // Two moments of 2 x 2048 float32 numbers, and the names.
  EXPECT_LT(moments.size(), 2 * 4096 * 4 + 6000);
}

TEST_F(AdapterRun, RefusesAnotherBaseThanItsOwn) {
  TrainOptions o = options("run");
  train(o, stop_at(5));
  const fs::path weights = fs::canonical(scratch / "base/best") / "model.safetensors";
  std::string bytes = read_file(weights);
  bytes.back() ^= 1;
  write_file(weights, bytes);
  const Error error = test::thrown_by([&] { resume({.run = o.run}); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "has changed since"));
}

TEST_F(AdapterRun, RefusesABaseThatIsAnAdapter) {
  train(options("first"));
  TrainOptions o = options("second");
  o.init = scratch / "first";
  const Error error = test::thrown_by([&] { train(o); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(test::mentions(error, "inkstone merge"));
  EXPECT_FALSE(fs::exists(o.run));
}

TEST_F(AdapterRun, RefusesWhatMakesNoSense) {
  const auto refusal = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions o = options("bad");
    change(o);
    return test::thrown_by([&] { train(o); });
  };
  EXPECT_TRUE(test::mentions(refusal([](TrainOptions& o) { o.init.clear(); }), "needs a model"));
  EXPECT_TRUE(test::mentions(refusal([](TrainOptions& o) { o.freeze = "h.0"; }), "--lora-targets"));
  EXPECT_TRUE(test::mentions(refusal([](TrainOptions& o) { o.optimizer = OptimizerKind::kMuon; }),
                             "AdamW trains"));
  EXPECT_TRUE(
      test::mentions(refusal([](TrainOptions& o) { o.lora.targets = "q_proj"; }), "'q_proj'"));
  EXPECT_TRUE(test::mentions(refusal([](TrainOptions& o) { o.lora.dropout = 1; }), "lora-dropout"));
  EXPECT_FALSE(fs::exists(scratch / "bad"));
}

// The model and its adapter, merged for as long as it writes.
TEST_F(AdapterRun, SamplesWithTheAdapter) {
  TrainOptions o = options("run");
  o.sample_every = 20, o.steps = 20;
  std::vector<float> sampled;
  const std::vector<TokenId> tokens = {1, 2, 3};
  TrainObserver observer;
  observer.make_sample = [&](const Model& model, const Tokenizer&, const std::string&) {
    sampled = model.logits(tokens);
    return std::string();
  };
  train(o, observer);
  EXPECT_EQ(sampled, Model::load(o.run / "last").logits(tokens));
  EXPECT_NE(sampled, Model::load(scratch / "base").logits(tokens));
}

TEST_F(AdapterRun, FrozenPartsKeepTheirBytes) {
  for (const OptimizerKind optimizer : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    TrainOptions o = options("run-" + std::string(optimizer_name(optimizer)));
    o.lora = {};
    o.freeze = "wte,wpe,h.0,h.1.mlp.c_fc";
    o.optimizer = optimizer;
    o.steps = 20;
    train(o, stop_at(9));
    resume({.run = o.run});
    const Model before = load_trainable(scratch / "base"), after = load_trainable(o.run / "last");
    const Network &a = *before.impl().network, &b = *after.impl().network;
    for (int row = 0; row < a.table().count(); ++row) {
      const std::string& name = a.table()[row].name;
      const View x = a.master(row), y = b.master(row);
      const bool same = std::equal(x.as<float>(), x.as<float>() + x.count(), y.as<float>());
      const bool frozen = name.starts_with("w") || name.starts_with("h.0.") ||
                          name.starts_with("h.1.mlp.c_fc.");
      EXPECT_EQ(same, frozen) << name;
    }
  }
}

TEST_F(AdapterRun, OlderRunsWithoutACheckpointAreToldThatTheirWeightsDiffer) {
  for (const bool by_name : {false, true}) {
    TrainOptions o = test::tiny_run(scratch / "data", scratch / fmt::format("old-{}", by_name));
    o.steps = 10;
    fs::create_directories(o.run);
    write_run_description({o, "", by_name});
    std::string said;
    TrainObserver observer;
    observer.on_message = [&](const Message& m) { said += m.english() + "\n"; };
    resume({.run = o.run}, observer);
    EXPECT_EQ(said.find("other initial weights") == std::string::npos, by_name);
  }
  EXPECT_FALSE(run_description_from_json({{"options", to_json(RunDescription())["options"]}})
                   .weights_by_name);
}

}  // namespace
}  // namespace inkstone
