#include "cli/sweep_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/rng.h"
#include "base/utf8.h"

namespace inkstone::cli {
namespace {

constexpr size_t kMostPoints = 10'000, kMostRuns = 10'000, kMostSeeds = 1'000, kMostAxes = 32;
constexpr int64_t kMostSteps = int64_t{1} << 40;

constexpr std::pair<SweepMethod, const char*> kMethods[] = {{SweepMethod::kGrid, "grid"},
                                                            {SweepMethod::kRandom, "random"},
                                                            {SweepMethod::kHalving, "halving"}};

bool is_positional(std::string_view option) { return option == "TEXT" || option == "MODEL"; }

// --- reading ---

void require_object(const Json& json, std::string_view where) {
  if (!json.is_object())
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected a mapping", where, json_kind(json));
}

void require_known(const Json& object, std::string_view where,
                   std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::count(known, key) > 0) continue;
    fail(ErrorCode::kInvalidData, "'{}' of {} is not known, expected one of {}", shown_text(key),
         where, fmt::join(known, ", "));
  }
}

std::string text_of(const Json& json, std::string_view where) {
  if (!json.is_string())
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected one value", shown_text(where),
         json_kind(json));
  return json.get<std::string>();
}

template <typename Number>
Number number_from(const Json& json, std::string_view where, Number low, Number high) {
  const std::string text = text_of(json, where);
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end || !(number >= low && number <= high)) {
    fail(ErrorCode::kInvalidData, "'{}' is '{}', expected a number from {} to {}", where,
         shown_text(text), low, high);
  }
  return number;
}

// An option's name as the command line takes it behind "--".
std::string option_name(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (is_positional(name) || (!name.empty() && name[0] != '-' && std::ranges::all_of(name, plain)))
    return name;
  fail(ErrorCode::kInvalidData,
       "'{}' is no option: expected a name as 'weight-decay', without the --, or TEXT or MODEL",
       shown_text(name));
}

// One or several values of an option, which is then repeated.
void add_settings(const std::string& name, const Json& value, Settings& settings) {
  const std::string option = option_name(name);
  for (const Json& one : value.is_array() ? value : Json::array({value}))
    settings.push_back({option, text_of(one, name)});
}

Settings settings_from(const Json& object, std::string_view where) {
  require_object(object, where);
  Settings settings;
  for (const auto& [name, value] : object.items()) add_settings(name, value, settings);
  return settings;
}

void read_range(const Json& json, Axis& axis) {
  constexpr double kHuge = 1e12;
  require_known(json, axis.name, {"from", "to", "scale"});
  if (!json.contains("from") || !json.contains("to"))
    fail(ErrorCode::kInvalidData, "the range '{}' lacks 'from' or 'to'", axis.name);
  axis.low = number_from(json["from"], "from", -kHuge, kHuge);
  axis.high = number_from(json["to"], "to", -kHuge, kHuge);
  const std::string scale = json.contains("scale") ? text_of(json["scale"], "scale") : "linear";
  if (scale != "linear" && scale != "log")
    fail(ErrorCode::kInvalidData, "'scale' is '{}', expected linear or log", shown_text(scale));
  axis.logarithmic = scale == "log";
  const auto is_whole = [&](const char* key) {
    return json[key].get<std::string>().find_first_not_of("-0123456789") == std::string::npos;
  };
  axis.whole = is_whole("from") && is_whole("to");
  if (axis.low >= axis.high || (axis.logarithmic && axis.low <= 0)) {
    fail(ErrorCode::kInvalidData, "the range '{}' is from {} to {}, expected {}", axis.name,
         axis.low, axis.high,
         axis.logarithmic ? message("numbers above 0, the larger last")
                          : message("the larger last"));
  }
}

