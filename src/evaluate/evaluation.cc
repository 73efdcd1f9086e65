#include "evaluate/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "evaluate/fewshot.h"

namespace inkstone::evaluate {
namespace {

void check_examples(const Task& task, int64_t fewshot) {
  if (fewshot == 0 || task.fewshot != FewshotPool::kNone) return;
  fail(ErrorCode::kUsage, "found {} examples, expected 0: {} takes none by this protocol", fewshot,
       task.name);
}

TaskResult result_of(const Task& task, std::string name, std::span<const Document* const> documents,
                     int64_t resamplings, ThreadPool& pool) {
  TaskResult result = {
      .name = std::move(name), .documents = static_cast<int64_t>(documents.size()), .metrics = {}};
  for (const Metric metric : task.metrics) {
    std::vector<Share> shares;
    for (const Document* d : documents) shares.push_back(share_of(metric, d->question, d->answers));
    result.metrics.emplace_back(metric, estimate(metric, shares, resamplings, pool));
  }
  return result;
}

// The documents of each part, by their names, as lm-eval lists them.
std::map<std::string, std::vector<const Document*>> parts_of(
    const std::vector<Document>& documents) {
  std::map<std::string, std::vector<const Document*>> parts;
  for (const Document& document : documents) parts[document.question.part].push_back(&document);
  return parts;
}

// The mean of the parts' values without weights; its error is sqrt(sum of their squares) / k.
Estimate mean_of_parts(const std::vector<TaskResult>& parts, size_t metric) {
  const auto count = static_cast<double>(parts.size());
  double sum = 0, squares = 0;
  bool has_errors = true;
  for (const TaskResult& part : parts) {
    const Estimate& estimate = part.metrics[metric].second;
    sum += estimate.value;
    has_errors = has_errors && estimate.standard_error.has_value();
    squares += std::pow(estimate.standard_error.value_or(0), 2);
  }
  Estimate mean = {.value = sum / count};
  if (has_errors)
    mean.standard_error = std::sqrt(squares) / count, mean.method = ErrorMethod::kMean;
  return mean;
}

TaskResult group_of(const Task& task, const std::vector<TaskResult>& parts) {
  TaskResult group = {.name = task.name, .documents = 0, .metrics = {}};
  for (const TaskResult& part : parts) group.documents += part.documents;
  for (size_t i = 0; i < task.metrics.size(); ++i) {
    group.metrics.emplace_back(task.metrics[i], mean_of_parts(parts, i));
  }
  return group;
}

}  // namespace

std::vector<Document> make_documents(const Task& task, const std::vector<Row>& rows,
                                     const std::vector<Row>& pool,
                                     const EvaluationOptions& options) {
  check_examples(task, options.fewshot);
  FewshotExamples examples(task, pool, options.fewshot);
  const size_t all = rows.size();
  const size_t count = options.limit == 0 ? all : std::min(all, static_cast<size_t>(options.limit));
  std::vector<Document> documents;
  for (size_t i = 0; i < count; ++i) {
    Question question = question_of(task, rows[i]);
    std::vector<Request> requests = requests_of(task, question, examples.before(rows[i]));
    documents.push_back({i, std::move(question), std::move(requests), {}});
  }
  return documents;
}

void answer_documents(Generator& generator, const Task& task, std::vector<Document>& documents,
                      const OnProgress& on_progress) {
  std::vector<Request> requests;
  for (const Document& d : documents)
    requests.insert(requests.end(), d.requests.begin(), d.requests.end());
  const std::vector<Answer> answers = answer_requests(generator, task.protocol, task.kind, requests,
                                                      on_progress);
  auto next = answers.begin();
  for (Document& d : documents) {
    const auto end = next + static_cast<ptrdiff_t>(d.requests.size());
    d.answers.assign(next, end);
    next = end;
  }
}

Evaluation summarise(const Task& task, std::vector<Document> documents, int64_t rows,
                     const EvaluationOptions& options, ThreadPool& pool) {
  Evaluation evaluation = {
      .task = &task, .options = options, .rows = rows, .documents = std::move(documents)};
  for (const auto& [part, those] : parts_of(evaluation.documents)) {
    const std::string name = part.empty() ? task.name : task.name + "_" + part;
    evaluation.results.push_back(result_of(task, name, those, options.resamplings, pool));
  }
  const bool has_parts = !evaluation.documents[0].question.part.empty();
  if (has_parts) evaluation.group = group_of(task, evaluation.results);
  return evaluation;
}

}  // namespace inkstone::evaluate
