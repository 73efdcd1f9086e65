// The public trainer step by step, and two ranks in two threads of this process.
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "corpus.h"
#include "formats/safetensors.h"
#include "inkstone/trainer.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

// Where the threads of a test meet: each rank lays its data down, the last one that comes works.
class Meeting {
 public:
  explicit Meeting(int ranks) : data_(ranks) {}

  // Every rank calls it; `work` is done once, with the data of all.
  template <typename Number, typename Work>
  void meet(int rank, std::span<Number> own, Work&& work) {
    std::unique_lock lock(mutex_);
    data_[rank] = own.data();
    const int64_t meeting = meetings_;
    if (++waiting_ == static_cast<int>(data_.size())) {
      work([&](int r) { return std::span(static_cast<Number*>(data_[r]), own.size()); });
      waiting_ = 0;
      ++meetings_;
      all_came_.notify_all();
    } else {
      all_came_.wait(lock, [&] { return meetings_ != meeting; });
    }
  }
  int size() const { return static_cast<int>(data_.size()); }
  int64_t meetings() const { return meetings_; }

 private:
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::vector<void*> data_;
  int waiting_ = 0;
  int64_t meetings_ = 0;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return meeting_.size(); }
  void all_reduce_sum(std::span<float> data) override { sum(data); }
  void all_reduce_sum(std::span<double> data) override { sum(data); }
  void broadcast(std::span<std::byte> data, int root) override {
    meeting_.meet(rank_, data, [&](auto&& of) {
      for (int r = 0; r < size(); ++r)
        if (r != root) std::memcpy(of(r).data(), of(root).data(), data.size());
    });
  }

 private:
  template <typename Number>
  void sum(std::span<Number> data) {
    meeting_.meet(rank_, data, [&](auto&& of) {
      for (size_t i = 0; i < data.size(); ++i) {
        Number total = 0;
        for (int r = 0; r < size(); ++r) total += of(r)[i];
        for (int r = 0; r < size(); ++r) of(r)[i] = total;
      }
    });
  }

  Meeting& meeting_;
  int rank_;
};

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() { test::prepare_text(scratch / "data", test::rhyme(60)); }

  TrainOptions options(const std::string& run) {
    TrainOptions o = test::tiny_run(scratch / "data", scratch / run);
    o.steps = 6, o.eval_every = 3, o.save_every = 6;
    return o;
  }

  // Trains with a rank in each of two threads; what the first one ended in.
  TrainResult train_in_two(TrainOptions o) {
    Meeting meeting(2);
    TrainResult first;
    std::thread second([&] {
      TrainOptions own = o;
      own.runtime = Runtime({.threads = 1});
      Trainer::begin(own, {}, std::make_shared<ThreadRank>(meeting, 1)).run();
    });
    o.runtime = Runtime({.threads = 1});
    first = Trainer::begin(o, {}, std::make_shared<ThreadRank>(meeting, 0)).run();
    second.join();
    EXPECT_GT(meeting.meetings(), 2 * o.steps);
    return first;
  }

  // All numbers of a model, one tensor after the other.
  static std::vector<float> numbers_of(const fs::path& model) {
    const SafetensorsFile file(model / "model.safetensors");
    std::vector<float> numbers;
    for (const auto& [name, tensor] : file.tensors()) {
      const auto bytes = tensor.bytes;
      const size_t old = numbers.size();
      numbers.resize(old + bytes.size() / sizeof(float));
      std::memcpy(numbers.data() + old, bytes.data(), bytes.size());
    }
    return numbers;
  }

  const test::ScratchFolder scratch;
};

double norm(std::span<const float> x) {
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

double distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i)
    squares += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(squares);
}