Axis axis_from(const std::string& name, const Json& json) {
  Axis axis;
  axis.name = name;
  if (json.is_object()) {
    option_name(name);
    read_range(json, axis);
    return axis;
  }
  if (!json.is_array() || json.empty()) {
    fail(ErrorCode::kInvalidData,
         "the axis '{}' is {}, expected a list of values, or a range {{from: ..., to: ...}}",
         shown_text(name), json_kind(json));
  }
  for (const Json& value : json) {
    Settings settings;
    if (value.is_object()) {
      settings = settings_from(value, name);
    } else {
      settings.push_back({option_name(name), text_of(value, name)});
    }
    if (settings.empty()) fail(ErrorCode::kInvalidData, "a value of '{}' is empty", name);
    axis.values.push_back(std::move(settings));
  }
  return axis;
}

std::vector<uint64_t> seeds_from(const Json& json) {
  constexpr uint64_t kMost = uint64_t{1} << 53;
  std::vector<uint64_t> seeds;
  if (json.is_array()) {
    for (const Json& seed : json) seeds.push_back(number_from<uint64_t>(seed, "seeds", 0, kMost));
  } else {
    const auto count = number_from<uint64_t>(json, "seeds", 1, kMostSeeds);
    for (uint64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  }
  const std::set<uint64_t> different(seeds.begin(), seeds.end());
  if (seeds.empty() || seeds.size() > kMostSeeds || different.size() != seeds.size()) {
    fail(ErrorCode::kInvalidData, "'seeds' has {} numbers, {} of them different: expected 1 to {}",
         seeds.size(), different.size(), kMostSeeds);
  }
  return seeds;
}

// From the first rung on, each `factor` times the one before, and at last the run's own end.
std::vector<int64_t> rungs_up_to(int64_t first, int64_t factor, int64_t steps) {
  std::vector<int64_t> rungs;
  for (int64_t rung = first; rung < steps; rung *= factor) rungs.push_back(rung);
  rungs.push_back(steps);
  return rungs;
}

void read_rungs(const Json& json, SweepSpec& spec) {
  const std::string given = spec.fixed_value("steps");
  if (given.empty()) {
    fail(ErrorCode::kInvalidData,
         "halving needs 'steps' among the options: the length of a run that is kept to the end");
  }
  const auto steps = number_from<int64_t>(Json(given), "steps", 1, kMostSteps);
  if (json.contains("factor")) spec.factor = number_from<int64_t>(json["factor"], "factor", 2, 100);
  if (!json.contains("rungs")) {
    fail(ErrorCode::kInvalidData,
         "halving needs 'rungs': the steps of the first, or of all but the last in a list");
  }
  if (!json["rungs"].is_array()) {
    const auto first = number_from<int64_t>(json["rungs"], "rungs", 1, kMostSteps);
    spec.rungs = rungs_up_to(first, spec.factor, steps);
  } else {
    for (const Json& rung : json["rungs"])
      spec.rungs.push_back(number_from<int64_t>(rung, "rungs", 1, kMostSteps));
    if (spec.rungs.empty() || spec.rungs.back() < steps) spec.rungs.push_back(steps);
  }
  const bool ascend = std::ranges::is_sorted(spec.rungs, std::less_equal<>());
  if (spec.rungs.size() < 2 || !ascend || spec.rungs.back() != steps) {
    fail(ErrorCode::kInvalidData,
         "the rungs are {}: expected two or more, ascending, below the {} "
         "steps of a whole run",
         fmt::format("{}", fmt::join(spec.rungs, ", ")), steps);
  }
}

// What is chosen at a rung is chosen by an evaluation there: the last step evaluates by itself.
void require_evaluations(SweepSpec& spec) {
  const std::string given = spec.fixed_value("eval-every");
  if (given.empty()) {
    int64_t every = 0;
    for (size_t i = 0; i + 1 < spec.rungs.size(); ++i) every = std::gcd(every, spec.rungs[i]);
    spec.fixed.push_back({"eval-every", std::to_string(every)});
    return;
  }
  const auto every = number_from<int64_t>(Json(given), "eval-every", 1, kMostSteps);
  for (size_t i = 0; i + 1 < spec.rungs.size(); ++i) {
    if (spec.rungs[i] % every == 0) continue;
    fail(
        ErrorCode::kInvalidData,
        "the rung of {} steps is no multiple of eval-every {}: there would be no loss to choose by",
        spec.rungs[i], every);
  }
}

SweepMethod method_from(const Json& json) {
  const std::string name = json.contains("method") ? text_of(json["method"], "method") : "grid";
  for (const auto& [method, known] : kMethods) {
    if (known == name) return method;
  }
  fail(ErrorCode::kInvalidData, "'method' is '{}', expected grid, random or halving",
       shown_text(name));
}

void require_each_once(const SweepSpec& spec) {
  const std::set<std::string> own = {"seed",    "output",  "o",    "resume",
                                     "stop-at", "json",    "help", "h",
                                     "lang",    "find-lr", "plan", "verify-resume"};
  std::set<std::string> seen;
  for (const Setting& setting : spec.fixed) seen.insert(setting.option);
  const auto take = [&](const std::string& option) {
    if (own.contains(option)) {
      fail(ErrorCode::kInvalidData, "'{}' is set by the sweep itself{}", option,
           option == "seed" ? message(": give 'seeds'") : message(": leave it out"));
    }
  };
  for (const Setting& setting : spec.fixed) take(setting.option);
  for (const Axis& axis : spec.axes) {
    std::set<std::string> of_axis;
    if (axis.is_range()) of_axis.insert(axis.name);
    for (const Settings& value : axis.values)
      for (const Setting& setting : value) of_axis.insert(setting.option);
    for (const std::string& option : of_axis) {
      take(option);
      if (!seen.insert(option).second)
        fail(ErrorCode::kInvalidData, "'{}' is given twice: in two axes, or in options too",
             option);
    }
  }
}

void require_whole(const SweepSpec& spec) {
  const bool has_range = std::ranges::any_of(spec.axes, &Axis::is_range);
  if (spec.method == SweepMethod::kRandom && spec.points == 0)
    fail(ErrorCode::kInvalidData, "random search needs 'points': how many are tried");
  if (spec.method == SweepMethod::kGrid && spec.points > 0) {
    fail(ErrorCode::kInvalidData,
         "'points' is of random search and halving: a grid has as many as its axes say");
  }
  if (has_range && spec.points == 0) {
    fail(ErrorCode::kInvalidData,
         "a range is drawn from: expected 'method: random' or 'halving' with 'points', or a list");
  }
}

// --- points ---

// As it is written in the command and in the folder's name: four digits are enough.
std::string range_value(const Axis& axis, double uniform) {
  const double low = axis.logarithmic ? std::log(axis.low) : axis.low;
  const double high = axis.logarithmic ? std::log(axis.high) : axis.high;
  // Whole numbers: each as likely as the others.
  const double end = axis.whole && !axis.logarithmic ? high + 1 : high;
  double value = low + uniform * (end - low);
  if (axis.logarithmic) value = std::exp(value);
  if (!axis.whole) return fmt::format("{:.4g}", value);
  if (axis.logarithmic) value += 0.5;
  return fmt::format("{:.0f}", std::clamp(std::floor(value), axis.low, axis.high));
}

// Of a file name: letters of any language stay.
std::string plain_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool odd = static_cast<unsigned char>(c) <= ' ' || c == 0x7F ||
                     std::string_view("/\\\"'`$&|;<>()*?[]{}!#~:").find(c) !=
                         std::string_view::npos;
    name += odd ? '_' : c;
  }
  return name;
}

