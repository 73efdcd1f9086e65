#include "evaluate/task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "evaluate/python_text.h"
#include "evaluate/task_texts.h"

namespace inkstone::evaluate {
namespace {

int64_t checked_answer(int64_t answer, size_t choices) {
  if (answer >= 0 && answer < static_cast<int64_t>(choices)) return answer;
  fail(ErrorCode::kInvalidData,
       "the answer is choice {} of {}, counted from 0: a test split whose answers are not "
       "published cannot be evaluated",
       answer, choices);
}

Question choices_of(std::string context, std::vector<std::string> choices, int64_t answer) {
  answer = checked_answer(answer, choices.size());
  return {.contexts = {std::move(context)}, .continuations = std::move(choices), .answer = answer};
}

Question wikitext(const Row& row) {
  const std::string& page = row.text("page");
  return {.contexts = {""},
          .continuations = {wikitext_detokenized(page)},
          .words = count_split_words(page),
          .bytes = static_cast<int64_t>(page.size())};
}

// Split at the last blank; a text without one is all continuation.
Question lambada(const Row& row) {
  const std::string& text = row.text("text");
  const size_t blank = text.rfind(' ');
  if (blank == text.npos) return {.contexts = {""}, .continuations = {" " + text}};
  return {.contexts = {text.substr(0, blank)}, .continuations = {text.substr(blank)}};
}

Question hellaswag(const Row& row) {
  const std::string context = row.text("activity_label") + ": " + row.text("ctx_a") + " " +
                              python_capitalize(row.text("ctx_b"));
  std::vector<std::string> endings = row.texts("endings");
  for (std::string& ending : endings) ending = hellaswag_cleaned(ending);
  return choices_of(hellaswag_cleaned(context), std::move(endings), row.number("label"));
}

Question llmc_hellaswag(const Row& row) {
  return choices_of(row.text("ctx"), row.texts("endings"), row.number("label"));
}

Question piqa(const Row& row) {
  return choices_of("Question: " + row.text("goal") + "\nAnswer:",
                    {row.text("sol1"), row.text("sol2")}, row.number("label"));
}

// The place of the answer's letter among the labels of the choices.
Question lettered(std::string context, const Row& row, std::string_view letter) {
  const Row choices = row.inner("choices");
  const std::vector<std::string> labels = choices.texts("label");
  std::vector<std::string> texts = choices.texts("text");
  const auto found = std::ranges::find(labels, letter);
  if (labels.size() != texts.size() || found == labels.end()) {
    fail(ErrorCode::kInvalidData,
         "'choices' has {} texts and the labels {}, expected as many, with the answerKey '{}' "
         "among them",
         texts.size(), fmt::format("{}", fmt::join(labels, ", ")), letter);
  }
  return choices_of(std::move(context), std::move(texts), found - labels.begin());
}

Question arc(const Row& row) {
  return lettered("Question: " + row.text("question") + "\nAnswer:", row, row.text("answerKey"));
}

// Its answerKey may have blanks in front.
Question openbookqa(const Row& row) {
  return lettered(row.text("question_stem"), row, python_lstrip(row.text("answerKey")));
}

// An option in the place of "_" makes a context; what follows "_" is the continuation.
Question winogrande(const Row& row) {
  const std::string& sentence = row.text("sentence");
  const size_t gap = sentence.find('_');
  if (gap == sentence.npos) {
    fail(ErrorCode::kInvalidData, "'sentence' has no '_', which stands for the options");
  }
  const std::string before = sentence.substr(0, gap);
  const int64_t answer = row.number("answer");  // 1 or 2
  const std::string behind(python_strip(std::string_view(sentence).substr(gap + 1)));
  return {.contexts = {before + row.text("option1"), before + row.text("option2")},
          .continuations = {behind},
          .answer = checked_answer(answer > 0 ? answer - 1 : -1, 2)};
}

Question wsc273(const Row& row) {
  const std::string text = replace_all(row.text("text"), "  ", " ");
  const std::string& pronoun = row.text("pronoun");
  const int64_t place = row.number("pronoun_loc");
  const size_t begin = byte_of_character(text, place);
  const size_t end = byte_of_character(
      text, std::min(place + count_characters(pronoun), count_characters(text)));
  std::vector<std::string> contexts = row.texts("options");
  if (contexts.size() != 2) {
    fail(ErrorCode::kInvalidData, "'options' has {} texts, expected 2", contexts.size());
  }
  for (std::string& option : contexts) {
    option = text.substr(0, begin) + wsc273_option(text, pronoun, place, option);
  }
  return {.contexts = std::move(contexts),
          .continuations = {text.substr(end)},
          .answer = checked_answer(row.number("label"), 2)};
}

// The sentence alone, behind nothing. Without "UID" all rows are one paradigm.
Question blimp(const Row& row) {
  Question question = choices_of("", {row.text("sentence_good"), row.text("sentence_bad")}, 0);
  if (row.has("UID")) question.part = row.text("UID");
  return question;
}

std::vector<Task> make_tasks() {
  using enum RequestKind;
  using enum FewshotPool;
  using enum Metric;
  const auto lm_eval = Protocol::kLmEval;
  const std::vector word = {kPerplexity, kTargetAcc}, choice = {kAcc, kAccNorm}, acc = {kAcc};
  const std::string arc_keys = "question, choices {text, label}, answerKey";
  return {
      {"wikitext",
       lm_eval,
       kPage,
       "page",
       wikitext,
       {kWordPerplexity, kBytePerplexity, kBitsPerByte},
       kNone,
       2.0},
      {"lambada_openai", lm_eval, kTarget, "text", lambada, word, kOwnRows},
      {"lambada_standard", lm_eval, kTarget, "text", lambada, word},
      {"hellaswag", lm_eval, kChoice, "activity_label, ctx_a, ctx_b, endings, label", hellaswag,
       choice, kOtherRows},
      {"piqa", lm_eval, kChoice, "goal, sol1, sol2, label", piqa, choice, kOtherRows},
      {"arc_easy", lm_eval, kChoice, arc_keys, arc, choice},
      {"arc_challenge", lm_eval, kChoice, arc_keys, arc, choice},
      {"winogrande", lm_eval, kChoice, "sentence, option1, option2, answer", winogrande, acc,
       kOtherRows},
      {"openbookqa", lm_eval, kChoice, "question_stem, choices {text, label}, answerKey",
       openbookqa, choice},
      {"wsc273", lm_eval, kChoice, "text, pronoun, pronoun_loc, options, label", wsc273, acc,
       kOwnRows},
      {"blimp", lm_eval, kChoice, "sentence_good, sentence_bad, UID", blimp, acc, kNone},
      {"hellaswag",
       Protocol::kLlmC,
       kChoice,
       "ctx, endings, label",
       llmc_hellaswag,
       {kAcc, kAccPerToken},
       kNone},
  };
}

}  // namespace

const std::vector<std::pair<std::string, Protocol>>& protocol_names() {
  static const std::vector<std::pair<std::string, Protocol>> names = {
      {"lm-eval-0.4.13", Protocol::kLmEval}, {"llm.c", Protocol::kLlmC}};
  return names;
}

const std::vector<Task>& tasks() {
  static const std::vector<Task> all = make_tasks();
  return all;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const Task& task : tasks()) {
    if (std::ranges::count(names, task.name) == 0) names.push_back(task.name);
  }
  return names;
}