// With epsilon = 1 AdamW's first step is u = lr g / (|g| + 1), so |du| <= lr |dg|, and clipping
// keeps |g| <= 1, so |u| >= lr |g| / 2. Each gradient is within 5e-6 of the exact one (the bound
// against PyTorch), so two are within 1e-5 |g| and the updates within 2e-5 |u|; then each weight is
// rounded once on both sides.
TEST_F(RanksTest, TwoRanksDoWhatOneDoesWithTwiceTheBatch) {
  TrainOptions two = options("two"), one = options("one"), none = options("none");
  for (TrainOptions* o : {&two, &one, &none})
    o->steps = 1, o->warmup = 0, o->lr = 0.5, o->min_lr = 0.5, o->epsilon = 1, o->weight_decay = 0,
    o->mask_rate = {0.1, 0.1}, o->eval_every = 0;
  one.batch = 2 * two.batch;
  none.lr = none.min_lr = 1e-30;  // the weights as they begin
  train(none);
  const TrainResult whole = train(one), parts = train_in_two(two);
  const auto before = numbers_of(none.run / "last"), after_one = numbers_of(one.run / "last"),
             after_two = numbers_of(two.run / "last");
  const double update = distance(after_one, before);
  EXPECT_GT(update, 1e-3);
  EXPECT_LE(distance(after_one, after_two), 2e-5 * update + 0x1p-23 * norm(before));
  EXPECT_NEAR(parts.loss, whole.loss, 5e-6 * whole.loss);
  EXPECT_GT(distance(after_one, after_two), 0) << "sums in another order";
}

TEST_F(RanksTest, TheFirstRankWritesTheRunAndItIsResumedByOne) {
  TrainOptions o = options("two");
  o.accumulate = 2;
  const TrainResult result = train_in_two(o);
  EXPECT_EQ(result.step, 6);
  EXPECT_TRUE(result.val_loss);
  EXPECT_TRUE(fs::exists(o.run / "last" / "model.safetensors"));
  EXPECT_EQ(resume({.run = o.run, .steps = 8}).step, 8);
}

TEST_F(RanksTest, RanksThatDoNotTrainAlikeAreRefused) {
  Meeting meeting(2);
  TrainOptions a = options("a"), b = options("a");
  b.lr *= 2;
  std::thread first([&] { Trainer::begin(a, {}, std::make_shared<ThreadRank>(meeting, 0)); });
  const Error error = test::thrown_by(
      [&] { Trainer::begin(b, {}, std::make_shared<ThreadRank>(meeting, 1)); });
  first.join();
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(test::mentions(error, "rank 1 of 2"));
}

// Taken through its steps, evaluated and saved in between, a run ends in the same bytes.
TEST_F(RanksTest, StepByStepIsTheSameRun) {
  const TrainOptions whole = options("whole"), stepped = options("stepped");
  const TrainResult expected = train(whole);
  {
    Trainer trainer = Trainer::begin(stepped);
    EXPECT_FALSE(trainer.is_over());
    EXPECT_TRUE(trainer.step());
    EXPECT_EQ(trainer.steps_done(), 1);
    EXPECT_GT(trainer.evaluate(), 0);
    EXPECT_EQ(trainer.save().filename(), "step-0000001");
    EXPECT_EQ(trainer.save().filename(), "step-0000001") << "it is there already";
    EXPECT_EQ(test::thrown_by([&] { resume({.run = stepped.run}); }).code(), ErrorCode::kUsage)
        << "the folder is locked";
  }
  Trainer trainer = Trainer::go_on({.run = stepped.run});
  EXPECT_EQ(trainer.steps_done(), 1);
  while (trainer.step()) {
  }
  EXPECT_TRUE(trainer.is_over());
  EXPECT_FALSE(trainer.step());
  EXPECT_EQ(trainer.evaluate(), *expected.val_loss);
  EXPECT_EQ(trainer.result().end, TrainResult::End::kDone);
  EXPECT_EQ(trainer.result().loss, expected.loss);
  EXPECT_EQ(trainer.model().config().layers, whole.model.layers);
  EXPECT_EQ(read_file(whole.run / "last/model.safetensors"),
            read_file(stepped.run / "last/model.safetensors"));
  EXPECT_EQ(read_file(whole.run / "last/optimizer.safetensors"),
            read_file(stepped.run / "last/optimizer.safetensors"));
}

}  // namespace
}  // namespace inkstone
