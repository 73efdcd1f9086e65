// SPEC.yaml: what is read, what is refused, and the points and runs that follow.
#include "cli/sweep_spec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/yaml_reader.h"
#include "support.h"

namespace inkstone::cli {
namespace {

SweepSpec spec_of(const std::string& text) { return sweep_spec_from_json(json_from_yaml(text)); }

std::vector<std::string> names_of(const SweepSpec& spec) {
  std::vector<std::string> names;
  for (const Point& point : points_of(spec)) names.push_back(point.name);
  return names;
}

TEST(Yaml, ScalarsAreWords) {
  const Json json = json_from_yaml(
      "# a remark\na: 1e-3\nb: [yes, 'two words', ]\nc: {d: ~, e: }\n");
  EXPECT_EQ(json.dump(), R"({"a":"1e-3","b":["yes","two words"],"c":{"d":"~","e":""}})");
}

TEST(Yaml, RefusesWithThePlace) {
  const auto refusal = [](const std::string& text) {
    return std::string(test::thrown_by([&] { json_from_yaml(text); }).what());
  };
  EXPECT_NE(refusal("a: 1\na: 2\n").find("line 2, column 1: 'a' is there twice"),
            std::string::npos);
  EXPECT_NE(refusal("a: [1, 2\nb: 3\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("a: &x 1\nb: *x\n").find("anchors"), std::string::npos);
  EXPECT_NE(refusal("a: !!int 1\n").find("tags"), std::string::npos);
  EXPECT_NE(refusal("[a]: 1\n").find("expected a name"), std::string::npos);
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(refusal("").find("nothing in it"), std::string::npos);
  EXPECT_NE(refusal(std::string(100, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(refusal("a: \xff").find("line 1"), std::string::npos);
  EXPECT_NE(refusal(std::string((1 << 20) + 1, ' ')).find("bytes"), std::string::npos);
}

TEST(SweepSpec, AGridHasEveryCombinationFirstAxisSlowest) {
  const SweepSpec spec = spec_of(
      "options: {data: [d1, d2], steps: 10}\n"
      "axes:\n  lr: [1e-3, 0.002]\n  shape:\n    - {layers: 2, width: 64}\n    - {layers: 4, "
      "width: 128}\n"
      "seeds: [5, 6]\n");
  const std::vector<std::string> names = {"lr=1e-3,layers=2,width=64", "lr=1e-3,layers=4,width=128",
                                          "lr=0.002,layers=2,width=64",
                                          "lr=0.002,layers=4,width=128"};
  EXPECT_EQ(names_of(spec), names);
  const auto runs = runs_of(spec);
  ASSERT_EQ(runs.size(), 8u);
  EXPECT_EQ(runs[3].name, "lr=1e-3,layers=4,width=128,seed=6");
  EXPECT_EQ(runs[3].point, 1u);
  const std::vector<std::string> words = {"train",       "--data=d1", "--data=d2",
                                          "--steps=10",  "--lr=1e-3", "--layers=4",
                                          "--width=128", "--seed=6",  "--"};
  EXPECT_EQ(runs[3].words, words);
}

TEST(SweepSpec, TextsAndTheModelStandBehindTheOptions) {
  const SweepSpec spec = spec_of(
      "command: finetune\noptions: {TEXT: [a.txt, b.txt], steps: 5}\naxes: {MODEL: [x, y/z]}\n");
  const auto runs = runs_of(spec);
  EXPECT_EQ(runs[1].name, "MODEL=y_z");
  const std::vector<std::string> words = {"finetune", "--steps=5", "--seed=1", "--",
                                          "y/z",      "a.txt",     "b.txt"};
  EXPECT_EQ(runs[1].words, words);
}

TEST(SweepSpec, RandomPointsLieInTheirRangesAndDoNotDependOnHowManyThereAre) {
  const std::string axes =
      "axes:\n  lr: {from: 1e-4, to: 1e-1, scale: log}\n  layers: {from: 2, to: 5}\n"
      "  dropout: {from: 0.0, to: 0.3}\n  schedule: [wsd, cosine]\nmethod: random\nseed: 7\n";
  const SweepSpec spec = spec_of(axes + "points: 300\n");
  const auto points = points_of(spec);
  ASSERT_EQ(points.size(), 300u);
  std::set<std::string> layers, schedules;
  int below = 0;
  for (const Point& point : points) {
    const double lr = std::stod(point.settings[0].value);
    const double dropout = std::stod(point.settings[2].value);
    EXPECT_TRUE(lr >= 1e-4 && lr <= 1e-1 && dropout >= 0 && dropout <= 0.3) << point.name;
    below += lr < std::sqrt(1e-4 * 1e-1);
    layers.insert(point.settings[1].value);
    schedules.insert(point.settings[3].value);
  }
  EXPECT_EQ(layers, (std::set<std::string>{"2", "3", "4", "5"}));
  EXPECT_EQ(schedules.size(), 2u);
  // Binomial of 300 at 1/2: 5 standard deviations are 43.
  EXPECT_NEAR(below, 150, 43) << "half of a logarithmic range lies below its geometric middle";
  const auto fewer = names_of(spec_of(axes + "points: 10\n")), all = names_of(spec);
  EXPECT_TRUE(std::ranges::equal(fewer, std::vector(all.begin(), all.begin() + 10)));
  EXPECT_NE(
      names_of(spec_of("axes: {lr: {from: 0.1, to: 1}}\nmethod: random\npoints: 3\nseed: 8\n")),
      names_of(spec_of("axes: {lr: {from: 0.1, to: 1}}\nmethod: random\npoints: 3\nseed: 9\n")));
}

TEST(SweepSpec, RandomPointsAreDifferentAndAsManyAsThereAre) {
  EXPECT_EQ(
      points_of(spec_of("axes: {layers: {from: 1, to: 3}}\nmethod: random\npoints: 50\n")).size(),
      3u);
}

TEST(SweepSpec, HalvingEvaluatesAtItsRungs) {
  const SweepSpec spec = spec_of(
      "options: {steps: 900}\naxes: {lr: [1, 2, 3]}\nmethod: halving\nrungs: 100\nfactor: 3\n");
  EXPECT_EQ(spec.rungs, (std::vector<int64_t>{100, 300, 900}));
  EXPECT_EQ(spec.fixed_value("eval-every"), "100");
  EXPECT_EQ(spec_of("options: {steps: 9, eval-every: 2}\nmethod: halving\nrungs: [2, 6]\n").rungs,
            (std::vector<int64_t>{2, 6, 9}));
  EXPECT_EQ(
      spec_of("options: {steps: 90}\nmethod: halving\nrungs: [9, 30]\n").fixed_value("eval-every"),
      "3");
}

TEST(SweepSpec, NamesAreNamesOfFilesAndDiffer) {
  const auto names = names_of(spec_of("axes: {sample-prompt: ['a/b', 'a b', '..', '', '春眠', " +
                                      std::string(300, 'x') + "]}\n"));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names) {
    EXPECT_EQ(name.find_first_of("/ \n"), std::string::npos) << name;
    EXPECT_LT(name.size(), 200u);
  }
  EXPECT_EQ(names[4], "sample-prompt=春眠");
}

TEST(SweepSpec, WrittenAndReadAgainItIsTheSame) {
  for (const char* text :
       {"axes: {lr: [1, 2]}\n", "options: {TEXT: [a, b], lr: 1}\nseeds: 3\n",
        "axes: {lr: {from: 1e-4, to: 1, scale: log}, layers: {from: 1, to: 9}}\nmethod: random\n"
        "points: 5\nseed: 3\n",
        "options: {steps: 81}\naxes: {s: [{lr: 1, width: 2}, {lr: 2, width: 4}]}\nmethod: halving\n"
        "rungs: 3\n"}) {
    const SweepSpec spec = spec_of(text);
    EXPECT_EQ(sweep_spec_from_json(to_json(spec)), spec) << text;
  }
}

TEST(SweepSpec, RefusesAndSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"[1]", "expected a mapping"},
      {"axis: {lr: [1]}", "'axis' of the file is not known"},
      {"command: chat", "expected train or finetune"},
      {"axes: {lr: []}", "expected a list of values"},
      {"axes: {lr: 3}", "expected a list of values"},
      {"axes: {--lr: [3]}", "without the --"},
      {"axes: {lr: {from: 1}}", "'from' or 'to'"},
      {"axes: {lr: {from: 2, to: 1}}\nmethod: random\npoints: 1", "the larger last"},
      {"axes: {lr: {from: 0, to: 1, scale: log}}\nmethod: random\npoints: 1", "above 0"},
      {"axes: {lr: {from: 1, to: 2}}", "a range is drawn from"},
      {"axes: {lr: {from: nan, to: 2}}\nmethod: random\npoints: 1", "'from' is 'nan'"},
      {"method: best", "expected grid, random or halving"},
      {"method: random", "needs 'points'"},
      {"points: 3", "a grid has as many"},
      {"options: {seed: 3}", "give 'seeds'"},
      {"axes: {output: [a]}", "set by the sweep itself"},
      {"options: {lang: zh}", "'lang' is set by the sweep itself"},
      {"options: {plan: true}", "'plan' is set by the sweep itself"},
      {"axes: {verify-resume: [true]}", "'verify-resume' is set by the sweep itself"},
      {"options: {lr: 1}\naxes: {lr: [1, 2]}", "'lr' is given twice"},
      {"seeds: 0", "'seeds' is '0'"},
      {"seeds: [1, 1]", "1 of them different"},
      {"method: halving\nrungs: 3", "needs 'steps'"},
      {"options: {steps: 9}\nmethod: halving", "needs 'rungs'"},
      {"options: {steps: 9}\nmethod: halving\nrungs: [5, 3]", "ascending"},
      {"options: {steps: 9}\nmethod: halving\nrungs: 20", "two or more"},
      {"options: {steps: 900, eval-every: 30}\nmethod: halving\nrungs: 100", "no multiple"},
      {"rungs: 3", "of 'method: halving'"},
      {"options: {lr: {a: 1}}", "expected one value"},
  };
  for (const auto& [text, why] : cases) {
    const Error error = test::thrown_by([&, t = text] { spec_of(t); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << text;
    EXPECT_TRUE(test::mentions(error, why)) << text << ": " << error.what();
  }
  std::string many = "axes:\n";
  for (const char* name : {"a", "b", "c"}) {
    many += std::string("  ") + name + ": [0";
    for (int i = 1; i < 30; ++i) many += ", " + std::to_string(i);
    many += "]\n";
  }
  EXPECT_TRUE(
      test::mentions(test::thrown_by([&] { points_of(spec_of(many)); }), "more than 10000"));
  const std::string eleven = "axes: {lr: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}\nseeds: ";
  EXPECT_EQ(runs_of(spec_of(eleven + "909\n")).size(), 9999u);
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { runs_of(spec_of(eleven + "910\n")); }),
                             "11 points with 910 seeds each are 10010 runs"));
}

}  // namespace
}  // namespace inkstone::cli
