// What lm-eval --log_samples writes of each row (samples_TASK_DATE.jsonl): its requests and the
// answers that its model gave, to be asked again here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/evaluation.h"
#include "evaluate/rows.h"

namespace inkstone::evaluate {

struct LoggedSample {
  int64_t line = 0;
  std::vector<Request> requests = {};
  std::vector<Answer> answers = {};  // as logged; of a page `greedy` says nothing
  bool is_page = false;              // its one request is a whole text, in windows
  std::optional<Row> row = {};  // the row of the data set that the requests came from, if logged
};

// "arguments" as lm-eval's files have them ({"gen_args_0": {"arg_0": CONTEXT, "arg_1":
// CONTINUATION}, ...}, of a whole text arg_0 alone) or as a list of lists; "resps" as texts or as
// values ([[["-1.5", "True"]], ...]), of each request the first one. Throws kInvalidData naming the
// place.
LoggedSample parse_logged_sample(const Row& row);

// The samples of a file, which are all of pages or none of them.
std::vector<LoggedSample> parse_logged_samples(const std::vector<Row>& rows);

// Two sets of answers to the same requests.
struct Comparison {
  int64_t documents = 0, requests = 0;
  double largest_difference = 0;  // of two log-probabilities, in nats
  int64_t largest_line = 0;       // the line of that sample
  int64_t greedy_differs = 0;     // requests; of pages 0
  int64_t choice_differs = 0;     // samples with several requests, of which another is the largest
};
Comparison compare_answers(const std::vector<LoggedSample>& samples,
                           const std::vector<std::vector<Answer>>& answers);

// One row of a task as lm-eval logs it, so that other programs (and this one) can go through it.
Json sample_json(const Task& task, const Document& document, const Row& row);

}  // namespace inkstone::evaluate
