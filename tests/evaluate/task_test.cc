// From rows to requests: each task's rules by hand, and the requests that lm-eval made of the same
// rows.
#include "evaluate/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "evaluate/task_texts.h"
#include "lm_eval_runs.h"

namespace inkstone::evaluate {
namespace {

using test::mentions;
using test::thrown_by;
using Texts = std::vector<std::string>;

const Task& task_of(const std::string& name, Protocol protocol = Protocol::kLmEval) {
  return find_task(name, protocol);
}

// `row` may take several lines here.
Question ask(const std::string& task, std::string row, Protocol protocol = Protocol::kLmEval) {
  std::erase(row, '\n');
  return question_of(task_of(task, protocol), parse_rows(row, "rows.jsonl").at(0));
}

Error refusal(const std::string& task, const std::string& row) {
  return thrown_by([&] { ask(task, row); });
}

TEST(Wikitext, DetokenisesByAFixedList) {
  EXPECT_EQ(wikitext_detokenized("1 @,@ 000 @.@ 5 @-@ a : b ; c . d ! e ? f , g"),
            "1,000.5-a: b; c. d! e? f, g");
  EXPECT_EQ(wikitext_detokenized("( a ) [ b ] { c } \" d \" ' e ' (  )"),
            "(a) [b] {c} \"d\" 'e' ()");
  EXPECT_EQ(wikitext_detokenized("( a ( b ) c"), "(a ( b) c");  // to the next, not to its own
  EXPECT_EQ(wikitext_detokenized("( a"), "( a");
  EXPECT_EQ(wikitext_detokenized("(\u2003a\n)"), "(a)");
  EXPECT_EQ(wikitext_detokenized(" = = = A = = = \n \n b N c"), " === A ===\n\nb 1 c");
  EXPECT_EQ(wikitext_detokenized("20 \u00B0 C"), "20\u00B0C");
  EXPECT_EQ(wikitext_detokenized("the dogs ' tail"), "the dogs' tail");
  EXPECT_EQ(wikitext_detokenized("x /' 7/ y"), "x /'[0-9]/ y");
}

TEST(Wikitext, CountsThePageAsItIs) {
  const Question q = ask("wikitext", R"({"page": " a @-@ \u00e9 \n"})");
  EXPECT_EQ(q.continuations[0], " a-\u00E9\n");
  EXPECT_EQ(q.words, 5);  // "", "a", "@-@", "é", ""
  EXPECT_EQ(q.bytes, 11);
}

TEST(Lambada, SplitsAtTheLastBlank) {
  for (const char* task : {"lambada_openai", "lambada_standard"}) {
    const Question q = ask(task, R"({"text": "He went  home"})");
    EXPECT_EQ(q.contexts, Texts{"He went "});
    EXPECT_EQ(q.continuations, Texts{" home"});
    EXPECT_EQ(ask(task, R"({"text": "home"})").contexts, Texts{""});
    EXPECT_EQ(ask(task, R"({"text": "home"})").continuations, Texts{" home"});
  }
}

TEST(Hellaswag, CleansAndCapitalises) {
  EXPECT_EQ(hellaswag_cleaned("  a [title] b [step] c   d [x\ny] "), "a. b c  d [x\ny]");
  const Question q = ask("hellaswag", R"({"activity_label": "Rowing", "ctx_a": "A man rows.",
      "ctx_b": "then HE", "endings": ["a [x]", "b"], "label": "1", "ctx": "unused"})");
  EXPECT_EQ(q.contexts, Texts{"Rowing: A man rows. Then he"});
  EXPECT_EQ(q.continuations, (Texts{"a ", "b"}));
  EXPECT_EQ(q.answer, 1);
}

TEST(Hellaswag, IsTheBareContextByLlmc) {
  const Question q = ask("hellaswag", R"({"ctx": "A [x] man", "endings": ["a", "b"], "label": 0})",
                         Protocol::kLlmC);
  EXPECT_EQ(q.contexts, Texts{"A [x] man"});
  EXPECT_EQ(requests_of(task_of("hellaswag", Protocol::kLlmC), q, ""),
            (std::vector<Request>{{"A [x] man", " a"}, {"A [x] man", " b"}}));
}

TEST(Questions, AreAskedAsLmEvalDoes) {
  EXPECT_EQ(ask("piqa", R"({"goal": "g", "sol1": "a", "sol2": "b", "label": 1})").contexts,
            Texts{"Question: g\nAnswer:"});
  const std::string choices = R"("choices": {"text": ["x", "y"], "label": ["1", "2"]})";
  const Question arc = ask("arc_easy", R"({"question": "q", "answerKey": "2", )" + choices + "}");
  EXPECT_EQ(arc.contexts, Texts{"Question: q\nAnswer:"});
  EXPECT_EQ(arc.continuations, (Texts{"x", "y"}));
  EXPECT_EQ(arc.answer, 1);
  const Question obqa = ask("openbookqa",
                            R"({"question_stem": "s", "answerKey": " 1", )" + choices + "}");
  EXPECT_EQ(obqa.contexts, Texts{"s"});
  EXPECT_EQ(obqa.answer, 0);
  EXPECT_EQ(ask("blimp", R"({"sentence_good": "g", "sentence_bad": "b", "UID": "u"})").part, "u");
  EXPECT_EQ(ask("blimp", R"({"sentence_good": "g", "sentence_bad": "b"})").part, "");
}

TEST(Winogrande, ChoosesBetweenContexts) {
  const Question q = ask("winogrande", R"({"sentence": "So _ ran _ off. ", "option1": "Ana",
                                          "option2": "Bo", "answer": "2"})");
  EXPECT_EQ(q.contexts, (Texts{"So Ana", "So Bo"}));
  EXPECT_EQ(q.continuations, Texts{"ran _ off."});
  EXPECT_EQ(q.answer, 1);
  EXPECT_EQ(requests_of(task_of("winogrande"), q, "E"),
            (std::vector<Request>{{"ESo Ana", " ran _ off."}, {"ESo Bo", " ran _ off."}}));
}

