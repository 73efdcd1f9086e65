#include "evaluate/logged_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace inkstone::evaluate {
namespace {

[[noreturn]] void fail_arguments() {
  fail(ErrorCode::kInvalidData,
       "'arguments' is not what lm-eval logs of a row: expected {{\"gen_args_0\": {{\"arg_0\": "
       "CONTEXT, \"arg_1\": CONTINUATION}}, ...}}, or \"arg_0\" alone for a whole text");
}

[[noreturn]] void fail_answers(size_t requests) {
  fail(ErrorCode::kInvalidData,
       "'resps' is not what lm-eval logs of {} requests: expected a list for each, of "
       "[LOG-PROBABILITY, GREEDY] or, for a whole text, of LOG-PROBABILITY",
       requests);
}

// The members of an object or a list, in their order.
std::vector<Json> members(const Json& json) {
  std::vector<Json> all;
  for (const Json& member : json) all.push_back(member);
  return all;
}

std::vector<std::vector<std::string>> arguments_of(const Row& row) {
  const auto found = row.json().find("arguments");
  if (found == row.json().end() || !found->is_structured()) fail_arguments();
  std::vector<std::vector<std::string>> all;
  for (const Json& request : members(*found)) {
    std::vector<std::string> texts;
    if (!request.is_structured()) fail_arguments();
    for (const Json& text : members(request)) {
      if (!text.is_string()) fail_arguments();
      texts.push_back(text.get<std::string>());
    }
    if (texts.empty() || texts.size() > 2) fail_arguments();
    all.push_back(std::move(texts));
  }
  if (all.empty()) fail_arguments();
  return all;
}

std::optional<double> number_of(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (!json.is_string()) return std::nullopt;
  const std::string& text = json.get_ref<const std::string&>();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number ? std::optional(number) : std::nullopt;
}

std::optional<bool> truth_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json == "True") return true;
  return json == "False" ? std::optional(false) : std::nullopt;
}

// Of a list of repeated answers the first.
std::optional<Answer> answer_of(const Json& repeats, bool is_page) {
  if (!repeats.is_array() || repeats.empty()) return std::nullopt;
  const Json& first = repeats[0];
  if (is_page) {
    const auto log_prob = number_of(first);
    return log_prob ? std::optional(Answer{.log_prob = *log_prob}) : std::nullopt;
  }
  if (!first.is_array() || first.size() != 2) return std::nullopt;
  const auto log_prob = number_of(first[0]);
  const auto greedy = truth_of(first[1]);
  if (!log_prob || !greedy) return std::nullopt;
  return Answer{.log_prob = *log_prob, .greedy = *greedy};
}

std::vector<Answer> answers_of(const Row& row, size_t requests, bool is_page) {
  const auto found = row.json().find("resps");
  if (found == row.json().end() || !found->is_array() || found->size() != requests) {
    fail_answers(requests);
  }
  std::vector<Answer> answers;
  for (const Json& repeats : *found) {
    const auto answer = answer_of(repeats, is_page);
    if (!answer) fail_answers(requests);
    answers.push_back(*answer);
  }
  return answers;
}

size_t best_of(const std::vector<Answer>& answers) {
  return static_cast<size_t>(std::ranges::max_element(answers, {}, &Answer::log_prob) -
                             answers.begin());
}

std::string number_text(double value) { return fmt::format("{}", value); }

// What is logged as the right answer: a choice's place, or the text of the one continuation.
std::string target_of(const Task& task, const Question& question) {
  const bool is_place = task.kind == RequestKind::kChoice && !question.has_several_contexts();
  return is_place ? std::to_string(question.answer) : question.continuations[0];
}

Json share_json(Metric metric, const Share& share) {
  const bool is_ratio = metric == Metric::kWordPerplexity || metric == Metric::kBytePerplexity ||
                        metric == Metric::kBitsPerByte;
  if (is_ratio) return {share.value, static_cast<int64_t>(share.weight)};
  return share.value;
}

Json request_json(const Task& task, const Request& request) {
  if (task.kind == RequestKind::kPage) return {{"arg_0", request.continuation}};
  return {{"arg_0", request.context}, {"arg_1", request.continuation}};
}

Json answer_json(const Task& task, const Answer& answer) {
  if (task.kind == RequestKind::kPage) return number_text(answer.log_prob);
  return Json::array({number_text(answer.log_prob), answer.greedy ? "True" : "False"});
}

}  // namespace

LoggedSample parse_logged_sample(const Row& row) {
  return with_context(row.place(), [&] {
    const auto arguments = arguments_of(row);
    LoggedSample sample = {.line = row.line(), .requests = {}, .answers = {}, .row = {}};
    sample.is_page = arguments.size() == 1 && arguments[0].size() == 1;
    for (const auto& texts : arguments) {
      if (texts.size() == (sample.is_page ? 2 : 1)) fail_arguments();
      sample.requests.push_back({sample.is_page ? "" : texts[0], texts.back()});
    }
    sample.answers = answers_of(row, sample.requests.size(), sample.is_page);
    if (row.has("doc")) sample.row = row.inner("doc");
    return sample;
  });
}

std::vector<LoggedSample> parse_logged_samples(const std::vector<Row>& rows) {
  std::vector<LoggedSample> samples;
  for (const Row& row : rows) {
    samples.push_back(parse_logged_sample(row));
    if (samples.back().is_page == samples[0].is_page) continue;
    fail(ErrorCode::kInvalidData,
         "{}: found {} in it, expected what line {} has: the samples of one task", row.place(),
         samples.back().is_page ? message("a whole text") : message("contexts and continuations"),
         samples[0].line);
  }
  return samples;
}

Comparison compare_answers(const std::vector<LoggedSample>& samples,
                           const std::vector<std::vector<Answer>>& answers) {
  Comparison c = {.documents = static_cast<int64_t>(samples.size())};
  for (size_t i = 0; i < samples.size(); ++i) {
    const LoggedSample& sample = samples[i];
    for (size_t j = 0; j < sample.answers.size(); ++j) {
      const double difference = std::abs(sample.answers[j].log_prob - answers[i][j].log_prob);
      if (c.largest_line == 0 || difference > c.largest_difference) {
        c.largest_difference = difference, c.largest_line = sample.line;
      }
      c.greedy_differs += !sample.is_page && sample.answers[j].greedy != answers[i][j].greedy;
    }
    c.requests += static_cast<int64_t>(sample.requests.size());
    c.choice_differs += best_of(sample.answers) != best_of(answers[i]);
  }
  return c;
}

Json sample_json(const Task& task, const Document& document, const Row& row) {
  Json arguments = Json::object(), repeats = Json::array(), answers = Json::array(),
       metrics = Json::array();
  for (size_t i = 0; i < document.requests.size(); ++i) {
    arguments["gen_args_" + std::to_string(i)] = request_json(task, document.requests[i]);
    answers.push_back(answer_json(task, document.answers[i]));
    repeats.push_back(Json::array({answers.back()}));
  }
  Json sample = {
      {"doc_id", document.row}, {"doc", row.json()}, {"target", target_of(task, document.question)},
      {"arguments", arguments}, {"resps", repeats},  {"filtered_resps", answers},
      {"filter", "none"}};
  for (const Metric metric : task.metrics) metrics.push_back(metric_name(metric));
  sample["metrics"] = metrics;
  for (const Metric metric : task.metrics) {
    sample[std::string(metric_name(metric))] = share_json(
        metric, share_of(metric, document.question, document.answers));
  }
  return sample;
}

}  // namespace inkstone::evaluate
