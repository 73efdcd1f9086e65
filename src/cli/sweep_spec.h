// SPEC.yaml of `inkstone sweep`: which runs an experiment is made of. docs/experimenting.md
// explains the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace inkstone::cli {

// An option of `train` or `finetune`, without its "--", and what it is given; or "TEXT", "MODEL".
struct Setting {
  std::string option, value;

  bool operator==(const Setting&) const = default;
};
using Settings = std::vector<Setting>;

// What is varied: values, each of one option or of some together, or a range of random search.
struct Axis {
  std::string name;
  std::vector<Settings> values;  // empty: a range
  double low = 0, high = 0;
  bool logarithmic = false;
  bool whole = false;  // whole numbers

  bool is_range() const { return values.empty(); }
  bool operator==(const Axis&) const = default;
};

enum class SweepMethod { kGrid, kRandom, kHalving };

struct SweepSpec {
  std::string command;  // "train", "finetune"
  Settings fixed;
  std::vector<Axis> axes;
  SweepMethod method = SweepMethod::kGrid;
  int64_t points = 0;  // of random search, and of halving on random points; 0: all of the grid
  uint64_t seed = 1;   // of random search
  // Of halving: points go on to the next rung, one in `factor` of them. Steps of the rungs,
  // ascending; the last is the run's own end.
  std::vector<int64_t> rungs;
  int64_t factor = 3;
  std::vector<uint64_t> seeds = {1};  // of training: a run each, for every point

  // The fixed value; "": there is none.
  std::string fixed_value(const std::string& option) const;
  bool operator==(const SweepSpec&) const = default;
};

// Throws kInvalidData naming the key, saying what was found and what was expected.
SweepSpec sweep_spec_from_json(const Json& json);
// What sweep_spec_from_json reads as the same.
Json to_json(const SweepSpec& spec);

// One choice of values.
struct Point {
  std::string name;  // "lr=0.001,layers=4", a file's name
  Settings settings;
};

// In the order of the file, the first axis slowest; of random search as many different ones as
// `points` says, or as there are. The first n do not depend on how many follow. Throws kInvalidData
// above 10,000.
std::vector<Point> points_of(const SweepSpec& spec);

// A run of the sweep: a point with a seed.
struct SweepRun {
  std::string name;                // the folder's
  size_t point = 0;                // its place in points_of
  std::vector<std::string> words;  // of the command line, without -o
};

// Point by point, in each seed by seed. Throws kInvalidData above 10,000.
std::vector<SweepRun> runs_of(const SweepSpec& spec);

}  // namespace inkstone::cli