Point point_of(Settings settings) {
  std::string name;
  for (const Setting& setting : settings) {
    name += fmt::format("{}{}={}", name.empty() ? "" : ",", setting.option,
                        plain_name(setting.value));
  }
  if (name.empty()) name = "run";
  return {.name = std::move(name), .settings = std::move(settings)};
}

void append(Settings& settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
}

std::vector<Point> grid_points(const SweepSpec& spec) {
  size_t count = 1;
  for (const Axis& axis : spec.axes) {
    if (count > kMostPoints / axis.values.size()) {
      fail(ErrorCode::kInvalidData, "the grid has more than {} points: take 'method: random'",
           kMostPoints);
    }
    count *= axis.values.size();
  }
  std::vector<Point> points;
  for (size_t i = 0; i < count; ++i) {
    Settings settings;
    size_t rest = i, block = count;
    for (const Axis& axis : spec.axes) {
      block /= axis.values.size();
      append(settings, axis.values[rest / block]);
      rest %= block;
    }
    points.push_back(point_of(std::move(settings)));
  }
  return points;
}

// Draw number `draw`. Its numbers are a function of the seed, of it and of the axis.
Point random_point(const SweepSpec& spec, uint64_t draw) {
  Settings settings;
  for (size_t k = 0; k < spec.axes.size(); ++k) {
    const Axis& axis = spec.axes[k];
    const auto bits = philox4x32(spec.seed, draw, k);
    const double uniform = bits[0] * 0x1p-32;
    if (axis.is_range()) {
      settings.push_back({axis.name, range_value(axis, uniform)});
    } else {
      const auto count = static_cast<double>(axis.values.size());
      append(settings, axis.values[static_cast<size_t>(uniform * count)]);
    }
  }
  return point_of(std::move(settings));
}

