// Training options: ranges, and their JSON form in run.json and trainer_state.json.
#include "train/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "corpus/load/mixture.h"

namespace inkstone {
namespace {

void require_range(std::string_view name, double value, double low, double high,
                   const Message& expected) {
  if (!(value >= low && value <= high)) {
    fail(ErrorCode::kUsage, "--{} is {}, expected {}", name, value, expected);
  }
}

void require_count(std::string_view name, int64_t value, int64_t low) {
  constexpr int64_t kHigh = int64_t{1} << 40;
  if (value < low || value > kHigh) {
    fail(ErrorCode::kUsage, "--{} is {}, expected {} to {}", name, value, low, kHigh);
  }
}

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

constexpr std::pair<Schedule, std::string_view> kSchedules[] = {{Schedule::kCosine, "cosine"},
                                                                {Schedule::kLinear, "linear"},
                                                                {Schedule::kConstant, "constant"},
                                                                {Schedule::kWsd, "wsd"}};

constexpr std::pair<OptimizerKind, std::string_view> kOptimizers[] = {
    {OptimizerKind::kAdamW, "adamw"}, {OptimizerKind::kMuon, "muon"}};

constexpr std::pair<ComputeType, std::string_view> kComputeTypes[] = {{ComputeType::kF32, "f32"},
                                                                      {ComputeType::kBF16, "bf16"}};

template <typename T, size_t N>
std::string_view name_of(const std::pair<T, std::string_view> (&names)[N], T value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return "?";
}

// `what`: how the option is called where its name was read.
template <typename T, size_t N>
T parse_name(const std::pair<T, std::string_view> (&names)[N], ErrorCode code,
             std::string_view what, std::string_view text) {
  std::string expected;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    expected += fmt::format("{}{}", expected.empty() ? "" : ", ", name);
  }
  fail(code, "{} is '{}', expected one of {}", what, text, expected);
}

// a * b, or nullopt above `most`; both at least 1.
std::optional<int64_t> product(int64_t a, int64_t b, int64_t most) {
  if (a > most / b) return std::nullopt;
  return a * b;
}

}  // namespace

std::string_view schedule_name(Schedule schedule) { return name_of(kSchedules, schedule); }
Schedule parse_schedule(std::string_view name) {
  return parse_name(kSchedules, ErrorCode::kUsage, "--schedule", name);
}

std::string_view optimizer_name(OptimizerKind optimizer) { return name_of(kOptimizers, optimizer); }
OptimizerKind parse_optimizer(std::string_view name) {
  return parse_name(kOptimizers, ErrorCode::kUsage, "--optimizer", name);
}

std::string_view compute_name(ComputeType compute) { return name_of(kComputeTypes, compute); }
ComputeType parse_compute(std::string_view name) {
  return parse_name(kComputeTypes, ErrorCode::kUsage, "--dtype", name);
}

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

