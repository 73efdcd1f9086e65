// The table of the options of training: sound in itself, and what docs/training_options.md says.
#include "train/training_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "support.h"
#include "train/options.h"

namespace inkstone {
namespace {

TEST(TrainingOptions, EachIsStatedOnceWithItsHelp) {
  TrainOptions o;
  std::set<std::string> keys;
  for (const BoundOption& option : training_options().bind(o)) {
    EXPECT_TRUE(keys.insert(key_of(option.info)).second) << option.info.name;
    EXPECT_GT(std::string(option.info.help).size(), 5u) << option.info.name;
    EXPECT_NE(option.info.group, nullptr) << option.info.name;
  }
  EXPECT_GT(keys.size(), 25u);
}

TEST(TrainingOptions, DefaultsAreInTheirRanges) {
  for (const char* command : {"train", "finetune"}) {
    TrainOptions o;
    const auto options = training_options().bind(o);
    set_defaults_of(command, options);
    EXPECT_NO_THROW(validate(options)) << command;
  }
  TrainOptions tuned;
  set_defaults_of("finetune", training_options().bind(tuned));
  EXPECT_EQ(tuned.dropout, 0.1);
  EXPECT_EQ(tuned.eval_every, 20);
  EXPECT_EQ(tuned.save_every, 100);
  EXPECT_EQ(tuned.patience, 5);
}

// Each option alone in a file: what was not written has the default of its time.
TEST(TrainingOptions, WhatAFileLacksHasItsDefault) {
  TrainOptions o;
  o.data = {"data"};
  const Json whole = to_json(o);
  Json bare;
  // What every version wrote; without it a file is damaged.
  for (const char* key : {"data", "init", "model", "device", "steps", "batch", "lr", "seed"}) {
    EXPECT_EQ(test::thrown_by([&] { train_options_from_json(bare); }).code(),
              ErrorCode::kInvalidData);
    bare[key] = whole[key];
  }
  EXPECT_EQ(to_json(train_options_from_json(bare)), whole);
  bare["batch"] = 3;
  bare["optimizer"] = "muon";
  const TrainOptions read = train_options_from_json(bare);
  EXPECT_EQ(read.batch, 3);
  EXPECT_EQ(read.optimizer, OptimizerKind::kMuon);
}

TEST(TrainingOptions, SomeMeanSomethingOnlyWithOthers) {
  TrainOptions o;
  const auto in_effect = [&](const char* name) {
    return find_option(training_options().bind(o), name)->in_effect;
  };
  EXPECT_FALSE(in_effect("muon-lr"));
  EXPECT_FALSE(in_effect("decay-fraction"));
  o.optimizer = OptimizerKind::kMuon;
  o.schedule = Schedule::kWsd;
  EXPECT_TRUE(in_effect("muon-lr"));
  EXPECT_TRUE(in_effect("decay-fraction"));
}

// --- docs/training_options.md ---

std::string values_text(const BoundOption& option) {
  if (const auto* whole = std::get_if<WholeRange>(&option.range)) {
    constexpr int64_t kMost = int64_t{1} << 40;  // more than any count is
    return range_text(whole->high < kMost ? *whole : WholeRange{.low = whole->low}).english();
  }
  if (const auto* range = std::get_if<NumberRange>(&option.range))
    return range_text(*range).english();
  if (const auto* choice = std::get_if<BoundChoice>(&option.value))
    return fmt::format("`{}`", fmt::join(choice->names, "`, `"));
  if (std::holds_alternative<uint64_t*>(option.value)) return "0 or more";
  if (std::holds_alternative<bool*>(option.value)) return "a switch";
  return std::holds_alternative<std::vector<double>*>(option.value) ? "numbers" : "text";
}

std::string default_text(const BoundOption& option, const char* command) {
  const OptionInfo info = info_in(option.info, command);
  if (!is_option_of(info, command)) return *info.only_in == '\0' ? value_text(option) : "";
  const std::string text = value_text(option);
  return info.derived ? "see there" : text.empty() ? "none" : text;
}

std::string row_of(const BoundOption& option, const BoundOption& tuned) {
  const bool typed = option.info.only_in == nullptr || *option.info.only_in != '\0';
  const OptionInfo own = info_in(option.info, "finetune");
  std::string help = option.info.help;
  if (help != own.help) help += fmt::format("; with `finetune`: {}", own.help);
  for (size_t at = 0; (at = help.find('|', at)) != help.npos; at += 2) help.insert(at, "\\");
  return fmt::format("| `{}{}` | {} | {} | {} | {} |\n", typed ? "--" : "",
                     typed ? option.info.name : key_of(option.info), values_text(option),
                     default_text(option, "train"), default_text(tuned, "finetune"), help);
}

std::string document() {
  std::string text =
      "# Options of training\n\n"
      "Of `inkstone train` and `inkstone finetune`, and the keys of `options` in `RUN/run.json` "
      "and `trainer_state.json`\n(with `_` in the place of `-`). This page is written from the "
      "program's own table (`src/train/training_options.cc`)\nby its test, which also says when "
      "it is out of date. Names without `--` stand in files alone. \"see there\": the default\n"
      "follows from other options or from the text, as the last column says.\n";
  TrainOptions o, for_finetune;
  const auto options = training_options().bind(o);
  const auto tuned = training_options().bind(for_finetune);
  set_defaults_of("finetune", tuned);
  std::string group;
  for (size_t i = 0; i < options.size(); ++i) {
    if (group != options[i].info.group) {
      group = options[i].info.group;
      text += fmt::format(
          "\n## {}\n| option | values | `train` | `finetune` | what it is "
          "|\n|---|---|---|---|---|\n",
          group);
    }
    text += row_of(options[i], tuned[i]);
  }
  return text;
}

TEST(TrainingOptions, TheDocumentSaysWhatTheTableSays) {
  const auto file = test::fixture("../../docs/training_options.md");
  if (std::getenv("INKSTONE_UPDATE_DOCUMENTS") != nullptr) write_file(file, document());
  EXPECT_EQ(read_file(file), document())
      << "write it anew: INKSTONE_UPDATE_DOCUMENTS=1 tests/train/train_test";
}

}  // namespace
}  // namespace inkstone
