// `inkstone eval`: how well a model predicts a text, and the tasks of lm-eval.
#include "cli/eval_command.h"

#include <memory>

#include "base/error.h"

namespace inkstone::cli {
namespace {

using Option = std::pair<const char*, bool>;  // its name, and whether it was given

void refuse_given(std::initializer_list<Option> options, const Message& belongs) {
  for (const auto& [name, is_given] : options) {
    if (is_given) fail(ErrorCode::kUsage, "found {}, which {}", name, belongs);
  }
}

void check_text(const EvalArguments& a) {
  refuse_given({{"--data", !a.data.empty()},
                {"--fewshot", a.fewshot > 0},
                {"--fewshot-data", !a.fewshot_data.empty()},
                {"--limit", a.limit > 0},
                {"--log-samples", !a.log_samples.empty()}},
               marked("goes with a task of rows: --task hellaswag, for example"));
  if (a.file.empty()) {
    fail(ErrorCode::kUsage,
         "no text is given: expected FILE, or --task and --data FILE, or --requests FILE");
  }
}

void check_rows(const EvalArguments& a) {
  refuse_given({{"FILE", !a.file.empty()}, {"--raw", a.raw}},
               marked("goes with --task perplexity: rows of a task come with --data"));
  if (a.data.empty()) {
    fail(ErrorCode::kUsage, "--task {} needs its rows: --data FILE, with JSON lines", a.task);
  }
}

void check_requests(const EvalArguments& a) {
  refuse_given({{"FILE", !a.file.empty()},
                {"--raw", a.raw},
                {"--data", !a.data.empty()},
                {"--fewshot", a.fewshot > 0},
                {"--fewshot-data", !a.fewshot_data.empty()},
                {"--log-samples", !a.log_samples.empty()}},
               marked("does not go with --requests, whose file has the whole requests"));
  if (a.protocol != "lm-eval-0.4.13") {
    fail(ErrorCode::kUsage, "found --protocol {}: the requests of --requests are lm-eval's",
         a.protocol);
  }
}

int run_eval(const EvalArguments& a) {
  if (!a.requests.empty()) return check_requests(a), eval_requests(a);
  if (a.task == "perplexity") return check_text(a), eval_text(a);
  return check_rows(a), eval_task(a);
}

void add_task_options(CLI::App* c, EvalArguments& a) {
  std::vector<std::string> names = evaluate::task_names(), protocols;
  names.insert(names.begin(), "perplexity");
  for (const auto& [name, protocol] : evaluate::protocol_names()) protocols.push_back(name);
  c->add_option("--task", a.task,
                "what is measured: the perplexity of FILE, or a task of lm-eval on rows")
      ->check(one_of(names))
      ->capture_default_str();
  c->add_option("--data", a.data,
                "rows of the task: JSON lines with the keys of its Hugging Face data set "
                "(docs/evaluation.md); several files are one after the other")
      ->type_name("FILE");
  c->add_option("--protocol", a.protocol, "whose rules: how rows become requests and scores")
      ->check(one_of(protocols))
      ->capture_default_str();
  c->add_option("--fewshot", a.fewshot, "examples before each row, drawn as lm-eval draws them")
      ->check(whole_number(0, 1000))
      ->type_name("N");
  c->add_option("--fewshot-data", a.fewshot_data,
                "rows for the examples: the task's training split")
      ->type_name("FILE");
  c->add_option("--limit", a.limit, "only the first N rows")
      ->check(whole_number(1))
      ->type_name("N");
  c->add_option("--requests", a.requests,
                "asks the requests of lm-eval's samples_TASK.jsonl (--log_samples) again and "
                "compares the answers; with --task the results too")
      ->type_name("FILE");
  c->add_option("--log-samples", a.log_samples,
                "writes requests, answers and scores of every row, as lm-eval logs them")
      ->type_name("FILE");
}

}  // namespace

Generator load_generator(const EvalArguments& a) {
  return {Model::load(a.model, load_options(a.compute)),
          Tokenizer::load(find_tokenizer(a.model, a.compute.adapter))};
}

void add_eval_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* c = add_command(app, selection, "eval", "Perplexity of a text, or a task of lm-eval",
                            marked("  inkstone eval run book.txt\n"
                                   "  inkstone eval run --task hellaswag --data validation.jsonl"),
                            [a] { return run_eval(*a); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  add_compute_options(c, a->compute);
  c->add_option("FILE", a->file,
                "text of any kind that prepare reads, or - for standard input; each document is "
                "scored from its beginning, and of several the end mark too");
  c->add_flag("--raw", a->raw,
              "the bytes of the file as one document: nothing is decoded, divided or cleaned");
  add_reading_options(c, a->reading);
  add_task_options(c, *a);
  c->add_flag("--json", a->json, "print a JSON object: of a task, lm-eval's results");
}

}  // namespace inkstone::cli
