#include "train/plan.h"

#include <algorithm>
#include <cmath>

#include "base/message.h"
#include "train/options.h"
#include "train/session.h"
#include "train/starting_model.h"

namespace inkstone {
namespace {

// Of the time, for steps; the rest is for evaluations, checkpoints, and steps that take longer.
constexpr double kForSteps = 0.92;
// Of the time, for one evaluation, of which there are so many.
constexpr double kForEvaluation = 0.004;
constexpr int64_t kEvaluations = 10, kCheckpoints = 20, kReports = 200;
// Of the evaluations, without a better one in between: the text is learnt by heart.
constexpr int64_t kPatience = 5;

// What a step of some options costs here, and what it is for.
struct Cost {
  double step_s = 0, tokens_per_step = 0, parameters = 0, training_tokens = 0;

  double steps_in(double seconds) const { return std::max(1.0, kForSteps * seconds / step_s); }
  double tokens_in(double seconds) const { return steps_in(seconds) * tokens_per_step; }
};

Cost cost_of(const TrainOptions& options) {
  constexpr int64_t kSteps = 12;
  TrainerState state;
  state.options = options;
  DataSets data(options);
  Model model = starting_model(state.options, data, {});
  const auto tokens = static_cast<double>(data.train_tokens());
  const TrainObserver nobody;
  Session session(std::move(state), std::move(model), std::move(data), nobody);
  const double step_s = session.try_steps(kSteps);
  return {.step_s = step_s,
          .tokens_per_step = static_cast<double>(session.tokens_per_step()),
          .parameters = static_cast<double>(session.state().options.model.parameter_count()),
          .training_tokens = tokens};
}

// A model needs so many tokens for each of its parameters before a smaller one is not the better
// use of the time.
bool sees_enough(const Cost& cost, double seconds) {
  constexpr double kTokensPerParameter = 2.5;
  return cost.tokens_in(seconds) >= kTokensPerParameter * cost.parameters;
}

// The more often a text is read, the sooner it is learnt by heart.
double dropout_for(const Cost& cost, double seconds) {
  const double epochs = cost.tokens_in(seconds) / cost.training_tokens;
  return epochs < 6 ? 0 : epochs < 20 ? 0.1 : 0.2;
}

int64_t count_of(double value) {
  return static_cast<int64_t>(std::clamp(value, 1.0, static_cast<double>(int64_t{1} << 40)));
}

void plan_steps(TrainOptions& o, const Cost& cost, double seconds) {
  const auto part = [&](int64_t parts) { return std::max<int64_t>(1, o.steps / parts); };
  o.seconds = seconds;
  o.steps = count_of(cost.steps_in(seconds));
  o.warmup = part(20);
  o.eval_every = part(kEvaluations);
  o.save_every = part(kCheckpoints);
  o.log_every = part(kReports);
  if (o.patience == 0) o.patience = kPatience;
  // Forward alone is a third of a step.
  o.eval_tokens = count_of(3 * kForEvaluation * seconds / cost.step_s * cost.tokens_per_step);
}

}  // namespace

TrainOptions fit_to_time(const TimeRequest& request, const TrainObserver& observer) {
  std::vector<Recipe> recipes = recipes_for(count_training_tokens(request.options(Recipe{}).data));
  if (!request.choose_model) recipes.resize(1);
  Recipe chosen = recipes.front();
  Cost cost;
  for (const Recipe& recipe : recipes) {
    const Cost found = cost_of(request.options(recipe));
    if (cost.step_s > 0 && !sees_enough(found, request.seconds)) break;
    chosen = recipe;
    cost = found;
  }
  chosen.dropout = dropout_for(cost, request.seconds);
  TrainOptions options = request.options(chosen);
  plan_steps(options, cost, request.seconds);
  validate(options);
  if (observer.on_message) {
    observer.on_message(
        message("in {:.3g} minutes this machine can read {:.2f} M tokens with a model of {:.2f} "
                "M parameters: {} steps",
                request.seconds / 60, cost.tokens_in(request.seconds) / 1e6, cost.parameters / 1e6,
                options.steps));
  }
  return options;
}

int64_t steps_by_the_clock(const TrainerState& s) {
  const double seconds = s.options.seconds;
  if (seconds == 0) return s.options.steps;
  const double steps_per_s = static_cast<double>(s.planned_steps) / (kForSteps * seconds);
  const double left = std::clamp((seconds - s.elapsed_s) * steps_per_s, 0.0,
                                 static_cast<double>(s.options.steps));
  return std::min(s.options.steps, s.step + static_cast<int64_t>(left));
}

}  // namespace inkstone