TEST(Wsc273, OptionsTakeThePlaceOfThePronoun) {
  const Question q = ask("wsc273", R"({"text": "The cat  saw his dog.", "pronoun": "his",
      "pronoun_loc": 12, "options": ["The cat", "A They They"], "label": 0})");
  EXPECT_EQ(q.contexts, (Texts{"The cat saw the cat's", "The cat saw a They They's"}));
  EXPECT_EQ(q.continuations, Texts{" dog."});
  EXPECT_EQ(wsc273_option("x. He ran", "He", 3, "The man"), "The man");
  EXPECT_EQ(wsc273_option("He ran.", "He", 0, "The man"), "the man");  // text[-2] is "n"
  EXPECT_EQ(wsc273_option("He ran. ", "He", 0, "They"), "They");       // and here "."
}

TEST(Examples, EndWithABlankLine) {
  const Question choice{.contexts = {"q"}, .continuations = {"a", "b"}, .answer = 1};
  EXPECT_EQ(example_text(choice), "q b\n\n");
  const Question contexts{.contexts = {"q", "r"}, .continuations = {"a"}, .answer = 1};
  EXPECT_EQ(example_text(contexts), "r a\n\n");
}

TEST(Tasks, SayWhatARowMustHave) {
  const Error lacking = refusal("piqa", R"({"goal": "g", "sol1": "x", "label": 1})");
  EXPECT_EQ(lacking.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(
      mentions(lacking,
               "'rows.jsonl', line 1: the key 'sol2' is missing (found: goal, sol1, label); "
               "a row of piqa has goal, sol1, sol2, label"));
  EXPECT_TRUE(mentions(refusal("piqa", R"({"goal": "g", "sol1": "a", "sol2": "b", "label": -1})"),
                       "the answer is choice -1 of 2, counted from 0: a test split"));
  EXPECT_TRUE(mentions(
      refusal("arc_easy",
              R"({"question": "q", "answerKey": "C", "choices": {"text": ["a"], "label": ["A"]}})"),
      "the answerKey 'C'"));
  EXPECT_TRUE(
      mentions(refusal("winogrande", R"({"sentence": "no gap", "answer": "1"})"), "no '_'"));
  EXPECT_TRUE(mentions(refusal("wsc273", R"({"text": "ab", "pronoun": "b", "pronoun_loc": 9,
                                            "options": ["x", "y"], "label": 0})"),
                       "found the place 9, expected 0 to 2"));
}

TEST(Tasks, BelongToAProtocol) {
  const Error error = thrown_by([] { find_task("piqa", Protocol::kLlmC); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(mentions(error, "no task 'piqa', expected one of hellaswag"));
}

class Requests : public ::testing::TestWithParam<LmEvalRun> {};
INSTANTIATE_TEST_SUITE_P(LmEval, Requests, ::testing::ValuesIn(lm_eval_runs()),
                         [](const auto& test) { return test.param.name(); });

// The same texts, examples included, to the byte.
TEST_P(Requests, AreLmEvals) {
  std::vector<Document> documents = documents_of(GetParam());
  // lm-eval runs the paradigms of blimp one after the other.
  std::map<std::string, size_t> paradigms;
  for (const LoggedSample& sample : samples_of(GetParam())) {
    if (sample.row->has("UID")) paradigms.try_emplace(sample.row->text("UID"), paradigms.size());
  }
  std::ranges::stable_sort(documents, {},
                           [&](const Document& d) { return paradigms[d.question.part]; });
  const std::vector<LoggedSample> samples = samples_of(GetParam());
  ASSERT_EQ(documents.size(), samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(documents[i].requests.size(), samples[i].requests.size()) << i;
    for (size_t j = 0; j < samples[i].requests.size(); ++j) {
      EXPECT_EQ(documents[i].requests[j].context, samples[i].requests[j].context) << i;
      EXPECT_EQ(documents[i].requests[j].continuation, samples[i].requests[j].continuation) << i;
    }
  }
}

}  // namespace
}  // namespace inkstone::evaluate