// Where the axes have few values, points come up again; after so many draws that gave nothing new
// there are no others.
std::vector<Point> random_points(const SweepSpec& spec) {
  constexpr int kMostInVain = 1000;
  const auto wanted = static_cast<size_t>(spec.points);
  std::vector<Point> points;
  std::set<std::string> names;
  int in_vain = 0;
  for (uint64_t draw = 0; points.size() < wanted && in_vain < kMostInVain; ++draw) {
    Point point = random_point(spec, draw);
    const bool is_new = names.insert(point.name).second;
    in_vain = is_new ? 0 : in_vain + 1;
    if (is_new) points.push_back(std::move(point));
  }
  return points;
}

// Names of values that look alike, or are too long for a file, get a number.
void make_names_differ(std::vector<Point>& points) {
  constexpr size_t kLongest = 180;
  std::set<std::string> names;
  for (size_t i = 0; i < points.size(); ++i) {
    std::string& name = points[i].name;
    const bool is_long = name.size() > kLongest;
    if (is_long) name = std::string(utf8_beginning(name, kLongest));
    if (is_long || names.contains(name)) name += fmt::format(",{}", i + 1);
    names.insert(name);
  }
}

void add_words(const Settings& settings, std::vector<std::string>& words) {
  for (const Setting& s : settings) {
    if (!is_positional(s.option)) words.push_back(fmt::format("--{}={}", s.option, s.value));
  }
}

void add_positionals(const Settings& settings, std::vector<std::string>& words) {
  for (const char* name : {"MODEL", "TEXT"}) {
    for (const Setting& s : settings) {
      if (s.option == name) words.push_back(s.value);
    }
  }
}

Json settings_json(const Settings& settings) {
  Json json = Json::object();
  for (const Setting& s : settings) {
    if (!json.contains(s.option)) json[s.option] = Json::array();
    json[s.option].push_back(s.value);
  }
  return json;
}

Json axis_json(const Axis& axis) {
  if (axis.is_range()) {
    const auto text = [&](double value) {
      return axis.whole ? fmt::format("{:.0f}", value) : fmt::format("{:#}", value);
    };
    return {{"from", text(axis.low)},
            {"to", text(axis.high)},
            {"scale", axis.logarithmic ? "log" : "linear"}};
  }
  Json values = Json::array();
  for (const Settings& value : axis.values) values.push_back(settings_json(value));
  return values;
}

}  // namespace

std::string SweepSpec::fixed_value(const std::string& option) const {
  const auto found = std::ranges::find(fixed, option, &Setting::option);
  return found == fixed.end() ? "" : found->value;
}

