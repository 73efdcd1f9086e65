// Records with a completion: which are recognised, what they become, and what is said of the
// others.
#include "corpus/read/dialogue.h"

#include <string>

#include "read_support.h"

namespace inkstone {
namespace {

using test::content_of;
using test::SourceContent;
using Texts = std::vector<std::string>;

// "user: a | assistant: b" for each document.
Texts shown(const SourceContent& content) {
  Texts all;
  for (const std::string& packed : content.documents) {
    std::string text;
    for (const Turn& turn : unpack(packed).turns)
      text += (text.empty() ? "" : " | ") + turn.role + ": " + turn.content;
    all.push_back(text);
  }
  return all;
}

SourceContent read_records(const std::string& name, std::string_view bytes,
                           Records records = Records::kAuto) {
  return content_of(name, bytes, {.records = records});
}

std::string reason_of(const std::string& line, Records records = Records::kCompletion) {
  const SourceContent content = read_records("a.jsonl", line, records);
  EXPECT_TRUE(content.documents.empty()) << line;
  EXPECT_EQ(content.dropped.size(), 1u) << line;
  return content.dropped.empty() ? "" : content.dropped.front();
}

TEST(Dialogue, PacksAnyBytes) {
  const Dialogue all{RecordShape::kMessages,
                     {{"user", std::string("\0\n\x1F", 3)}, {"", ""}, {"assistant", "é"}}};
  const Dialogue again = unpack(pack(all));
  EXPECT_EQ(again.shape, all.shape);
  EXPECT_EQ(again.turns, all.turns);
}

TEST(Dialogue, EveryShapeIsRecognised) {
  const auto lines = read_records(
      "a.jsonl",
      R"({"prompt": "p", "completion": "c", "id": 1})"
      "\n"
      R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},)"
      R"({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]})"
      "\n"
      R"({"instruction": "i", "input": "in", "output": "o"})"
      "\n"
      R"({"instruction": "i", "output": "o"})"
      "\n"
      R"({"instruction": "i", "input": null, "output": "o"})");
  EXPECT_EQ(shown(lines), (Texts{"user: p | assistant: c", "system: s | user: u | assistant: ab",
                                 "user: i\n\nin | assistant: o", "user: i | assistant: o",
                                 "user: i | assistant: o"}));
  EXPECT_TRUE(lines.dropped.empty());
  ASSERT_EQ(lines.facts.size(), 1u);
  ASSERT_EQ(lines.facts[0].notes.size(), 3u);
  EXPECT_EQ(lines.facts[0].notes[0].english(),
            "1 records are {prompt, completion}: the completion is trained, the prompt is not "
            "(--records text: they are text)");
  EXPECT_EQ(shown(read_records("a.json", R"([{"prompt": "p", "completion": "c"}])")),
            Texts{"user: p | assistant: c"});
}

TEST(Dialogue, ARecordWithATextIsTextUnlessToldOtherwise) {
  const std::string line = R"({"text": "t", "instruction": "i", "output": "o"})";
  const auto taken = read_records("a.jsonl", line);
  EXPECT_EQ(taken.documents, Texts{"t"});
  ASSERT_EQ(taken.facts[0].notes.size(), 1u);
  EXPECT_TRUE(taken.facts[0].notes[0].english().starts_with("1 records have a text and are"));
  EXPECT_EQ(shown(read_records("a.jsonl", line, Records::kCompletion)),
            Texts{"user: i | assistant: o"});
  EXPECT_EQ(read_records("a.jsonl", line, Records::kText).documents, Texts{"t"});
  EXPECT_EQ(content_of("a.jsonl", R"({"prompt": "p", "completion": "c"})").dropped.size(), 1u);
}

