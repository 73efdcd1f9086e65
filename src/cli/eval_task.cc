// `inkstone eval --task` and `--requests`: rows of a task, or requests of lm-eval, to results.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "cli/eval_command.h"
#include "evaluate/evaluation.h"
#include "evaluate/logged_samples.h"
#include "evaluate/report.h"

namespace inkstone::cli {
namespace {

using namespace evaluate;

const Task& chosen_task(const EvalArguments& a) {
  const auto named = std::ranges::find(protocol_names(), a.protocol,
                                       &std::pair<std::string, Protocol>::first);
  return with_context(message("--task {} --protocol {}", a.task, a.protocol),
                      [&]() -> const Task& { return find_task(a.task, named->second); });
}

// The rows that examples are drawn from: --fewshot-data, or those of the task itself.
std::vector<Row> example_rows(const EvalArguments& a, const Task& task,
                              const std::vector<Row>& rows) {
  const bool takes_own = task.fewshot == FewshotPool::kOwnRows;
  if (a.fewshot == 0) {
    if (a.fewshot_data.empty()) return {};
    fail(ErrorCode::kUsage, "--fewshot-data without --fewshot N: how many examples?");
  }
  if (!a.fewshot_data.empty()) return read_rows(a.fewshot_data);
  if (takes_own || task.fewshot == FewshotPool::kNone) return rows;
  fail(ErrorCode::kUsage,
       "--fewshot {} needs rows for the examples: --fewshot-data FILE, the training split of {} "
       "(of lambada_standard the validation split)",
       a.fewshot, task.name);
}

// Shown while the model answers.
OnProgress shown_on(StatusLine& line) {
  return [&line](int64_t done, int64_t all) {
    line.show(localized("{} of {} requests, {:.0f} %", done, all,
                        100 * static_cast<double>(done) / static_cast<double>(all)));
  };
}

// The digits of an accuracy; of a large perplexity no more than say something.
std::string number_text(double value) {
  return value < 1e6 ? fmt::format("{:.4f}", value) : fmt::format("{:.5g}", value);
}

// Within 1.96 standard errors, as far as the metric goes.
std::string estimate_text(Metric metric, const Estimate& e) {
  std::string text = fmt::format("  {:<16} {:>10}", metric_name(metric), number_text(e.value));
  if (!e.standard_error) return text + "\n";
  const double reach = 1.959964 * *e.standard_error, low = std::max(0.0, e.value - reach);
  const double high = higher_is_better(metric) ? std::min(1.0, e.value + reach) : e.value + reach;
  return text + " " +
         localized("± {} (95 %: {} to {})", number_text(*e.standard_error), number_text(low),
                   number_text(high)) +
         "\n";
}

std::string result_text(const TaskResult& result) {
  std::string text = localized("{}: {} rows\n", result.name, result.documents);
  for (const auto& [metric, estimate] : result.metrics) text += estimate_text(metric, estimate);
  return text;
}

bool has_error_by(const Evaluation& e, ErrorMethod method) {
  return std::ranges::any_of(e.results, [&](const TaskResult& result) {
    return std::ranges::any_of(result.metrics,
                               [&](const auto& m) { return m.second.method == method; });
  });
}

std::string errors_text(const Evaluation& e) {
  if (has_error_by(e, ErrorMethod::kBootstrap)) {
    return localized(
        "± is the standard error: of acc that of the mean, of perplexity a bootstrap's ({} "
        "resamplings of the rows)\n",
        e.options.resamplings);
  }
  if (has_error_by(e, ErrorMethod::kMean)) {
    return localized("± is the standard error of the mean\n");
  }
  return "";
}

std::string evaluation_text(const Evaluation& e) {
  std::string text;
  for (const TaskResult& result : e.results) text += result_text(result);
  if (e.group) {
    text += localized("mean of {} paradigms, each as important as the others; ", e.results.size());
    text += result_text(*e.group);
  }
  return text + errors_text(e);
}

void write_samples(AtomicFile& file, const Evaluation& e, const std::vector<Row>& rows) {
  for (const Document& document : e.documents) {
    file.write(sample_json(*e.task, document, rows[document.row]).dump() + "\n");
  }
  file.commit();
}

std::vector<std::vector<Answer>> answers_to(const std::vector<LoggedSample>& samples,
                                            Generator& generator) {
  std::vector<Request> requests;
  for (const LoggedSample& sample : samples) {
    requests.insert(requests.end(), sample.requests.begin(), sample.requests.end());
  }
  StatusLine line;
  const RequestKind kind = samples[0].is_page ? RequestKind::kPage : RequestKind::kTarget;
  const auto all = answer_requests(generator, Protocol::kLmEval, kind, requests, shown_on(line));
  std::vector<std::vector<Answer>> answers;
  auto at = all.begin();
  for (const LoggedSample& sample : samples) {
    const auto end = at + static_cast<ptrdiff_t>(sample.requests.size());
    answers.emplace_back(at, end);
    at = end;
  }
  return answers;
}

// The samples as documents of the task, whose rows were logged with them.
std::vector<Document> documents_of(const Task& task, const std::vector<LoggedSample>& samples) {
  std::vector<Document> documents;
  for (size_t i = 0; i < samples.size(); ++i) {
    const LoggedSample& sample = samples[i];
    if (!sample.row) {
      fail(ErrorCode::kInvalidData, "line {}: there is no 'doc', the row that --task {} needs",
           sample.line, task.name);
    }
    Document document = {.row = i, .question = question_of(task, *sample.row)};
    document.requests = sample.requests;
    if (requests_of(task, document.question, "").size() != sample.requests.size()) {
      fail(ErrorCode::kInvalidData, "line {}: found {} requests, expected those of a row of {}",
           sample.line, sample.requests.size(), task.name);
    }
    documents.push_back(std::move(document));
  }
  return documents;
}

Evaluation evaluation_of(const Task& task, std::vector<Document> documents,
                         const std::vector<std::vector<Answer>>& answers, ThreadPool& pool) {
  for (size_t i = 0; i < documents.size(); ++i) documents[i].answers = answers[i];
  const auto rows = static_cast<int64_t>(documents.size());
  return summarise(task, std::move(documents), rows, {}, pool);
}

std::string comparison_text(const Comparison& c) {
  return localized(
      "{} requests of {} samples: the log-probabilities differ by {:.3g} nats at most (line {}); "
      "{} are greedy only here or only there; of {} samples another choice is the best\n",
      c.requests, c.documents, c.largest_difference, c.largest_line, c.greedy_differs,
      c.choice_differs);
}

// The results of the task by the answers here and by those that were logged.
struct TwoEvaluations {
  Evaluation here, logged;
};

TwoEvaluations evaluate_both(const Task& task, const std::vector<Document>& documents,
                             const std::vector<LoggedSample>& samples,
                             const std::vector<std::vector<Answer>>& answers) {
  std::vector<std::vector<Answer>> logged;
  for (const LoggedSample& sample : samples) logged.push_back(sample.answers);
  const Runtime runtime = make_runtime();
  return {.here = evaluation_of(task, documents, answers, runtime.pool()),
          .logged = evaluation_of(task, documents, logged, runtime.pool())};
}

std::vector<LoggedSample> read_samples(const EvalArguments& a) {
  std::vector<Row> rows = read_rows(a.requests);
  const auto limit = static_cast<size_t>(a.limit);
  if (limit > 0 && limit < rows.size()) rows.erase(rows.begin() + a.limit, rows.end());
  return parse_logged_samples(rows);
}

Json comparison_json(const Comparison& c) {
  return {{"samples", c.documents},
          {"requests", c.requests},
          {"largest_difference", c.largest_difference},
          {"largest_difference_line", c.largest_line},
          {"greedy_differs", c.greedy_differs},
          {"choice_differs", c.choice_differs}};
}

}  // namespace

int eval_task(const EvalArguments& a) {
  const Task& task = chosen_task(a);
  const EvaluationOptions options = {.fewshot = a.fewshot, .limit = a.limit};
  const std::vector<Row> rows = read_rows(a.data), pool = example_rows(a, task, rows);
  std::vector<Document> documents = make_documents(task, rows, pool, options);
  // A path that cannot be written to is refused now, not after hours.
  std::optional<AtomicFile> samples;
  if (!a.log_samples.empty()) samples.emplace(a.log_samples);
  Generator generator = load_generator(a);
  {
    StatusLine line;
    answer_documents(generator, task, documents, shown_on(line));
  }
  const Evaluation evaluation = summarise(task, std::move(documents),
                                          static_cast<int64_t>(rows.size()), options,
                                          make_runtime().pool());
  print(a.json ? results_json(evaluation, a.model).dump(2) + "\n" : evaluation_text(evaluation));
  if (samples) write_samples(*samples, evaluation, rows);
  return kExitDone;
}

int eval_requests(const EvalArguments& a) {
  const std::vector<LoggedSample> samples = read_samples(a);
  const Task* task = a.task == "perplexity" ? nullptr : &chosen_task(a);
  std::vector<Document> documents;
  if (task != nullptr) documents = documents_of(*task, samples);
  Generator generator = load_generator(a);
  const auto answers = answers_to(samples, generator);
  const Comparison comparison = compare_answers(samples, answers);
  Json json = comparison_json(comparison);
  std::string text = comparison_text(comparison);
  if (task != nullptr) {
    const TwoEvaluations both = evaluate_both(*task, documents, samples, answers);
    json["here"] = results_json(both.here, a.model)["results"];
    json["logged"] = results_json(both.logged, a.model)["results"];
    text += localized("here: {}as logged: {}", evaluation_text(both.here),
                      evaluation_text(both.logged));
  }
  print(a.json ? json.dump(2) + "\n" : text);
  return kExitDone;
}

}  // namespace inkstone::cli
