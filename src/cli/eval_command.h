// What the parts of `inkstone eval` share.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/reading_options.h"
#include "evaluate/task.h"
#include "inkstone/generator.h"

namespace inkstone::cli {

struct EvalArguments {
  ComputeArguments compute;
  std::string model, task = "perplexity";
  bool json = false;
  // Of --task perplexity: a text.
  std::string file;
  bool raw = false;
  ReadingArguments reading;
  // Of the other tasks: rows.
  std::vector<std::string> data;
  std::string protocol = "lm-eval-0.4.13", fewshot_data, requests, log_samples;
  int64_t fewshot = 0, limit = 0;
};

Generator load_generator(const EvalArguments& arguments);

// The loss and perplexity of a text; a task of its rows; the requests that lm-eval logged, asked
// again. Each prints, and returns the exit status.
int eval_text(const EvalArguments& arguments);
int eval_task(const EvalArguments& arguments);
int eval_requests(const EvalArguments& arguments);

}  // namespace inkstone::cli
