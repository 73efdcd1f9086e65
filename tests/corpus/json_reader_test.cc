// JSON lines, arrays and sequences of values.
#include "read_support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

TEST(JsonLines, GivesTheFieldOfEachLine) {
  const auto content = content_of(
      "a.jsonl", "{\"id\": 1, \"text\": \"one\"}\r\n\n  {\"text\":\"t\\u0077o\\n\"}\n\"three\"");
  EXPECT_EQ(content.documents, (Texts{"one", "two\n", "three"}));
  EXPECT_EQ(content.places, (Texts{"a.jsonl#1", "a.jsonl#2", "a.jsonl#3"}));
  EXPECT_TRUE(content.dropped.empty());
}

TEST(JsonLines, TheFieldMayLieInside) {
  const std::string_view lines =
      "{\"a.b\": \"whole name\", \"a\": {\"b\": \"inner\"}}\n{\"a\": {\"b\": \"inner\"}}\n";
  EXPECT_EQ(content_of("a.ndjson", lines, {.json_field = "a.b"}).documents,
            (Texts{"whole name", "inner"}));
  const auto deep = content_of(
      "a.jsonl", "{\"a.b\": {\"c\": \"1\"}}\n{\"a\": {\"b.c\": \"2\"}}\n{\"a\": \"x\"}\n",
      {.json_field = "a.b.c"});
  EXPECT_EQ(deep.documents, (Texts{"1", "2"}));
  EXPECT_EQ(deep.dropped,
            Texts{"a.jsonl#3: line 3: no field 'a.b.c'; there is 'a' (--json-field NAME, or "
                  "NAME,NAME)"});
  // Names are shown in whole characters.
  const auto chinese = content_of("a.jsonl", "{\"秦川雄帝宅函谷壯皇居綺殿千尋起\": \"x\"}\n");
  EXPECT_EQ(chinese.dropped,
            Texts{"a.jsonl#1: line 1: no field 'text'; there is '秦川雄帝宅函谷壯皇居綺殿千' "
                  "(--json-field NAME, or NAME,NAME)"});
}

TEST(Json, AnArrayOfStringsIsLines) {
  const std::string_view poems =
      R"([{"title": "靜夜思", "author": null, "paragraphs": ["牀前明月光，", "疑是地上霜。"]},)"
      R"({"title": "春曉", "paragraphs": [["春眠不覺曉，"], "處處聞啼鳥。"]}, ["a", "b"],)"
      R"({"author": "x"}, {"paragraphs": ["a", 1]}, {"title": "", "paragraphs": []}])";
  const auto lines = content_of("a.json", poems, {.json_field = "paragraphs"});
  EXPECT_EQ(lines.documents,
            (Texts{"牀前明月光，\n疑是地上霜。", "春眠不覺曉，\n處處聞啼鳥。", "a\nb"}));
  ASSERT_EQ(lines.dropped.size(), 3u);
  EXPECT_TRUE(
      lines.dropped[0].starts_with("a.json#4: line 1: no field 'paragraphs'; there is 'author'"));
  EXPECT_EQ(lines.dropped[1],
            "a.json#5: line 1: the field 'paragraphs' is an array with a number, no string");
  EXPECT_EQ(lines.dropped[2], "a.json#6: blank");
  const auto whole = content_of("a.json", poems, {.json_field = "title, author,paragraphs"});
  EXPECT_EQ(whole.documents, (Texts{"靜夜思\n牀前明月光，\n疑是地上霜。",
                                    "春曉\n春眠不覺曉，\n處處聞啼鳥。", "a\nb", "x"}));
  EXPECT_EQ(content_of("a.jsonl", "{\"a,b\": \"whole name\", \"a\": \"x\"}", {.json_field = "a,b"})
                .documents,
            Texts{"whole name"});
}

TEST(JsonLines, JsonOfAnotherKindUnderTheirNameIsRead) {
  EXPECT_EQ(
      content_of("a.jsonl", "\n[\n  {\n    \"text\": \"one\"\n  },\n  {\"text\": \"two\"}\n]\n")
          .documents,
      (Texts{"one", "two"}));
  EXPECT_EQ(
      content_of("a.jsonl", "{\r\n\t\"text\": \"one\"\r\n}\r\n{\r\n\t\"text\": \"two\"\r\n}\r\n")
          .documents,
      (Texts{"one", "two"}));
  EXPECT_EQ(content_of("a.jsonl", "[\n\"one\",\n\"two\"\n]").documents, (Texts{"one", "two"}));
  EXPECT_EQ(content_of("a.jsonl", "[\n{\"text\": \"one\"}\n]\n").documents, Texts{"one"});
}