const Task& find_task(std::string_view name, Protocol protocol) {
  std::string known;
  for (const Task& task : tasks()) {
    if (task.protocol != protocol) continue;
    if (task.name == name) return task;
    known += (known.empty() ? "" : ", ") + task.name;
  }
  fail(ErrorCode::kUsage, "the protocol has no task '{}', expected one of {}", name, known);
}

Question question_of(const Task& task, const Row& row) {
  try {
    return task.question(row);
  } catch (const Error& e) {
    throw Error(e.code(), message("{}: {}; a row of {} has {}", row.place(), e.message(), task.name,
                                  task.keys));
  }
}

std::vector<Request> requests_of(const Task& task, const Question& question,
                                 std::string_view examples) {
  if (task.kind == RequestKind::kPage) return {{"", question.continuations[0]}};
  std::vector<Request> requests;
  for (int64_t i = 0; i < question.choices(); ++i) {
    const std::string_view blank = task.kind == RequestKind::kChoice ? " " : "";
    requests.push_back({std::string(examples) + question.context(i),
                        std::string(blank) + question.continuation(i)});
  }
  return requests;
}

// Where contexts are chosen, an answer that is empty leaves the example without what divides it
// from its context and from the next.
std::string example_text(const Question& question) {
  const std::string& target = question.continuation(question.answer);
  if (target.empty() && question.has_several_contexts()) return question.context(question.answer);
  return question.context(question.answer) + " " + target + "\n\n";
}

}  // namespace inkstone::evaluate
