// What lm-eval 0.4.13 did with the fixtures (tools/make_evaluate_fixtures.py): one run per task
// without examples, and for some one with them.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "evaluate/evaluation.h"
#include "evaluate/logged_samples.h"
#include "support.h"

namespace inkstone::evaluate {

struct LmEvalRun {
  std::string task;
  int64_t fewshot = 0;

  std::string name() const { return task + "_" + std::to_string(fewshot); }
};

inline void PrintTo(const LmEvalRun& run, std::ostream* out) { *out << run.name(); }

inline std::vector<LmEvalRun> lm_eval_runs() {
  return {{"wikitext", 0},
          {"lambada_openai", 0},
          {"lambada_openai", 1},
          {"lambada_standard", 0},
          {"lambada_standard", 2},
          {"hellaswag", 0},
          {"hellaswag", 2},
          {"piqa", 0},
          {"piqa", 3},
          {"arc_easy", 0},
          {"arc_easy", 1},
          {"arc_challenge", 0},
          {"winogrande", 0},
          {"winogrande", 2},
          {"openbookqa", 0},
          {"openbookqa", 7},
          {"wsc273", 0},
          {"wsc273", 2},
          {"blimp", 0}};
}

inline std::string fixture_file(const std::string& name) {
  return test::fixture("evaluate/" + name).string();
}

inline std::vector<Row> rows_of(const LmEvalRun& run) {
  return read_rows(fixture_file("rows_" + run.task + ".jsonl"));
}

inline Generator fixture_generator() {
  const auto folder = test::fixture("evaluate/model");
  return {Model::load(folder), Tokenizer::load(folder)};
}

// The rows that lm-eval drew examples from.
inline std::vector<Row> pool_of(const LmEvalRun& run) {
  if (run.fewshot == 0) return {};
  const bool has_own = find_task(run.task, Protocol::kLmEval).fewshot == FewshotPool::kOwnRows;
  return has_own ? rows_of(run) : read_rows(fixture_file("pool_" + run.task + ".jsonl"));
}

// Its samples, in the order in which it wrote them: of blimp paradigm after paradigm.
inline std::vector<LoggedSample> samples_of(const LmEvalRun& run) {
  return parse_logged_samples(read_rows(fixture_file("samples_" + run.name() + ".jsonl")));
}

inline std::vector<Document> documents_of(const LmEvalRun& run) {
  return make_documents(find_task(run.task, Protocol::kLmEval), rows_of(run), pool_of(run),
                        {.fewshot = run.fewshot});
}

}  // namespace inkstone::evaluate
