// From answers to results: lm-eval's numbers and its JSON, groups, examples, limits.
#include "evaluate/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evaluate/fewshot.h"
#include "evaluate/report.h"
#include "lm_eval_runs.h"

namespace inkstone::evaluate {
namespace {

using test::mentions;
using test::thrown_by;

Json evaluated(const LmEvalRun& run) {
  const Task& task = find_task(run.task, Protocol::kLmEval);
  std::vector<Document> documents = documents_of(run);
  Generator generator = fixture_generator();
  answer_documents(generator, task, documents);
  ThreadPool pool(2);
  const auto rows = static_cast<int64_t>(documents.size());
  return results_json(summarise(task, std::move(documents), rows, {.fewshot = run.fewshot}, pool),
                      "model");
}

// Every member of `expected` is in `found`: texts and whole numbers the same, others to 1e-4 of
// their size (of perplexities the error is that of nats, times the perplexity).
void expect_contains(const Json& found, const Json& expected, const std::string& path) {
  if (expected.is_object()) {
    ASSERT_TRUE(found.is_object()) << path;
    for (const auto& member : expected.items()) {
      ASSERT_TRUE(found.contains(member.key())) << path << "/" << member.key();
      expect_contains(found[member.key()], member.value(), path + "/" + member.key());
    }
  } else if (expected.is_number_float()) {
    const double number = expected.get<double>();
    EXPECT_NEAR(found.get<double>(), number, 1e-4 * std::max(1.0, std::abs(number))) << path;
  } else {
    EXPECT_EQ(found, expected) << path;
  }
}

class Results : public ::testing::TestWithParam<LmEvalRun> {};
INSTANTIATE_TEST_SUITE_P(LmEval, Results, ::testing::ValuesIn(lm_eval_runs()),
                         [](const auto& test) { return test.param.name(); });

TEST_P(Results, AreLmEvals) {
  const Json all = read_json(fixture_file("results.json"));
  expect_contains(evaluated(GetParam()), all.at(GetParam().name()), GetParam().name());
}

// Accuracies are counts: the same to the last digit.
TEST_P(Results, HaveTheSameAccuracies) {
  const Json expected = read_json(fixture_file("results.json")).at(GetParam().name()).at("results"),
             found = evaluated(GetParam()).at("results");
  for (const auto& task : expected.items()) {
    for (const char* metric : {"acc,none", "acc_norm,none"}) {
      if (task.value().contains(metric)) {
        EXPECT_DOUBLE_EQ(found[task.key()][metric].get<double>(),
                         task.value()[metric].get<double>());
      }
    }
  }
}

TEST(Evaluations, TakeTheFirstRows) {
  const Task& task = find_task("piqa", Protocol::kLmEval);
  EXPECT_EQ(make_documents(task, rows_of({"piqa", 0}), {}, {.limit = 3}).size(), 3u);
  EXPECT_EQ(make_documents(task, rows_of({"piqa", 0}), {}, {.limit = 99}).size(), 8u);
}

TEST(Examples, MustBeThereAndBelongToTheTask) {
  const auto rows = rows_of({"piqa", 0});
  const auto make = [&](const char* task, int64_t count) {
    return thrown_by([&] {
      make_documents(find_task(task, Protocol::kLmEval), rows, rows, {.fewshot = count});
    });
  };
  EXPECT_TRUE(mentions(make("piqa", 8), "8 examples for each row of piqa are drawn as 9"));
  EXPECT_TRUE(mentions(make("blimp", 1), "found 1 examples, expected 0: blimp takes none"));
  EXPECT_EQ(make("wikitext", 1).code(), ErrorCode::kUsage);
}

// The row itself is left out, however often it stands among the rows for examples.
TEST(Examples, AreOtherRows) {
  const Task& task = find_task("piqa", Protocol::kLmEval);
  std::vector<Row> pool(5, rows_of({"piqa", 0})[0]);
  pool.push_back(rows_of({"piqa", 0})[1]);
  FewshotExamples examples(task, pool, 1);
  const std::string other = example_text(question_of(task, pool[5]));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(examples.before(pool[0]), other);
  FewshotExamples too_many(task, pool, 2);
  EXPECT_TRUE(mentions(thrown_by([&] {
                         for (int i = 0; i < 20; ++i) too_many.before(pool[0]);
                       }),
                       "2 examples are asked for, and 1 rows are not the row itself"));
}

}  // namespace
}  // namespace inkstone::evaluate