TEST(Dialogue, BadRecordsAreLeftOutWithTheirReason) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"prompt": "p"})", "'completion' is missing"},
      {R"({"completion": "p"})", "'prompt' is missing"},
      {R"({"output": "p"})", "'instruction' is missing"},
      {R"({"prompt": 1, "completion": "c"})", "'prompt' is a number, expected a string"},
      {R"({"prompt": "p", "completion": null})", "'completion' is null, expected a string"},
      {R"({"prompt": "p", "completion": ["c"]})", "'completion' is an array, expected a string"},
      {R"({"prompt": "p", "completion": ""})", "the completion is empty"},
      {R"({"instruction": "p", "input": 3, "output": "c"})", "'input' is a number"},
      {R"({"messages": "x"})", "'messages' is a string, expected an array"},
      {R"({"messages": []})", "there is no turn of the assistant"},
      {R"({"messages": [1]})", "message 1: it is a number, expected an object"},
      {R"({"messages": [{"role": "user"}]})", "message 1: 'content' is missing"},
      {R"({"messages": [{"content": "user"}]})", "message 1: 'role' is missing"},
      {R"({"messages": [{"role": 1, "content": "x"}]})", "message 1: 'role' is a number"},
      {R"({"messages": [{"role": "tool", "content": "x"}]})",
       "message 1: the role 'tool' has no place in the template, which has system, user, "
       "assistant"},
      {R"({"messages": [{"role": "user", "content": null}]})", "message 1: 'content' is null"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
       "a part of the type 'image', expected text alone"},
      {R"({"messages": [{"role": "user", "content": [1]}]})", "'content' has a number in its list"},
      {R"({"messages": [{"role": "assistant", "content": ""}]})", "the completion is empty"},
      {R"({"other": 1})", "there is 'other', expected prompt and completion, or messages"},
      {R"([1])", "the record is an array, no object"},
      {R"("text")", "the record is a string, no object"},
      {R"({"prompt": "p", "completion)", "malformed JSON"}};
  for (const auto& [line, part] : cases) {
    const std::string reason = reason_of(line);
    EXPECT_NE(reason.find(part), std::string::npos) << reason;
    EXPECT_NE(reason.find("line 1: "), std::string::npos) << reason;
  }
}

TEST(Dialogue, MarksInvalidBytesAndSurrogatesAreAsInText) {
  const auto marked = read_records("a.jsonl",
                                   "\xEF\xBB\xBF{\"prompt\": \"p\", \"completion\": \"c\"}");
  EXPECT_EQ(shown(marked), Texts{"user: p | assistant: c"});
  const auto invalid = content_of("a.jsonl",
                                  "{\"prompt\": \"p\", \"completion\": \"\xC3(\\ud800\"}\n",
                                  {.encoding = "UTF-8", .records = Records::kAuto});
  EXPECT_EQ(shown(invalid), Texts{"user: p | assistant: \uFFFD(\uFFFD"});
  EXPECT_EQ(invalid.replaced, std::vector<int64_t>{2});
}

TEST(Dialogue, ARecordThatIsTooLongIsLeftOut) {
  const std::string huge(9 << 20, 'x');
  const auto content = read_records("a.jsonl", R"({"prompt": "p", "completion": ")" + huge +
                                                   "\"}\n" +
                                                   R"({"prompt": "p", "completion": "c"})");
  EXPECT_EQ(shown(content), Texts{"user: p | assistant: c"});
  EXPECT_EQ(content.dropped, Texts{"a.jsonl#1: a record longer than 8 MiB"});
}

TEST(Dialogue, TablesHaveThemInColumns) {
  const auto pairs = read_records("a.csv",
                                  "id;completion;prompt\n1;\"c;\nd\";p\n2;;p\n3;c\n4;c;p;more\n");
  EXPECT_EQ(shown(pairs), (Texts{"user: p | assistant: c;\nd", "user: p | assistant: c"}));
  ASSERT_EQ(pairs.dropped.size(), 2u);
  EXPECT_NE(pairs.dropped[0].find("line 4: the completion is empty"), std::string::npos);
  EXPECT_NE(pairs.dropped[1].find("line 5: 2 columns, and column 3 is wanted"), std::string::npos);
  EXPECT_EQ(shown(read_records("a.tsv", "instruction\tinput\toutput\ni\tx\to\nj\t\tp\n")),
            (Texts{"user: i\n\nx | assistant: o", "user: j | assistant: p"}));
  EXPECT_EQ(shown(read_records("a.csv", "instruction,output\ni,o\n")),
            Texts{"user: i | assistant: o"});
}

TEST(Dialogue, ATableWithATextIsTextUnlessToldOtherwise) {
  const std::string table = "text,prompt,completion\nt,p,c\n";
  const auto taken = read_records("a.csv", table);
  EXPECT_EQ(taken.documents, Texts{"t"});
  EXPECT_EQ(shown(read_records("a.csv", table, Records::kCompletion)),
            Texts{"user: p | assistant: c"});
  const auto lacking = read_records("a.csv", "a,b\n1,2\n", Records::kCompletion);
  EXPECT_TRUE(lacking.documents.empty());
  ASSERT_EQ(lacking.dropped.size(), 1u);
  EXPECT_NE(lacking.dropped[0].find("expected the columns prompt and completion"),
            std::string::npos);
}

}  // namespace
}  // namespace inkstone
