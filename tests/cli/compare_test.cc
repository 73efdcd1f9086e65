// `compare`: runs beside each other.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

class CompareTest : public Workspace {
 protected:
  // Words of the table's lines.
  static std::vector<Words> table(const std::string& text) {
    std::vector<Words> rows;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      rows.emplace_back(std::istream_iterator<std::string>(words),
                        std::istream_iterator<std::string>());
    }
    return rows;
  }
  // The last evaluation of a run that was told to evaluate at its end.
  Json last_line(const std::string& run) const {
    return json_lines(read(run + "/metrics.jsonl")).back();
  }
};

TEST_F(CompareTest, ShowsOptionsThatDifferAndTheBestLosses) {
  make_data();
  run_well(training("a", {"--steps", "10", "--eval-every", "10", "--sample-every", "5"}));
  // More than there is: the same text is evaluated.
  run_well(training(
      "b", {"--steps", "20", "--eval-every", "20", "--seed", "4", "--eval-tokens", "900000"}));
  const Outcome compared = run_well({"compare", "a", "b"});
  const auto rows = table(compared.out);
  ASSERT_EQ(rows.size(), 3u) << compared.out;
  const auto has_heading = [&](const std::string& word) {
    return std::ranges::count(rows[0], word) == 1;
  };
  EXPECT_TRUE(has_heading("seed") && has_heading("steps")) << compared.out;
  for (const char* same : {"batch", "sample_every", "eval_tokens", "model.layers", "muon_lr"})
    EXPECT_FALSE(has_heading(same)) << compared.out;
  for (const auto& [row, run] : {std::pair{rows[1], "a"}, std::pair{rows[2], "b"}}) {
    EXPECT_EQ(row[0], run);
    const Json line = last_line(run);
    EXPECT_EQ(line["tokens"], line["step"].get<int64_t>() * 4 * 16);
    EXPECT_EQ(std::ranges::count(row, std::to_string(line["tokens"].get<int64_t>())), 1);
    for (const char* key : {"val_loss", "val_nats_per_character", "val_bits_per_byte"})
      EXPECT_GE(std::ranges::count(row, fmt::format("{:.4f}", line[key].get<double>())), 1) << key;
  }
  const size_t better = last_line("a")["val_loss"] < last_line("b")["val_loss"] ? 1 : 2;
  EXPECT_EQ(rows[better].back(), "*") << compared.out;
  EXPECT_NE(rows[3 - better].back(), "*") << compared.out;
  EXPECT_EQ(compared.err, "") << "the same text: nothing to warn of";
  EXPECT_NE(table(run_well({"compare", "a"}).out)[1].back(), "*") << "alone it is not the best";
}

TEST_F(CompareTest, RunsOfTwoVocabulariesCompareByCharacters) {
  make_data(verses(60), "bpe");
  run_well(training("a", {"--steps", "10", "--eval-every", "10"}));
  make_data(verses(60), "byte");
  run_well(training("b", {"--steps", "10", "--eval-every", "10"}));
  const Outcome compared = run_well({"compare", "a", "b"});
  const auto rows = table(compared.out);
  EXPECT_EQ(rows[0][1], "model.vocab_size") << compared.out;
  const bool is_a = last_line("a")["val_nats_per_character"] <
                    last_line("b")["val_nats_per_character"];
  EXPECT_EQ(rows[is_a ? 1 : 2].back(), "*") << compared.out;
  EXPECT_EQ(compared.err, "");
}

TEST_F(CompareTest, NothingIsBestWhereTextsDiffer) {
  make_data(verses(60), "char");
  run_well(training("a", {"--steps", "10"}));
  run_well(training("part", {"--steps", "10", "--eval-tokens", "20"}));
  make_data(verses(90), "char");
  run_well(training("b", {"--steps", "10"}));
  for (const char* other : {"b", "part"}) {
    const Outcome compared = run_well({"compare", "a", other});
    EXPECT_EQ(compared.out.find('*'), std::string::npos) << compared.out;
    EXPECT_NE(compared.err.find("evaluated on the same text"), std::string::npos);
  }
}

TEST_F(CompareTest, PrintsAnObjectForEachRun) {
  make_data();
  run_well(training("a", {"--steps", "10", "--eval-every", "10"}));
  run_well(training("b", {"--steps", "10"}));
  write("b/metrics.jsonl", "{\"step\":5,\"loss\":4.0}\n");  // it has not evaluated yet
  const auto objects = json_lines(run_well({"compare", "b", "a", "--json"}).out);
  ASSERT_EQ(objects.size(), 2u);
  const Json options = Json::parse(read("a/run.json"))["options"];
  const Json &b = objects[0], &a = objects[1];
  EXPECT_EQ(a["run"], "a");
  EXPECT_EQ(a["step"], 10);
  EXPECT_EQ(a["tokens"], 640);
  EXPECT_EQ(a["options"]["lr"], options["lr"]);
  EXPECT_EQ(a["options"]["model.layers"], options["model"]["layers"]);
  EXPECT_EQ(a["best"]["val_loss"], last_line("a")["val_loss"]);
  EXPECT_EQ(a["best"]["val_tokens"], last_line("a")["val_tokens"]);
  EXPECT_EQ(a["last"], a["best"]);
  EXPECT_GT(a["parameters"], 0);
  EXPECT_FALSE(b.contains("best") || b.contains("tokens"));
  const auto rows = table(run_well({"compare", "b", "a"}).out);
  EXPECT_EQ(rows[1].back(), "-");
  EXPECT_NE(rows[2].back(), "*");
}

TEST_F(CompareTest, LeavesOutWhatIsNoRun) {
  make_run();
  const Outcome some = run_well({"compare", "run", "data", "run/last", "absent"});
  EXPECT_EQ(table(some.out).size(), 3u) << "a checkpoint is of its run: " << some.out;
  EXPECT_NE(some.err.find("left out: there is no run at 'data'"), std::string::npos) << some.err;
  expect_refused(1, {"compare", "data", "absent"}, {"'absent'", "run.json"});
  expect_refused(2, {"compare"}, {"RUN"});
  fs::remove(*this / "run/last");
  write("run/run.json", "{\"options\": 3");
  expect_refused(1, {"compare", "run"}, {"run.json"});
  fs::create_directory(*this / "begun");
  write("begun/command.json", "{}");
  expect_refused(1, {"compare", "begun"}, {"has not begun to train", "--resume begun"});
}

}  // namespace
}  // namespace inkstone::test