SweepSpec sweep_spec_from_json(const Json& json) {
  require_object(json, "the file");
  require_known(
      json, "the file",
      {"command", "options", "axes", "method", "points", "seed", "rungs", "factor", "seeds"});
  SweepSpec spec;
  spec.command = json.contains("command") ? text_of(json["command"], "command") : "train";
  if (spec.command != "train" && spec.command != "finetune") {
    fail(ErrorCode::kInvalidData, "'command' is '{}', expected train or finetune",
         shown_text(spec.command));
  }
  if (json.contains("options")) spec.fixed = settings_from(json["options"], "options");
  if (json.contains("axes")) {
    require_object(json["axes"], "axes");
    for (const auto& [name, axis] : json["axes"].items())
      spec.axes.push_back(axis_from(name, axis));
  }
  if (spec.axes.size() > kMostAxes)
    fail(ErrorCode::kInvalidData, "{} axes, expected at most {}", spec.axes.size(), kMostAxes);
  spec.method = method_from(json);
  if (json.contains("points"))
    spec.points = number_from<int64_t>(json["points"], "points", 1, kMostPoints);
  if (json.contains("seed"))
    spec.seed = number_from<uint64_t>(json["seed"], "seed", 0, uint64_t{1} << 53);
  if (json.contains("seeds")) spec.seeds = seeds_from(json["seeds"]);
  if (spec.method == SweepMethod::kHalving) {
    read_rungs(json, spec);
    require_evaluations(spec);
  } else if (json.contains("rungs") || json.contains("factor")) {
    fail(ErrorCode::kInvalidData, "'rungs' and 'factor' are of 'method: halving'");
  }
  require_each_once(spec);
  require_whole(spec);
  return spec;
}

Json to_json(const SweepSpec& spec) {
  Json json = {{"command", spec.command}, {"options", settings_json(spec.fixed)}};
  json["axes"] = Json::object();
  for (const Axis& axis : spec.axes) json["axes"][axis.name] = axis_json(axis);
  for (const auto& [method, name] : kMethods) {
    if (method == spec.method) json["method"] = name;
  }
  if (spec.points > 0) json["points"] = std::to_string(spec.points);
  json["seed"] = std::to_string(spec.seed);
  json["seeds"] = Json::array();
  for (const uint64_t seed : spec.seeds) json["seeds"].push_back(std::to_string(seed));
  if (spec.method != SweepMethod::kHalving) return json;
  json["factor"] = std::to_string(spec.factor);
  json["rungs"] = Json::array();
  for (const int64_t rung : spec.rungs) json["rungs"].push_back(std::to_string(rung));
  return json;
}

std::vector<Point> points_of(const SweepSpec& spec) {
  std::vector<Point> points = spec.points > 0 ? random_points(spec) : grid_points(spec);
  make_names_differ(points);
  return points;
}

std::vector<SweepRun> runs_of(const SweepSpec& spec) {
  std::vector<SweepRun> runs;
  const std::vector<Point> points = points_of(spec);
  if (points.size() * spec.seeds.size() > kMostRuns) {
    fail(ErrorCode::kInvalidData,
         "{} points with {} seeds each are {} runs, expected at most {}: take fewer of either",
         points.size(), spec.seeds.size(), points.size() * spec.seeds.size(), kMostRuns);
  }
  for (size_t i = 0; i < points.size(); ++i) {
    for (const uint64_t seed : spec.seeds) {
      SweepRun run = {.name = points[i].name, .point = i, .words = {spec.command}};
      if (spec.seeds.size() > 1) run.name += fmt::format(",seed={}", seed);
      Settings settings = spec.fixed;
      append(settings, points[i].settings);
      add_words(settings, run.words);
      run.words.push_back(fmt::format("--seed={}", seed));
      run.words.emplace_back("--");
      add_positionals(settings, run.words);
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

}  // namespace inkstone::cli