TEST(JsonLines, ABrokenFirstLineCostsItselfAlone) {
  struct Case {
    std::string text;
    Texts documents;
    size_t dropped;
  };
  const std::string one = "{\"text\": \"one\"}\n", two = "{\"text\": \"two\"}\n";
  for (const Case& c : std::vector<Case>{
           {"{\n" + one + two, {"one", "two"}, 1},
           {"[\n" + one + two, {"one", "two"}, 1},
           {"{ \n" + one + two, {"one", "two"}, 1},
           {"{\n\"string 0\"\n\"string 1\"\n", {"string 0", "string 1"}, 1},
           {"[\n\"string 0\"\n\"string 1\"\n", {"string 0", "string 1"}, 1},
           {"[\n" + one + "{\"text\": \"broken\"\n" + two, {"one", "two"}, 2},
           {"[\n" + one + "{\"text\": \"broken\"}]\n" + two, {"one", "two"}, 2},
           {"{\n\"text\": \"zero\"\n}\n" + one + "{\"text\": \"broken\"\n" + two,
            {"zero", "one", "two"},
            1},
       }) {
    const auto lines = content_of("a.jsonl", c.text);
    EXPECT_EQ(lines.documents, c.documents) << c.text;
    EXPECT_EQ(lines.dropped.size(), c.dropped) << c.text;
  }
}

