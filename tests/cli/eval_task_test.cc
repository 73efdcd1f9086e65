// `inkstone eval --task` and `--requests`, and `score --pairs`: on the tiny model whose numbers
// lm-eval 0.4.13 gave (tests/fixtures/evaluate).
#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {

using nlohmann::json;

std::string fixture_file(const std::string& name) { return fixture("evaluate/" + name).string(); }

class EvalTaskTest : public Workspace {
 protected:
  const std::string model = fixture_file("model");

  Words eval(Words more) const {
    Words words = {"eval", model, "--threads", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json evaluated(Words more) const {
    more.push_back("--json");
    return json::parse(run_well(eval(more)).out);
  }
  void expect_eval_refused(int status, const Words& more, const Words& parts) const {
    expect_refused(status, eval(more), parts);
  }
};

TEST_F(EvalTaskTest, ResultsAreLmEvals) {
  const json expected = json::parse(
      read(fixture_file("results.json")))["piqa_3"]["results"]["piqa"];
  const json found = evaluated({"--task", "piqa", "--data", fixture_file("rows_piqa.jsonl"),
                                "--fewshot", "3", "--fewshot-data",
                                fixture_file("pool_piqa.jsonl")});
  for (const char* metric : {"acc,none", "acc_norm,none", "acc_stderr,none"}) {
    EXPECT_DOUBLE_EQ(found["results"]["piqa"][metric].get<double>(),
                     expected[metric].get<double>());
  }
  EXPECT_EQ(found["n-shot"]["piqa"], 3);
  EXPECT_EQ(found["protocol"], "lm-eval-0.4.13");
}

TEST_F(EvalTaskTest, TheTableHasErrorsAndIntervals) {
  const std::string rows = fixture_file("rows_lambada_openai.jsonl");
  const std::string text = run_well(eval({"--task", "lambada_openai", "--data", rows})).out;
  for (const char* part : {"lambada_openai: 8 rows\n", "  perplexity ", "  acc ", "(95 %: ",
                           "of perplexity a bootstrap's (100000 resamplings of the rows)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(EvalTaskTest, ParadigmsOfBlimpAreAGroup) {
  const json found = evaluated({"--task", "blimp", "--data", fixture_file("rows_blimp.jsonl")});
  EXPECT_EQ(found["group_subtasks"]["blimp"].size(), 3u);
  EXPECT_EQ(found["groups"]["blimp"], found["results"]["blimp"]);
  EXPECT_TRUE(found["results"].contains("blimp_wh_island"));
}

TEST_F(EvalTaskTest, ThreadsChangeNothing) {
  std::string first;
  for (const char* threads : {"1", "2", "3"}) {
    const Outcome outcome = run_well({"eval", model, "--task", "hellaswag", "--data",
                                      fixture_file("rows_hellaswag.jsonl"), "--threads", threads,
                                      "--log-samples", "samples.jsonl", "--json"});
    const std::string out = outcome.out + read("samples.jsonl");
    if (first.empty()) first = out;
    EXPECT_EQ(out, first) << threads;
  }
}

TEST_F(EvalTaskTest, LmEvalsRequestsAreAskedAgain) {
  for (const char* task : {"wikitext", "winogrande"}) {
    const json found = evaluated(
        {"--task", task, "--requests", fixture_file("samples_" + std::string(task) + "_0.jsonl")});
    EXPECT_EQ(found["samples"], 8);
    EXPECT_LT(found["largest_difference"].get<double>(), 1e-4);
    EXPECT_EQ(found["greedy_differs"], 0);
    EXPECT_EQ(found["choice_differs"], 0);
    EXPECT_TRUE(found["here"].contains(task) && found["logged"].contains(task));
  }
}

TEST_F(EvalTaskTest, OwnSamplesAreTheSameAgain) {
  run_well(eval({"--task", "arc_easy", "--data", fixture_file("rows_arc_easy.jsonl"), "--limit",
                 "5", "--log-samples", "samples.jsonl"}));
  const json again = evaluated({"--requests", "samples.jsonl"});
  EXPECT_EQ(again["samples"], 5);
  EXPECT_EQ(again["largest_difference"], 0);
  EXPECT_EQ(evaluated({"--requests", "samples.jsonl", "--limit", "2"})["samples"], 2);
}

TEST_F(EvalTaskTest, WhereSamplesCannotBeWrittenIsSaidBeforeTheModelIsRead) {
  expect_refused(1,
                 {"eval", "no_model", "--task", "arc_easy", "--data",
                  fixture_file("rows_arc_easy.jsonl"), "--log-samples", "nowhere/samples.jsonl"},
                 {"nowhere/samples.jsonl"});
}

TEST_F(EvalTaskTest, HellaswagByLlmc) {
  const json found = evaluated({"--task", "hellaswag", "--protocol", "llm.c", "--data",
                                fixture_file("rows_hellaswag.jsonl")});
  EXPECT_EQ(found["protocol"], "llm.c");
  EXPECT_TRUE(found["results"]["hellaswag"].contains("acc_norm,none"));
}

TEST_F(EvalTaskTest, WhatIsWrongIsSaid) {
  const std::string rows = fixture_file("rows_piqa.jsonl");
  write("text.txt", "text");
  write("bad.jsonl", "{\"goal\": \"g\", \"sol1\": \"s\", \"label\": 1}\n");
  write("table.parquet", "PAR1....");
  expect_eval_refused(2, {}, {"no text is given", "--data FILE"});
  expect_eval_refused(2, {"--task", "piqa"}, {"--task piqa needs its rows", "--data"});
  expect_eval_refused(2, {"text.txt", "--task", "piqa", "--data", rows}, {"FILE", "--data"});
  expect_eval_refused(2, {"text.txt", "--limit", "3"}, {"found --limit", "task of rows"});
  expect_eval_refused(2, {"--task", "piqa", "--data", rows, "--protocol", "llm.c"},
                      {"no task 'piqa'", "hellaswag"});
  expect_eval_refused(2, {"--task", "piqa", "--data", rows, "--fewshot", "2"},
                      {"--fewshot-data FILE", "training split of piqa"});
  expect_eval_refused(2, {"--task", "piqa", "--data", rows, "--fewshot-data", rows},
                      {"--fewshot-data without --fewshot"});
  expect_eval_refused(2, {"--requests", rows, "--data", rows}, {"found --data", "--requests"});
  expect_eval_refused(1, {"--requests", rows}, {"line 1", "'arguments' is not what lm-eval logs"});
  expect_eval_refused(1, {"--task", "piqa", "--data", "bad.jsonl"},
                      {"'bad.jsonl', line 1", "'sol2' is missing (found: goal, sol1, label)"});
  expect_eval_refused(1, {"--task", "piqa", "--data", "table.parquet"}, {"Parquet", "to_json"});
  expect_eval_refused(1, {"--task", "piqa", "--data", "none.jsonl"}, {"none.jsonl"});
}

TEST_F(EvalTaskTest, PairsAreScoredInTheirOrder) {
  write("pairs.jsonl",
        "{\"context\": \"the old miller \", \"completion\": \"sold warm bread\"}\n"
        "\n{\"completion\": \"\u6771\u4EAC\"}\n{\"context\": \"a\", \"completion\": \" b c\"}\n");
  const auto lines = json_lines(
      run_well({"score", model, "--pairs", "pairs.jsonl", "--threads", "2"}).out);
  ASSERT_EQ(lines.size(), 3u);
  const Words alone[] = {
      {"the old miller ", "sold warm bread"}, {"", "\u6771\u4EAC"}, {"a", " b c"}};
  for (size_t i = 0; i < 3; ++i) {
    const json one = json::parse(
        run_well({"score", model, "--json", "--context", alone[i][0], "--completion", alone[i][1]})
            .out);
    EXPECT_EQ(lines[i]["log_prob"], one["log_prob"]) << i;
    EXPECT_EQ(lines[i]["greedy"], one["greedy"]) << i;
    EXPECT_EQ(lines[i]["tokens"], one["tokens"].size()) << i;
  }
  EXPECT_EQ(lines[0]["bytes"], 16);  // with the blank that was moved
  EXPECT_EQ(lines[0]["words"], 3);
  EXPECT_DOUBLE_EQ(lines[0]["per_word"].get<double>(), lines[0]["log_prob"].get<double>() / 3);
  EXPECT_FALSE(lines[1].contains("words"));  // there are no blanks between them
  EXPECT_DOUBLE_EQ(lines[2]["per_byte"].get<double>(), lines[2]["log_prob"].get<double>() / 4);
}

TEST_F(EvalTaskTest, PairsThatCannotBeScoredAreRefusedAtOnce) {
  write("pairs.jsonl", "{\"completion\": \"a\"}\n{\"completion\": \"\"}\n");
  write("lacking.jsonl", "{\"prompt\": \"a\"}\n");
  expect_refused(1, {"score", model, "--pairs", "pairs.jsonl"},
                 {"'pairs.jsonl', line 2", "nothing to score"});
  expect_refused(1, {"score", model, "--pairs", "lacking.jsonl"},
                 {"'completion' is missing (found: prompt)"});
  expect_refused(2, {"score", model}, {"--completion TEXT", "--pairs FILE"});
  expect_refused(2, {"score", model, "--pairs", "pairs.jsonl", "--context", "a"}, {"--context"});
}

}  // namespace
}  // namespace inkstone::test
