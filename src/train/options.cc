// Training options: what they must fulfil together, and their JSON form in run.json and
// trainer_state.json.
#include "train/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "corpus/load/mixture.h"
#include "model/parameters.h"
#include "train/training_options.h"

namespace inkstone {
namespace {

void validate_weights(const TrainOptions& o) {
  if (o.weights.empty()) return;
  if (o.weights.size() != o.data.size()) {
    fail(ErrorCode::kUsage, "--weights has {} numbers, expected one for each --data: {}",
         o.weights.size(), o.data.size());
  }
  constexpr double kMost = 1e9;
  double sum = 0;
  for (const double weight : o.weights) {
    if (!(weight > 0 && weight <= kMost)) {
      fail(ErrorCode::kUsage, "--weights has {}, expected numbers above 0 and at most {}", weight,
           kMost);
    }
    sum += weight;
  }
  for (const double weight : o.weights) {
    if (weight >= Mixture::kLeastShare * sum) continue;
    fail(ErrorCode::kUsage,
         "--weights has {}, less than a millionth of their sum {}: leave that data set out", weight,
         sum);
  }
}

// a * b, or nullopt above `most`; both at least 1.
std::optional<int64_t> product(int64_t a, int64_t b, int64_t most) {
  if (a > most / b) return std::nullopt;
  return a * b;
}

}  // namespace

int64_t tokens_per_step(const TrainOptions& o, int64_t window) {
  constexpr int64_t kMostOfPass = int64_t{1} << 31, kMostOfStep = int64_t{1} << 40;
  const auto of_pass = product(o.batch, window, kMostOfPass);
  const auto of_step = of_pass ? product(*of_pass, o.accumulate, kMostOfStep) : std::nullopt;
  if (!of_step) {
    fail(
        ErrorCode::kUsage,
        "--batch {} x a context of {} x --accumulate {} is too much: expected at most {} tokens at "
        "once and {} in a step",
        o.batch, window, o.accumulate, kMostOfPass, kMostOfStep);
  }
  if (!product(o.steps, o.batch * o.accumulate, int64_t{1} << 62)) {
    fail(ErrorCode::kUsage,
         "--steps {} x --batch {} x --accumulate {} is too much: expected at most 2^62 windows in "
         "all",
         o.steps, o.batch, o.accumulate);
  }
  return *of_step;
}

namespace {

// What an adapter rules out.
void check_adapter(const TrainOptions& o) {
  if (o.init.empty())
    fail(ErrorCode::kUsage, "--lora {} needs a model to train an adapter for", o.lora.rank);
  if (!o.freeze.empty()) {
    fail(ErrorCode::kUsage,
         "--freeze '{}' beside --lora: the whole model is frozen then; choose the matrices that "
         "get an adapter with --lora-targets",
         o.freeze);
  }
  if (o.optimizer == OptimizerKind::kMuon) {
    fail(ErrorCode::kUsage,
         "--optimizer muon beside --lora: Muon moves whole matrices, and of an adapter there are "
         "only the two factors of one, which AdamW trains; leave --optimizer out");
  }
  ParameterTable(ModelConfig(), o.lora);  // throws when a target is none; layers are all alike
}

// Objectives that do not go together.
void check_objectives(const TrainOptions& o) {
  if (o.fim_rate > 0 && (o.mask_rate.second > 0 || o.masked_fraction > 0)) {
    fail(ErrorCode::kUsage,
         "--fim-rate beside --mask-rate or --masked-fraction: the marks of a text that is to be "
         "filled in would be masked and predicted; leave one of them out");
  }
  if (o.prompt_loss_weight > 0 && o.prefix_lm) {
    fail(ErrorCode::kUsage,
         "--prompt-loss-weight beside --prefix-lm: a prompt that is seen whole has no loss; leave "
         "one of them out");
  }
}

// What depends on several options at once.
void check_together(const TrainOptions& o) {
  validate_weights(o);
  if (o.min_lr > o.lr) {
    fail(ErrorCode::kUsage, "--min-lr is {}, expected 0 to --lr, which is {}", o.min_lr, o.lr);
  }
  tokens_per_step(o, std::max<int64_t>(1, o.context));
  if (o.warmup > o.steps) {
    fail(ErrorCode::kUsage, "--warmup is {}, more than --steps {}", o.warmup, o.steps);
  }
  if (o.patience > 0 && o.eval_every == 0) {
    fail(ErrorCode::kUsage, "--patience {} needs evaluations: --eval-every is 0", o.patience);
  }
  if (o.lora.rank > 0) check_adapter(o);
  check_objectives(o);
}

}  // namespace

void validate(const TrainOptions& o) {
  if (o.data.empty() || o.data.front().empty()) {
    fail(ErrorCode::kUsage, "no data folder given (--data DIR, which `inkstone prepare` writes)");
  }
  if (o.run.empty()) fail(ErrorCode::kUsage, "no run folder given (-o RUN)");
  TrainOptions copy = o;
  validate(training_options().bind(copy), "--");
  check_together(o);
}

Json to_json(const ModelConfig& c) {
  return {{"layers", c.layers},
          {"heads", c.heads},
          {"width", c.width},
          {"context", c.context},
          {"vocab_size", c.vocab_size},
          {"layer_norm_epsilon", c.layer_norm_epsilon},
          {"initializer_range", c.initializer_range},
          {"scale_attention_by_inverse_layer", c.scale_attention_by_inverse_layer},
          {"inner", c.inner},
          {"activation", std::string(activation_name(c.activation))},
          {"tied_output", c.tied_output},
          {"biases", c.biases}};
}

namespace {

// Whether `path` has the components of `folder` at its beginning.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto [at, in_path] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return at == folder.end();
}

std::filesystem::path path_for_run(const std::filesystem::path& path,
                                   const std::filesystem::path& run) {
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  if (run.empty()) return whole;
  auto folder = std::filesystem::absolute(run).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // it was given as "run/"
  return lies_in(whole, folder) ? whole.lexically_relative(folder) : whole;
}

}  // namespace

