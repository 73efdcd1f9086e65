// A run on a device that is late (kernels/late_backend.h): it waits and allocates only where
// somebody looks, and ends in the bytes of the CPU's run.
#include <gtest/gtest.h>

#include "corpus.h"
#include "kernels/late_backend.h"
#include "model/model_impl.h"
#include "train/session.h"
#include "train/starting_model.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

// What a step needed.
struct Counts {
  int64_t waits = 0, allocations = 0;
};

class Waits : public ::testing::Test {
 protected:
  Waits() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  TrainOptions options(const std::string& run) {
    TrainOptions o = test::tiny_run(scratch / "data", scratch / run);
    o.steps = 33, o.log_every = 10, o.eval_every = 0, o.save_every = 1000, o.dropout = 0.1;
    return o;
  }

  // Trains on the late device; the counts of every step, the first at [0].
  static std::vector<Counts> train_late(TrainOptions o) {
    TrainerState state;
    state.planned_steps = o.steps;
    DataSets data(o);
    Model model = starting_model(o, data, {});
    auto late = std::make_unique<test::LateBackend>(o.runtime);
    const test::LateBackend& device = *late;
    Model::Impl& impl = model.impl();
    impl.weights.reset();
    impl.network = std::make_unique<Network>(*late, o.model, to_dtype(o.compute));
    impl.network->initialise(o.seed);
    impl.weights = std::make_unique<Weights>(*impl.network);
    impl.backend = std::move(late);
    state.options = o;
    fs::create_directories(o.run);
    std::vector<Counts> counts;
    Counts before;
    TrainObserver observer;
    observer.stop_requested = [&] {  // asked after every step
      const Counts now{device.waits(), device.allocations()};
      counts.push_back({now.waits - before.waits, now.allocations - before.allocations});
      before = now;
      return false;
    };
    Session(std::move(state), std::move(model), std::move(data), observer).run();
    return counts;
  }

  void check(const TrainOptions& given) {
    TrainOptions late = given, here = given;
    late.run = scratch / "late", here.run = scratch / "here";
    const std::vector<Counts> counts = train_late(late);
    ASSERT_EQ(static_cast<int64_t>(counts.size()), late.steps);
    for (int64_t step = 2; step < late.steps; ++step) {  // the first one warms up
      EXPECT_EQ(counts[step - 1].waits, step % late.log_every == 0 ? 1 : 0) << "step " << step;
      EXPECT_EQ(counts[step - 1].allocations, 0) << "step " << step;
    }
    train(here);
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
      EXPECT_TRUE(read_file(late.run / "last" / file) == read_file(here.run / "last" / file))
          << file;
  }

  const test::ScratchFolder scratch;
};

TEST_F(Waits, AStepThatNobodyLooksAtHasNone) { check(options("run")); }

TEST_F(Waits, NorHasOneOfSeveralMicroBatches) {
  TrainOptions o = options("run");
  o.accumulate = 3;
  check(o);
}

TEST_F(Waits, NorHasOneOfMuon) {
  TrainOptions o = options("run");
  o.optimizer = OptimizerKind::kMuon;
  o.accumulate = 2;
  check(o);
}

TEST_F(Waits, NorHasOneInMixedPrecision) {
  TrainOptions o = options("run");
  o.compute = ComputeType::kBF16;
  check(o);
}

}  // namespace
}  // namespace inkstone
