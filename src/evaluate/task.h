// The tasks of lm-eval 0.4.13 that there are here, as one table: what a row must have, the question
// that it makes, and what is measured. docs/evaluation.md has the rules in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evaluate/metric.h"
#include "evaluate/question.h"
#include "evaluate/rows.h"

namespace inkstone::evaluate {

// Whose rules: texts, tokens and scores.
enum class Protocol {
  kLmEval,  // lm-eval 0.4.13 with a causal model of Transformers
  kLlmC,    // llm.c's dev/data/hellaswag.py
};

// {"lm-eval-0.4.13", Protocol::kLmEval}, ...
const std::vector<std::pair<std::string, Protocol>>& protocol_names();

enum class RequestKind {
  kChoice,  // which of several continuations, or contexts, is the most probable
  kTarget,  // the probability of one continuation
  kPage,    // the probability of a whole text, in windows
};

// Where the examples of a few-shot prompt come from.
enum class FewshotPool {
  kNone,       // the task takes none
  kTraining,   // rows of another split
  kOtherRows,  // the same, but one more is drawn and the row itself left out
  kOwnRows,    // the rows that are evaluated, as there is no other split
};

struct Task {
  std::string name;
  Protocol protocol = Protocol::kLmEval;
  RequestKind kind = RequestKind::kChoice;
  std::string keys;  // of a row, for messages: "goal, sol1, sol2, label"
  Question (*question)(const Row& row) = nullptr;
  std::vector<Metric> metrics;
  FewshotPool fewshot = FewshotPool::kTraining;
  double version = 1.0;  // lm-eval's, of the task
};

// Every task of every protocol.
const std::vector<Task>& tasks();

// Names of the tasks, each once.
std::vector<std::string> task_names();

// The task of the protocol; kUsage: it has no such task, and these it has.
const Task& find_task(std::string_view name, Protocol protocol);

// The question of a row; errors say what the task wants of a row.
Question question_of(const Task& task, const Row& row);

// The requests of a question behind the text of the examples (see fewshot.h): one for each choice,
// or one. Of a page its context is empty.
std::vector<Request> requests_of(const Task& task, const Question& question,
                                 std::string_view examples);

// A question with its answer, as an example before others: "Question: ...\nAnswer: yes\n\n".
std::string example_text(const Question& question);

}  // namespace inkstone::evaluate
