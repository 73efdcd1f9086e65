#include "cli/train_plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/terminal/columns.h"
#include "inkstone/training_plan.h"

namespace inkstone::cli {
namespace {

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

double tokens_per_s(const TrainingPlan& plan) {
  return plan.step_s > 0 ? static_cast<double>(plan.tokens_per_step) / plan.step_s : 0;
}

Json plan_json(const TrainingPlan& plan) {
  Json memory = Json::object();
  for (const MemoryPart& part : plan.memory) memory[part.name.english()] = part.bytes;
  return {{"fits", plan.fits},
          {"memory", memory},
          {"memory_bytes", plan.memory_bytes},
          {"free_bytes", plan.free_bytes},
          {"batch", plan.options.batch},
          {"accumulate", plan.options.accumulate},
          {"steps", plan.options.steps},
          {"tokens_per_step", plan.tokens_per_step},
          {"step_s", plan.step_s},
          {"tokens_per_s", tokens_per_s(plan)},
          {"seconds", plan.seconds},
          {"epochs", plan.epochs}};
}

void print_memory(const TrainingPlan& plan) {
  std::vector<std::vector<std::string>> rows;
  for (const MemoryPart& part : plan.memory)
    rows.push_back({"  " + part.name.shown(), megabytes(part.bytes)});
  print(localized("memory: {} of the {} that are free here", megabytes(plan.memory_bytes),
                  megabytes(plan.free_bytes)) +
        "\n" + aligned_table(rows));
}

void print_advice(const TrainingPlan& plan) {
  if (!plan.fits) {
    print(localized("it does not fit: take a smaller model or --context, or --dtype bf16") + "\n");
  } else if (plan.batch_is_smaller) {
    print(localized("the batch does not fit at once; the same step in parts does: --batch {} "
                    "--accumulate {}",
                    plan.options.batch, plan.options.accumulate) +
          "\n");
  }
}

}  // namespace

int show_plan(const TrainOptions& options, bool json) {
  const TrainingPlan plan = plan_training(options);
  if (json) {
    print(plan_json(plan).dump() + "\n");
    return plan.fits ? kExitDone : kExitFailed;
  }
  print_memory(plan);
  print_advice(plan);
  if (plan.fits) {
    print(localized("speed: {:.0f} tokens/s, {:.3g} s for a step of {} tokens", tokens_per_s(plan),
                    plan.step_s, plan.tokens_per_step) +
          "\n");
  }
  const std::string steps = localized("{} steps, {:.2f} epochs", plan.options.steps, plan.epochs);
  print(plan.fits ? localized("time: {} for {}", duration_text(plan.seconds), steps) + "\n"
                  : steps + "\n");
  return plan.fits ? kExitDone : kExitFailed;
}

int show_resume_check(const TrainOptions& options, bool json,
                      const std::function<bool()>& stop_requested) {
  std::filesystem::path scratch = options.run;
  if (!scratch.has_filename()) scratch = scratch.parent_path();  // it was given as "run/"
  scratch += ".verify-resume";
  constexpr int64_t kSteps = 10;
  const ResumeCheck check = verify_resume(options, scratch, kSteps, stop_requested);
  if (check.interrupted) return kExitInterrupted;
  const bool same = check.differing.empty();
  if (json) {
    const Json object = {{"same", same}, {"steps", check.steps}, {"differing", check.differing}};
    print(object.dump() + "\n");
  } else if (same) {
    print(localized("{} steps at once, and stopped in the middle and resumed, end in the same "
                    "bytes",
                    check.steps) +
          "\n");
  } else {
    std::string names;
    for (const std::string& name : check.differing) names += (names.empty() ? "" : ", ") + name;
    print(localized("{} steps at once, and stopped in the middle and resumed, end differently: {}. "
                    "This is a fault of the program or of the machine's memory",
                    check.steps, names) +
          "\n");
  }
  return same ? kExitDone : kExitFailed;
}

}  // namespace inkstone::cli
