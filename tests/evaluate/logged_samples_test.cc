// lm-eval's logged samples: read in both their forms, compared, and written so that lm-eval's own
// come out again.
#include "evaluate/logged_samples.h"

#include <gtest/gtest.h>

#include "lm_eval_runs.h"

namespace inkstone::evaluate {
namespace {

using test::mentions;
using test::thrown_by;

LoggedSample sample_of(const std::string& json) {
  return parse_logged_samples(parse_rows(json, "samples.jsonl")).at(0);
}

Error refusal(const std::string& json) {
  return thrown_by([&] { sample_of(json); });
}

constexpr const char* kAsFile =
    R"({"arguments": {"gen_args_0": {"arg_0": "q", "arg_1": " a"},
                      "gen_args_1": {"arg_0": "q", "arg_1": " b"}},
        "resps": [[["-1.5", "True"]], [["-2", "False"]]], "doc": {"x": 1}})";

std::string on_one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST(LoggedSamples, AreReadFromFilesAndFromValues) {
  const std::string as_values =
      R"({"arguments": [["q", " a"], ["q", " b"]], "resps": [[[-1.5, true]], [[-2, false]]]})";
  for (const std::string& json : {on_one_line(kAsFile), as_values}) {
    const LoggedSample sample = sample_of(json);
    EXPECT_EQ(sample.requests, (std::vector<Request>{{"q", " a"}, {"q", " b"}}));
    EXPECT_EQ(sample.answers[0].log_prob, -1.5);
    EXPECT_TRUE(sample.answers[0].greedy);
    EXPECT_FALSE(sample.answers[1].greedy);
    EXPECT_FALSE(sample.is_page);
  }
  EXPECT_TRUE(sample_of(on_one_line(kAsFile)).row.has_value());
  EXPECT_FALSE(sample_of(as_values).row.has_value());
}

TEST(LoggedSamples, OfAWholeTextHaveOneArgument) {
  const LoggedSample sample = sample_of(
      R"({"arguments": {"gen_args_0": {"arg_0": "text"}}, "resps": [["-12.25"]]})");
  EXPECT_TRUE(sample.is_page);
  EXPECT_EQ(sample.requests, (std::vector<Request>{{"", "text"}}));
  EXPECT_EQ(sample.answers[0].log_prob, -12.25);
}

TEST(LoggedSamples, SayWhatTheyLack) {
  for (const char* json :
       {R"({"resps": []})", R"({"arguments": []})", R"({"arguments": [["a", "b", "c"]]})",
        R"({"arguments": [["a", 1]]})", R"({"arguments": [["a", "b"], ["c"]]})",
        R"({"arguments": "x"})", R"({"arguments": [[]]})"}) {
    EXPECT_TRUE(mentions(refusal(json), "'samples.jsonl', line 1: 'arguments' is not")) << json;
  }
  for (const char* resps : {"[]", "[[]]", "[[[1]]]", R"([[["x", "True"]]])", R"([[[1, "yes"]]])",
                            R"([["-1"]])", "{}"}) {
    const std::string json = R"({"arguments": [["a", "b"]], "resps": )" + std::string(resps) + "}";
    EXPECT_TRUE(mentions(refusal(json), "'resps' is not")) << json;
  }
  EXPECT_TRUE(mentions(refusal(R"({"arguments": [["a"]], "resps": [[-1]]})"
                               "\n"
                               R"({"arguments": [["a", "b"]], "resps": [[[-1, true]]]})"),
                       "line 2: found contexts and continuations"));
}

TEST(LoggedSamples, AreComparedRequestByRequest) {
  const std::vector<LoggedSample> samples = {sample_of(on_one_line(kAsFile)),
                                             sample_of(on_one_line(kAsFile))};
  const Comparison same = compare_answers(samples, {samples[0].answers, samples[1].answers});
  EXPECT_EQ(same.requests, 4);
  EXPECT_EQ(same.largest_difference, 0);
  EXPECT_EQ(same.choice_differs + same.greedy_differs, 0);
  const Comparison other = compare_answers(samples,
                                           {samples[0].answers, {{-1.5, false}, {-1.25, false}}});
  EXPECT_EQ(other.largest_difference, 0.75);
  EXPECT_EQ(other.greedy_differs, 1);
  EXPECT_EQ(other.choice_differs, 1);
}

class Logged : public ::testing::TestWithParam<LmEvalRun> {};
INSTANTIATE_TEST_SUITE_P(LmEval, Logged, ::testing::ValuesIn(lm_eval_runs()),
                         [](const auto& test) { return test.param.name(); });

// What is written of lm-eval's answers is what lm-eval wrote of them: same arguments, answers,
// metrics, in the same form.
TEST_P(Logged, AreWrittenAsLmEvalWritesThem) {
  const auto rows = read_rows(fixture_file("samples_" + GetParam().name() + ".jsonl"));
  const Task& task = find_task(GetParam().task, Protocol::kLmEval);
  for (const Row& row : rows) {
    const LoggedSample sample = parse_logged_sample(row);
    const Document document = {.row = row.json()["doc_id"].get<size_t>(),
                               .question = question_of(task, *sample.row),
                               .requests = sample.requests,
                               .answers = sample.answers};
    const Json written = sample_json(task, document, *sample.row);
    for (const auto& member : row.json().items()) {
      EXPECT_EQ(written[member.key()], member.value()) << row.line() << ": " << member.key();
    }
  }
}

}  // namespace
}  // namespace inkstone::evaluate