void validate(const TrainOptions& o) {
  constexpr double kHuge = 1e9;
  if (o.data.empty() || o.data.front().empty()) {
    fail(ErrorCode::kUsage, "no data folder given (--data DIR, which `inkstone prepare` writes)");
  }
  validate_weights(o);
  if (o.run.empty()) fail(ErrorCode::kUsage, "no run folder given (-o RUN)");
  require_count("steps", o.steps, 1);
  require_count("batch", o.batch, 1);
  require_count("accumulate", o.accumulate, 1);
  require_count("context", o.context, 0);
  require_count("warmup", o.warmup, 0);
  require_count("eval-every", o.eval_every, 0);
  require_count("eval-tokens", o.eval_tokens, 0);
  require_count("sample-every", o.sample_every, 0);
  require_count("save-every", o.save_every, 1);
  require_count("keep", o.keep, 1);
  require_count("patience", o.patience, 0);
  require_count("log-every", o.log_every, 1);
  if (!(o.lr > 0 && o.lr < kHuge))
    fail(ErrorCode::kUsage, "--lr is {}, expected a number above 0", o.lr);
  if (!(o.muon_lr > 0 && o.muon_lr < kHuge))
    fail(ErrorCode::kUsage, "--muon-lr is {}, expected a number above 0", o.muon_lr);
  require_range("min-lr", o.min_lr, 0, o.lr, message("0 to --lr, which is {}", o.lr));
  require_range("decay-fraction", o.decay_fraction, 0, 1, marked("0 to 1"));
  require_range("weight-decay", o.weight_decay, 0, kHuge, marked("0 or more"));
  require_range("beta1", o.beta1, 0, 1 - 1e-9, marked("0 to below 1"));
  require_range("beta2", o.beta2, 0, 1 - 1e-9, marked("0 to below 1"));
  require_range("epsilon", o.epsilon, 0, 1, marked("0 to 1"));
  require_range("clip", o.clip, 0, kHuge, marked("0 or more"));
  require_range("dropout", o.dropout, 0, 0.999, marked("0 to below 1"));
  require_range("mask-rate", o.mask_rate, 0, 0.999, marked("0 to below 1"));
  require_range("minutes", o.seconds / 60, 0, kHuge, marked("0 or more"));
  tokens_per_step(o, std::max<int64_t>(1, o.context));
  if (o.warmup > o.steps) {
    fail(ErrorCode::kUsage, "--warmup is {}, more than --steps {}", o.warmup, o.steps);
  }
  if (o.patience > 0 && o.eval_every == 0) {
    fail(ErrorCode::kUsage, "--patience {} needs evaluations: --eval-every is 0", o.patience);
  }
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
  return {{"data", folders},
          {"weights", o.weights},
          {"align_documents", o.align_documents},
          {"init", o.init.string()},
          {"model", to_json(o.model)},
          {"steps", o.steps},
          {"seconds", o.seconds},
          {"batch", o.batch},
          {"accumulate", o.accumulate},
          {"context", o.context},
          {"optimizer", std::string(optimizer_name(o.optimizer))},
          {"lr", o.lr},
          {"muon_lr", o.muon_lr},
          {"min_lr", o.min_lr},
          {"schedule", std::string(schedule_name(o.schedule))},
          {"warmup", o.warmup},
          {"decay_fraction", o.decay_fraction},
          {"weight_decay", o.weight_decay},
          {"beta1", o.beta1},
          {"beta2", o.beta2},
          {"epsilon", o.epsilon},
          {"clip", o.clip},
          {"dropout", o.dropout},
          {"mask_rate", o.mask_rate},
          {"dtype", std::string(compute_name(o.compute))},
          {"device", o.runtime.device()},
          {"seed", o.seed},
          {"eval_every", o.eval_every},
          {"eval_tokens", o.eval_tokens},
          {"sample_every", o.sample_every},
          {"sample_prompt", o.sample_prompt},
          {"save_every", o.save_every},
          {"keep", o.keep},
          {"patience", o.patience},
          {"log_every", o.log_every}};
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

std::vector<double> weights_from_json(const Json& json) {
  std::vector<double> weights;
  if (!json.contains("weights")) return weights;  // an earlier version's run
  if (!json["weights"].is_array()) fail(ErrorCode::kInvalidData, "'weights' is not a list");
  for (const Json& weight : json["weights"]) {
    if (!weight.is_number()) fail(ErrorCode::kInvalidData, "'weights' is not a list of numbers");
    weights.push_back(weight.get<double>());
  }
  return weights;
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
  constexpr int64_t kMost = int64_t{1} << 40;
  const auto integer = [&](const char* key) {
    return required(get_integer(json, key, 0, kMost), key);
  };
  const auto number = [&](const char* key) { return required(get_number(json, key, 0, 1e9), key); };
  const auto text = [&](const char* key) { return required(get_string(json, key), key); };
  TrainOptions o;
  o.data = data_folders_from_json(json);
  o.weights = weights_from_json(json);
  o.align_documents = get_boolean(json, "align_documents").value_or(false);
  o.init = text("init");
  if (!json.contains("model")) fail_missing_key("model");
  o.model = model_from_json(json["model"]);
  o.steps = integer("steps");
  o.seconds = get_number(json, "seconds", 0, 1e12).value_or(0);
  o.batch = integer("batch");
  o.accumulate = integer("accumulate");
  o.context = integer("context");
  if (json.contains("optimizer")) {
    o.optimizer = parse_name(kOptimizers, ErrorCode::kInvalidData, "'optimizer'",
                             text("optimizer"));
  }
  o.lr = number("lr");
  o.muon_lr = get_number(json, "muon_lr", 0, 1e9).value_or(o.muon_lr);
  o.min_lr = number("min_lr");
  o.schedule = parse_name(kSchedules, ErrorCode::kInvalidData, "'schedule'", text("schedule"));
  o.warmup = integer("warmup");
  o.decay_fraction = number("decay_fraction");
  o.weight_decay = number("weight_decay");
  o.beta1 = number("beta1");
  o.beta2 = number("beta2");
  o.epsilon = number("epsilon");
  o.clip = number("clip");
  o.dropout = number("dropout");
  o.mask_rate = number("mask_rate");
  o.compute = parse_name(kComputeTypes, ErrorCode::kInvalidData, "'dtype'", text("dtype"));
  o.runtime = Runtime({.device = device_from_json(json)});
  if (!json.contains("seed") || !json["seed"].is_number_unsigned()) {
    fail(ErrorCode::kInvalidData, "'seed' is missing or not a number of 0 or more");
  }
  o.seed = json["seed"].get<uint64_t>();
  o.eval_every = integer("eval_every");
  o.eval_tokens = integer("eval_tokens");
  o.sample_every = integer("sample_every");
  o.sample_prompt = text("sample_prompt");
  o.save_every = integer("save_every");
  o.keep = integer("keep");
  o.patience = integer("patience");
  o.log_every = integer("log_every");
  return o;
}

void place_in_run(TrainOptions& options, const std::filesystem::path& run) {
  options.run = run;
  for (auto& folder : options.data) {
    if (folder.is_relative()) folder = run / folder;
  }
}

}  // namespace inkstone
