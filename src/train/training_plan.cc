#include "inkstone/training_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/message.h"
#include "model/model_impl.h"
#include "train/checkpoint.h"
#include "train/memory_plan.h"
#include "train/options.h"
#include "train/session.h"
#include "train/starting_model.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kTriedSteps = 5;
// What a run takes beside its tensors: the program, its libraries and their working memory, the
// pages of the shards. Found at four shapes of 10 to 25 M parameters, where it was 71 to 76 MB.
constexpr int64_t kProgramBytes = 73'000'000;
// Of what is free: the system and the files that are read want some.
constexpr double kPartOfFree = 0.9;

// Micro-batches that make the same step, the largest first.
std::vector<int64_t> parts_of(int64_t batch) {
  std::vector<int64_t> parts;
  for (int64_t part = batch; part >= 1; --part)
    if (batch % part == 0) parts.push_back(part);
  return parts;
}

// Weights that the network has already are counted as free.
void choose_batch(const Network& network, int64_t window, TrainingPlan& plan) {
  const TrainOptions asked = plan.options;
  plan.fits = false;
  for (const int64_t batch : parts_of(asked.batch)) {
    plan.options.batch = batch;
    plan.options.accumulate = asked.accumulate * (asked.batch / batch);
    plan.memory = memory_parts(network, plan.options, window);
    plan.memory.push_back({marked("the program"), kProgramBytes});
    plan.memory_bytes = sum_of(plan.memory);
    plan.fits = static_cast<double>(plan.memory_bytes) <=
                kPartOfFree * static_cast<double>(plan.free_bytes);
    if (plan.fits) break;
  }
  plan.batch_is_smaller = plan.options.batch < asked.batch;
}

// Evaluations are forward passes, a third of a step's work for as many tokens.
double evaluation_s(const TrainOptions& o, const TrainingPlan& plan, int64_t val_tokens) {
  const int64_t evaluations = o.eval_every > 0 ? std::max<int64_t>(1, o.steps / o.eval_every) : 1;
  const int64_t most = o.eval_tokens > 0 ? o.eval_tokens : int64_t{1} << 20;
  const auto tokens = static_cast<double>(evaluations * std::min(most, val_tokens));
  return tokens / 3 * plan.step_s / static_cast<double>(plan.tokens_per_step);
}

// A file of a checkpoint as it can be compared: without what the clock says.
std::string comparable(const fs::path& file) {
  if (file.filename() != "trainer_state.json") return read_file(file);
  Json state = read_json(file);
  state.erase("elapsed_s");
  return state.dump();
}

// Removed with what is in it.
struct Scratch {
  explicit Scratch(fs::path path) : folder(std::move(path)) {
    if (fs::exists(folder))
      fail(ErrorCode::kUsage, "'{}' is there already: it would be removed", folder.string());
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path folder;
};

}  // namespace

TrainingPlan plan_training(const TrainOptions& options, std::optional<int64_t> free_bytes) {
  validate(options);
  TrainingPlan plan{.options = options, .memory = {}};
  plan.free_bytes = free_bytes.value_or(free_memory_bytes());
  DataSets data(options);
  Model model = starting_model(plan.options, data, {});
  const int64_t train_tokens = data.train_tokens(), val_tokens = data.val_tokens();
  const int64_t context = options.context > 0 ? options.context : plan.options.model.context;
  const int64_t window = std::min(context, data.train().front().count() - 1);
  choose_batch(*model.impl().network, window, plan);
  plan.tokens_per_step = tokens_per_step(plan.options, window);
  const auto tokens = static_cast<double>(options.steps) *
                      static_cast<double>(plan.tokens_per_step);
  plan.epochs = tokens / static_cast<double>(train_tokens);
  if (!plan.fits) return plan;
  TrainerState state;
  state.options = plan.options;
  const TrainObserver nobody;
  Session session(std::move(state), std::move(model), std::move(data), nobody);
  plan.step_s = session.try_steps(kTriedSteps);
  plan.seconds = static_cast<double>(options.steps) * plan.step_s +
                 evaluation_s(options, plan, val_tokens);
  return plan;
}

ResumeCheck verify_resume(const TrainOptions& options, const fs::path& folder, int64_t steps,
                          const std::function<bool()>& stop_requested) {
  validate(options);
  if (steps < 2 || steps % 2 != 0)
    fail(ErrorCode::kUsage, "{} steps are to be compared, expected an even number", steps);
  const Scratch scratch(folder);
  TrainOptions whole = options, parted = options;
  whole.run = folder / "whole";
  parted.run = folder / "parted";
  whole.steps = parted.steps = std::max(options.steps, steps);
  whole.seconds = parted.seconds = 0;  // the clock may take steps away
  const auto stopping_at = [&](int64_t step) {
    TrainObserver observer;
    observer.stop_at = step;
    observer.stop_requested = stop_requested;
    return observer;
  };
  ResumeCheck check{.steps = steps, .differing = {}};
  train(whole, stopping_at(steps));
  train(parted, stopping_at(steps / 2));
  resume({.run = parted.run, .threads = options.runtime.threads()}, stopping_at(steps));
  check.interrupted = stop_requested && stop_requested();
  if (check.interrupted) return check;
  const char* const weights = options.lora.rank > 0 ? "adapter_model.safetensors"
                                                    : "model.safetensors";
  for (const char* name : {weights, "optimizer.safetensors", "trainer_state.json"}) {
    if (comparable(whole.run / "last" / name) != comparable(parted.run / "last" / name))
      check.differing.emplace_back(name);
  }
  return check;
}

}  // namespace inkstone
