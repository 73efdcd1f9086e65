// A task from its rows to its results.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluate/metric.h"
#include "evaluate/scoring.h"
#include "evaluate/task.h"
#include "inkstone/generator.h"

namespace inkstone::evaluate {

struct EvaluationOptions {
  int64_t fewshot = 0;           // examples before each row
  int64_t limit = 0;             // rows, from the first; 0: all
  int64_t resamplings = 100000;  // of a bootstrap, a multiple of 1000; 0: none
};

// A row on its way: what it asks, then what the model answered.
struct Document {
  size_t row = 0;  // its place among the rows
  Question question = {};
  std::vector<Request> requests = {};
  std::vector<Answer> answers = {};  // one for each request
};

// The results of a task, or of one paradigm of blimp.
struct TaskResult {
  std::string name;  // "hellaswag", "blimp_adjunct_island"
  int64_t documents = 0;
  std::vector<std::pair<Metric, Estimate>> metrics = {};
};

struct Evaluation {
  const Task* task = nullptr;
  EvaluationOptions options = {};
  int64_t rows = 0;                      // in the data
  std::vector<Document> documents = {};  // those that were evaluated
  std::vector<TaskResult> results = {};  // one; of blimp one for each paradigm, by name
  // Of blimp: the mean of its paradigms, each as important as the others.
  std::optional<TaskResult> group = {};
};

// The questions and requests of the rows, `fewshot` examples of `pool` before each. Throws
// kInvalidData naming the line and what a row of the task has, kUsage for examples that the task or
// the pool has not.
std::vector<Document> make_documents(const Task& task, const std::vector<Row>& rows,
                                     const std::vector<Row>& pool,
                                     const EvaluationOptions& options);

// Lets the model answer all requests of the documents, in batches.
void answer_documents(Generator& generator, const Task& task, std::vector<Document>& documents,
                      const OnProgress& on_progress = {});

// What was measured, of documents that have answers. `rows`: how many the data has.
Evaluation summarise(const Task& task, std::vector<Document> documents, int64_t rows,
                     const EvaluationOptions& options, ThreadPool& pool);

}  // namespace inkstone::evaluate
