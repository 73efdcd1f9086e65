// Rows of a task, and samples that lm-eval logged. Laws: a row that is taken has an answer among
// its choices, a request for each of them and texts that are UTF-8; a logged sample has an answer
// for each request, and what is written of it is read again as the same.
#include "evaluate/logged_samples.h"
#include "evaluate/rows.h"
#include "evaluate/task.h"
#include "fuzz.h"

#include "base/utf8.h"

namespace {

using namespace inkstone;
using namespace inkstone::evaluate;

void check_question(const Task& task, const Question& question) {
  fuzz::require(question.answer >= 0 && question.answer < question.choices(),
                "the answer is a choice");
  const auto requests = requests_of(task, question, "");
  fuzz::require(static_cast<int64_t>(requests.size()) == question.choices(),
                "there is a request for each choice");
  for (const Request& request : requests) {
    fuzz::require(is_valid_utf8(request.context) && is_valid_utf8(request.continuation),
                  "requests are UTF-8");
  }
  fuzz::require(is_valid_utf8(example_text(question)), "an example is UTF-8");
}

void check_sample(const Task& task, const Row& row) {
  const LoggedSample sample = parse_logged_sample(row);
  fuzz::require(sample.answers.size() == sample.requests.size(), "each request has an answer");
  if (sample.is_page != (task.kind == RequestKind::kPage) || !sample.row) return;
  const Document document = {
      .question = question_of(task, *sample.row),
      .requests = sample.requests,
      .answers = sample.answers,
  };
  if (requests_of(task, document.question, "").size() != sample.requests.size()) return;
  const Json written = sample_json(task, document, *sample.row);
  const LoggedSample again = parse_logged_sample(Row("", 1, written));
  fuzz::require(again.requests == sample.requests, "requests are written as they are");
  for (size_t i = 0; i < again.answers.size(); ++i) {
    const double one = again.answers[i].log_prob, other = sample.answers[i].log_prob;
    fuzz::require(one == other || (one != one && other != other), "answers keep every digit");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Task& task = tasks()[data[0] % tasks().size()];
  std::vector<Row> rows;
  if (!fuzz::accepts([&] { rows = parse_rows(fuzz::as_text(data + 1, size - 1), "rows.jsonl"); })) {
    return 0;
  }
  for (const Row& row : rows) {
    fuzz::accepts([&] { check_question(task, question_of(task, row)); });
    fuzz::accepts([&] { check_sample(task, row); });
  }
  return 0;
}