TEST(JsonLines, DropsWhatIsMalformedWithItsLine) {
  const auto content = content_of(
      "a.jsonl",
      "{\"text\": \"good\"}\n{\"text\": \"open\n\n{\"text\" \"x\"}\n{\"t\": 1}\n"
      "{\"text\": null}\n[1]\n7\n{\"text\": \" \\n\"}\n{\"text\": \"last\"} x\n"
      "{\"text\": \"good too\"}\n");
  EXPECT_EQ(content.documents, (Texts{"good", "good too"}));
  EXPECT_EQ(content.places, (Texts{"a.jsonl#1", "a.jsonl#10"}));
  ASSERT_EQ(content.dropped.size(), 8u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.jsonl#2: line 2: malformed JSON ("));
  EXPECT_TRUE(content.dropped[1].starts_with("a.jsonl#3: line 4: malformed JSON ("));
  EXPECT_EQ(content.dropped[2],
            "a.jsonl#4: line 5: no field 'text'; there is 't' (--json-field NAME, or NAME,NAME)");
  EXPECT_EQ(content.dropped[3], "a.jsonl#5: line 6: the field 'text' is null, no string");
  EXPECT_EQ(content.dropped[4],
            "a.jsonl#6: line 7: the record is an array with a number, no object and no string");
  EXPECT_EQ(content.dropped[5],
            "a.jsonl#7: line 8: the record is a number, no object and no string");
  EXPECT_EQ(content.dropped[6], "a.jsonl#8: blank");
  EXPECT_TRUE(content.dropped[7].starts_with("a.jsonl#9: line 10: malformed JSON ("));
}

TEST(JsonLines, ReplacesAndCountsWhatIsNoCharacter) {
  const auto content = content_of(
      "a.jsonl",
      "{\"text\": \"\\ud83d\\ude00 \\ud83d \\\\ud83d \\udE00\\ud83d\"}\n"
      "{\"text\": \"a\xFF"
      "b\xE5\xAD\"}\n{\"text\": \"clean\"}\n",
      {.encoding = "UTF-8"});
  EXPECT_EQ(content.documents,
            (Texts{"\xF0\x9F\x98\x80 \uFFFD \\ud83d \uFFFD\uFFFD", "a\uFFFDb\uFFFD", "clean"}));
  EXPECT_EQ(content.replaced, (std::vector<int64_t>{3, 2, 0}));
  EXPECT_TRUE(content.dropped.empty());
}

TEST(JsonLines, NumbersBeyond64BitsAreNoReasonToDrop) {
  const auto content = content_of("a.jsonl",
                                  "{\"id\": 123456789012345678901234567890, \"text\": \"kept\"}\n");
  EXPECT_EQ(content.documents, Texts{"kept"});
}

TEST(JsonLines, LargeNumbersInDeepNestingAreRefusedQuietly) {
  const std::string deep(1'000'000, '[');
  const auto content = content_of(
      "a.jsonl", "{\"id\": 123456789012345678901234567890, \"text\": \"x\", \"deep\": " + deep +
                     std::string(deep.size(), ']') + "}\n{\"text\": \"kept\"}\n");
  EXPECT_EQ(content.documents, (Texts{"x", "kept"}));
}

TEST(JsonLines, TakesNumbersAsPythonWritesThem) {
  const auto content = content_of(
      "a.jsonl",
      "{\"text\": \"one\", \"toxicity\": NaN}\n"
      "{\"a\": [Infinity, -Infinity, 1], \"text\": \"two NaN \\\" Infinity\"}\n"
      "{\"text\": \"three\", \"n\": 123456789012345678901234567890, \"x\": NaN}\n"
      "{\"text\": NaN}\n{\"text\": \"four\", \"x\": Nan}\n{\"text\": \"five\"}\n");
  EXPECT_EQ(content.documents, (Texts{"one", "two NaN \" Infinity", "three", "five"}));
  ASSERT_EQ(content.dropped.size(), 2u);
  EXPECT_EQ(content.dropped[0], "a.jsonl#4: line 4: the field 'text' is a number, no string");
  EXPECT_TRUE(content.dropped[1].starts_with("a.jsonl#5: line 5: malformed JSON"));
}

// As JSON allows them, and no others.
TEST(JsonLines, TakesNumbersThatNoDoubleHolds) {
  const auto content = content_of(
      "a.jsonl",
      "{\"a\": 1e999, \"b\": [-1.5E+400,-0,2e-9], \"text\": \"1e999\"}\n"
      "{\"a\": 01, \"text\": \"x\"}\n{\"a\": 0x1, \"text\": \"x\"}\n{\"a\": 1., \"text\": \"x\"}\n"
      "{\"a\": 1e, \"text\": \"x\"}\n{\"a\": -, \"text\": \"x\"}\n{\"a\": 1NaN, \"text\": "
      "\"x\"}\n");
  EXPECT_EQ(content.documents, Texts{"1e999"});
  EXPECT_EQ(content.dropped.size(), 6u);
}

// As Python's json does.
TEST(JsonLines, OfEqualMembersTheLastCounts) {
  const auto content = content_of("a.jsonl",
                                  "{\"text\": \"one\", \"text\": \"two\"}\n"
                                  "{\"text\": {\"text\": 1}, \"text\": \"three\"}\n");
  EXPECT_EQ(content.documents, (Texts{"two", "three"}));
}

TEST(JsonLines, LinesMayEndInCarriageReturns) {
  const std::string lines = "{\"text\": \"one\"}\r{\"text\": bad}\r\r{\"text\": \"two\"}\r";
  for (const char* name : {"a.jsonl", "a.json"}) {
    const auto content = content_of(name, lines);
    EXPECT_EQ(content.documents, (Texts{"one", "two"})) << name;
    ASSERT_EQ(content.dropped.size(), 1u) << name;
    EXPECT_TRUE(content.dropped[0].starts_with(name + std::string("#2: line 2: malformed")));
  }
}

// A string ends with its line, for JSON has none that goes on.
TEST(Json, AMissingQuoteLosesOneRecord) {
  for (const std::string text :
       {"[\n  {\"text\": \"one\"},\n  {\"text\": \"open},\n  {\"text\": \"two\"}\n]\n",
        "[\n{\n\"text\": \"one\"\n},\n{\n\"text\": \"open,\n\"x\": [1]\n},\n{\n\"text\": "
        "\"two\"\n}\n]\n",
        "[\n{\"text\": \"one\"},\n{\"text\": \"a\nb\\\nc\"},\n{\"text\": \"two\"}\n]\n",
        "[\n\"one\",\n\"open,\n\"two\"\n]\n"}) {
    const auto content = content_of("a.json", text);
    EXPECT_EQ(content.documents, (Texts{"one", "two"})) << text;
    EXPECT_EQ(content.dropped.size(), 1u) << text;
  }
}

TEST(Json, ABadFirstLineDoesNotTakeTheOthers) {
  const auto content = content_of("a.json",
                                  "{\"text\": \"open}\n{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
  EXPECT_EQ(content.documents, (Texts{"one", "two"}));
  ASSERT_EQ(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.json#1: line 1: malformed"));
}

TEST(JsonLines, LongLinesComeInPieces) {
  std::string text;
  while (text.size() < 5'000'000) text += "many words ";
  EXPECT_EQ(content_of("a.jsonl", "{\"text\": \"" + text + "\"}\n\"x\"\n").documents,
            (Texts{text, "x"}));
}

TEST(Json, ReadsArraysOfObjectsAndStrings) {
  const auto content = content_of(
      "a.json", " [ {\"text\": \"a ] } \\\" [\"},\n\"b\", {\"x\": [{}], \"text\": \"c\"}\n]\n");
  EXPECT_EQ(content.documents, (Texts{"a ] } \" [", "b", "c"}));
  EXPECT_TRUE(content.dropped.empty());
}

TEST(Json, AMalformedElementDoesNotEndTheArray) {
  const auto content = content_of(
      "a.json", "[{\"text\": \"a\" 1},\n 7,\ntrue, {\"text\":\n \"b\"}, nonsense]");
  EXPECT_EQ(content.documents, Texts{"b"});
  ASSERT_EQ(content.dropped.size(), 4u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.json#1: line 1: malformed JSON ("));
  EXPECT_EQ(content.dropped[1],
            "a.json#2: line 2: the record is a number, no object and no string");
  EXPECT_EQ(content.dropped[2],
            "a.json#3: line 3: the record is true or false, no object and no string");
  EXPECT_TRUE(content.dropped[3].starts_with("a.json#5: line 4: malformed JSON ("));
}

TEST(Json, SaysWhenAnArrayIsCutOrMoreFollows) {
  EXPECT_EQ(content_of("a.json", "[\"a\",\n\"b\"").dropped,
            Texts{"a.json#3: line 2: malformed JSON: the text ends inside the array"});
  EXPECT_EQ(content_of("a.json", "[\"a\",\n{\"text\": \"b").dropped[0],
            "a.json#2: line 2: malformed JSON: the text ends inside the record");
  const auto more = content_of("a.json", "[\"a\"]\n[\"b\"]");
  EXPECT_EQ(more.documents, Texts{"a"});
  EXPECT_EQ(more.dropped,
            Texts{"a.json#2: line 2: malformed JSON: more after the end of the array, left out"});
}

TEST(Json, ReadsLinesAndValuesUnderTheSameName) {
  const auto lines = content_of("a.json",
                                "{\"text\": \"a\"}\n{\"text\": \"open\n{\"text\": \"c\"}\n");
  EXPECT_EQ(lines.documents, (Texts{"a", "c"}));
  ASSERT_EQ(lines.dropped.size(), 1u);
  EXPECT_TRUE(lines.dropped[0].starts_with("a.json#2: line 2: "));
  EXPECT_EQ(content_of("a.json", "{\n \"text\": \"a\"\n}\n{\n \"text\":\n\"b\"}").documents,
            (Texts{"a", "b"}));
  EXPECT_EQ(content_of("-", "{\"text\": \"a\"}", {.format = InputFormat::kJson}).documents,
            Texts{"a"});
}

// Every record crosses the reader's blocks somewhere.
TEST(Json, RecordsCrossBlocks) {
  for (const bool array : {false, true}) {
    Texts expected;
    std::string json = array ? "[" : "";
    for (size_t i = 0; json.size() < 4'500'000; ++i) {
      expected.push_back(std::to_string(i) + std::string(i % 5000, 'x') + "\\");
      json += (array && i > 0 ? ",\n" : "") + ("{\"text\": \"" + expected.back() + "\\\"}") +
              (array ? "" : "\n");
    }
    const auto content = content_of("a.json", json + (array ? "]" : ""));
    EXPECT_EQ(content.documents, expected);
    EXPECT_TRUE(content.dropped.empty());
    EXPECT_EQ(content.bytes_read, static_cast<int64_t>(json.size() + (array ? 1 : 0)));
  }
}

// A record without an end, made as it is read: memory could not hold it.
TEST(Json, DropsRecordsTooLongToHold) {
  for (const char* name : {"a.jsonl", "a.json"}) {
    const std::string start = "{\"text\": \"", end = "\"}\n{\"text\": \"next\"}\n";
    const size_t filler = (size_t{300} << 20);
    size_t at = 0;
    const auto read = [&](char* out, size_t n) {
      size_t done = 0;
      for (; done < n && at < start.size(); ++at) out[done++] = start[at];
      const size_t fill = std::min(n - done,
                                   start.size() + filler - std::min(at, start.size() + filler));
      std::memset(out + done, 'x', fill);
      done += fill;
      at += fill;
      for (; done < n && at < start.size() + filler + end.size(); ++at)
        out[done++] = end[at - start.size() - filler];
      return done;
    };
    const auto content = content_of(name, read);
    EXPECT_EQ(content.documents, Texts{"next"});
    EXPECT_EQ(content.dropped,
              Texts{std::string(name) + "#1: line 1: a record longer than 256 MiB"});
  }
}

}  // namespace
}  // namespace inkstone
