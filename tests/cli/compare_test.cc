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

// What the page's script reads.
Json data_of(const std::string& page) {
  constexpr std::string_view kBegin = "id=\"data\">";
  const size_t begin = page.find(kBegin) + kBegin.size();
  return Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

int64_t count_of(const std::string& text, const std::string& part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(CompareTest, ThePageHoldsCurvesSamplesAndSeedsTogether) {
  make_data();
  const Words often = {"--steps",        "10", "--eval-every",    "5",  "--log-every", "1",
                       "--sample-every", "5",  "--sample-prompt", "the"};
  const auto with = [&](Words words) {
    words.insert(words.begin(), often.begin(), often.end());
    return words;
  };
  run_well(training("a", with({})));
  run_well(training("b", with({"--seed", "2"})));
  run_well(training("c", with({"--dropout", "0.1"})));
  const Outcome compared = run_well({"compare", "a", "b", "c", "--html", "page.html"});
  EXPECT_NE(compared.out.find("first run"), std::string::npos) << compared.out;
  const Json page = data_of(read("page.html"));
  EXPECT_EQ(page["groups"], Json::parse("[[0,1],[2]]"));
  EXPECT_EQ(page["same_text"], true);
  EXPECT_EQ(page["language"], "");
  const Json& run = page["runs"][0];
  EXPECT_EQ(run["training"]["step"], Json::parse("[1,2,3,4,5,6,7,8,9,10]"));
  EXPECT_EQ(run["training"]["tokens"][9], 640);
  EXPECT_EQ(run["validation"]["step"], Json::parse("[5,10]"));
  EXPECT_NEAR(run["validation"]["loss"][1], last_line("a")["val_loss"], 1e-4);
  ASSERT_EQ(run["samples"].size(), 2u);
  EXPECT_TRUE(run["samples"][0]["text"].get<std::string>().starts_with("the"));
  run_well({"compare", "a", "--html", "page.html", "--lang", "zh"});
  EXPECT_EQ(data_of(read("page.html"))["language"], "zh") << "one run, and written over";
}

TEST_F(CompareTest, NothingFromARunsFilesIsMarkup) {
  make_run();
  run_well({"compare", "run", "--html", "plain.html"});
  const std::string evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&lt;<!--";
  write("run/samples.jsonl", Json({{"step", 1}, {"text", evil}}).dump() + "\n{\"step\":2,\"te");
  Json state = Json::parse(read("run/last/trainer_state.json"));
  state["options"]["sample_prompt"] = evil;
  write("run/last/trainer_state.json", state.dump());
  fs::rename(*this / "run", *this / "<img src=x onerror=alert(1)>");
  run_well({"compare", "<img src=x onerror=alert(1)>", "--html", "page.html"});
  const std::string page = read("page.html"), plain = read("plain.html");
  EXPECT_EQ(data_of(page)["runs"][0]["samples"][0]["text"], evil);
  EXPECT_EQ(data_of(page)["runs"][0]["options"]["sample_prompt"], evil);
  for (const char* part : {"<script", "</script", "<img", "<!--", "onerror=alert(1)>", "&lt"})
    EXPECT_EQ(count_of(page, part), count_of(plain, part)) << part;
  // Nothing is asked of the network: the one address is the name of SVG's elements.
  EXPECT_EQ(count_of(page, "http://") + count_of(page, "https://"), 1);
  EXPECT_EQ(count_of(page, "http://www.w3.org/2000/svg"), 1);
  EXPECT_EQ(count_of(page, "innerHTML") + count_of(page, "src=\"") + count_of(page, "url("), 0);
}

TEST_F(CompareTest, ThePageOfManyLongRunsIsSmall) {
  make_run();
  std::string lines, samples;
  for (int step = 10; step <= 100'000; step += 10) {
    lines += fmt::format(
        "{{\"step\":{},\"tokens\":{},\"loss\":{:.6f},\"elapsed_s\":{:.3f}{}}}\n", step,
        step * int64_t{16384}, 3 + 1000.0 / step, step * 0.123,
        step % 250 == 0 ? fmt::format(",\"val_loss\":{:.6f}", 3 + 900.0 / step) : "");
  }
  for (int step = 1000; step <= 100'000; step += 1000)
    samples += Json({{"step", step}, {"text", std::string(3000, 'w')}}).dump() + "\n";
  write("run/metrics.jsonl", lines);
  write("run/samples.jsonl", samples);
  Words words = {"compare", "--html", "page.html"};
  words.insert(words.end(), 20, "run");
  run_well(words);
  EXPECT_LT(read("page.html").size(), 1'000'000u);
  const Json run = data_of(read("page.html"))["runs"][19];
  EXPECT_EQ(run["training"]["loss"].size(), 600u);
  EXPECT_EQ(run["training"]["step"].back(), 100'000);
  EXPECT_NEAR(run["validation"]["loss"].back(), 3.009, 1e-4) << "the best one stays";
  EXPECT_EQ(run["samples"].front()["step"], 1000);
  EXPECT_EQ(run["samples"].back()["step"], 100'000);
}

TEST_F(CompareTest, APageThatCannotBeWrittenIsAnError) {
  make_run();
  expect_refused(1, {"compare", "run", "--html", "absent/page.html"}, {"absent"});
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