Json to_json(const TrainOptions& o) {
  Json folders = Json::array();
  for (const auto& folder : o.data) folders.push_back(path_for_run(folder, o.run).string());
  Json json = {{"data", folders},
               {"init", o.init.string()},
               {"model", to_json(o.model)},
               {"device", o.runtime.device()}};
  if (!o.init_adapter.empty()) json["init_adapter"] = o.init_adapter.string();
  TrainOptions copy = o;
  json.update(to_json(training_options().bind(copy)));
  return json;
}

namespace {

ModelConfig model_from_json(const Json& json) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const auto integer = [&](const char* key) {
    return required(get_integer(json, key, 0, kMost), key);
  };
  const auto number = [&](const char* key) { return required(get_number(json, key, 0, 1e9), key); };
  ModelConfig c;
  c.layers = integer("layers");
  c.heads = integer("heads");
  c.width = integer("width");
  c.context = integer("context");
  c.vocab_size = integer("vocab_size");
  c.layer_norm_epsilon = number("layer_norm_epsilon");
  c.initializer_range = number("initializer_range");
  c.scale_attention_by_inverse_layer = required(
      get_boolean(json, "scale_attention_by_inverse_layer"), "scale_attention_by_inverse_layer");
  // Those that follow an earlier version's run does not have.
  c.inner = get_integer(json, "inner", 0, kMost).value_or(c.inner);
  if (const auto name = get_string(json, "activation")) {
    const auto activation = activation_by_name(*name);
    if (!activation) fail(ErrorCode::kInvalidData, "'activation' is '{}', which is none", *name);
    c.activation = *activation;
  }
  c.tied_output = get_boolean(json, "tied_output").value_or(c.tied_output);
  c.biases = get_boolean(json, "biases").value_or(c.biases);
  return c;
}

std::string device_from_json(const Json& json) {
  const std::string device = required(get_string(json, "device"), "device");
  if (device == "cpu" || device == "cuda") return device;
  fail(ErrorCode::kInvalidData, "'device' is '{}', expected cpu or cuda", device);
}

// "data" is the list of folders, or the one folder of an earlier version's run.
std::vector<std::filesystem::path> data_folders_from_json(const Json& options) {
  const auto data = options.find("data");
  if (data == options.end()) fail_missing_key("data");
  const Json folders = data->is_array() ? *data : Json::array({*data});
  std::vector<std::filesystem::path> paths;
  for (const Json& folder : folders) {
    if (!folder.is_string() || folder.get<std::string>().empty())
      fail(ErrorCode::kInvalidData, "'data' is not a list of folders");
    paths.emplace_back(folder.get<std::string>());
  }
  return paths;
}

}  // namespace

TrainOptions train_options_from_json(const Json& json) {
  TrainOptions o;
  o.data = data_folders_from_json(json);
  o.init = required(get_string(json, "init"), "init");
  o.init_adapter = get_string(json, "init_adapter").value_or("");
  if (!json.contains("model")) fail_missing_key("model");
  o.model = model_from_json(json["model"]);
  o.runtime = Runtime({.device = device_from_json(json)});
  for (const char* key : {"steps", "batch", "lr", "seed"}) {  // that every version wrote
    if (!json.contains(key)) fail_missing_key(key);
  }
  // Qualified: the library of JSON has functions of this name, too.
  inkstone::from_json(training_options().bind(o), json);
  return o;
}

void place_in_run(TrainOptions& options, const std::filesystem::path& run) {
  options.run = run;
  for (auto& folder : options.data) {
    if (folder.is_relative()) folder = run / folder;
  }
}

}  // namespace inkstone
