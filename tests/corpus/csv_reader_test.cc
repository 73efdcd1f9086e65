// Tables.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "corpus/read/csv_rows.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

TEST(Csv, GivesTheColumnOfItsName) {
  const auto content = content_of(
      "a.csv",
      "id,text,more\r\n1,one,x\r\n2,\"two, \"\"quoted\"\"\r\nand a line\",y\r\n3, spaced ,");
  EXPECT_EQ(content.documents, (Texts{"one", "two, \"quoted\"\r\nand a line", " spaced "}));
  EXPECT_EQ(content.places[2], "a.csv#3");
  EXPECT_TRUE(content.dropped.empty());
}

TEST(Csv, GivesTheColumnOfItsNumber) {
  EXPECT_EQ(content_of("a.csv", "id,body\n1,one\n2,two\n", {.csv_column = "2"}).documents,
            (Texts{"one", "two"}));
  // A name is meant first.
  EXPECT_EQ(content_of("a.csv", "2,1\na,b\n", {.csv_column = "1"}).documents, Texts{"b"});
}

TEST(Csv, ATableOfOneColumnNeedsNoName) {
  EXPECT_EQ(content_of("a.csv", "one\n\"t,wo\"\n").documents, (Texts{"one", "t,wo"}));
  EXPECT_EQ(content_of("a.csv", "text\none\n").documents, Texts{"one"});
}

TEST(Csv, TabsSeparateTsv) {
  EXPECT_EQ(content_of("a.TSV.gz", "id\ttext\n1\tone, two\n2\t\"a\tb\"\n").documents,
            (Texts{"one, two", "a\tb"}));
}

TEST(Csv, SaysWhichColumnsThereAre) {
  const auto content = content_of("a.csv", "id,body\n1,one\n");
  EXPECT_TRUE(content.documents.empty());
  EXPECT_EQ(
      content.dropped,
      Texts{"a.csv#1: line 1: no column 'text' in the header row; its 2 columns are 'id', 'body' "
            "(--csv-column NAME or number; --no-header if this row is text; --delimiter if it is "
            "cut wrongly)"});
}

TEST(Csv, DropsShortRowsWithTheirLine) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string table = "id,text" + end + "1,\"a" + end + "b\"" + end + end + "2" + end +
                              "3,c" + end + "4,";
    const auto content = content_of("a.csv", table);
    EXPECT_EQ(content.documents, (Texts{"a" + end + "b", "c"}));
    EXPECT_EQ(content.dropped,
              (Texts{"a.csv#2: line 5: 1 column, and column 2 is wanted", "a.csv#4: blank"}));
  }
}

TEST(Csv, AQuotationMarkThatIsNotClosedCostsItsLineAlone) {
  const auto content = content_of("a.csv", "id,text\n1,one\n2,\"two\n3,three\r\n4,four\n");
  EXPECT_EQ(content.documents, (Texts{"one", "three", "four"}));
  EXPECT_EQ(content.dropped, Texts{"a.csv#2: line 3: a quotation mark that is never closed"});
}

TEST(Csv, QuotationMarksInsideAFieldAreText) {
  const auto content = content_of("a.csv",
                                  "text,label\nplain one,0\n\"So true\" she said,1\nplain two,0\n"
                                  "she said \"yes\",0\n\"proper, quoted\",1\n");
  EXPECT_EQ(content.documents, (Texts{"plain one", "So true she said", "plain two",
                                      "she said \"yes\"", "proper, quoted"}));
}

TEST(Csv, TheBeginningTellsTheDelimiter) {
  EXPECT_EQ(content_of("a.csv",
                       "\xEF\xBB\xBFid;text;date\n1;\"Hallo; Welt\";2020\n"
                       "2;Zweite Zeile, mit Komma;2021\n")
                .documents,
            (Texts{"Hallo; Welt", "Zweite Zeile, mit Komma"}));
  EXPECT_EQ(content_of("a.csv", "id\ttext\n1\ta, b, c\n").documents, Texts{"a, b, c"});
  EXPECT_EQ(content_of("a.csv", "id|text\n1|a, b; c\n").documents, Texts{"a, b; c"});
  EXPECT_EQ(content_of("a.csv", "x;y\n1;2,3,4,5,6\n", {.csv_column = "2"}).documents,
            Texts{"2,3,4,5,6"});
  EXPECT_EQ(content_of("a.csv", "a:text\n1:2\n", {.csv_delimiter = ':'}).documents, Texts{"2"});
  const auto facts = content_of("a.csv", "id;text\n1;one\n").facts.at(0);
  EXPECT_EQ(in_english(facts.notes),
            (Texts{"the delimiter is ';'",
                   "the first row was taken for a header: 'id', 'text'; the text is column 2 "
                   "(--no-header: it is text)"}));
}

TEST(Csv, ExcelNamesTheDelimiterInTheFirstLine) {
  const auto content = content_of("a.csv", "sep=|\r\nid|text\r\n1|a,b;c\r\n2\r\n");
  EXPECT_EQ(content.documents, Texts{"a,b;c"});
  EXPECT_EQ(content.dropped, Texts{"a.csv#2: line 4: 1 column, and column 2 is wanted"});
  EXPECT_EQ(in_english(content.facts.at(0).notes),
            (Texts{"the first line names the delimiter: '|'",
                   "the first row was taken for a header: 'id', 'text'; the text is column 2 "
                   "(--no-header: it is text)"}));
  // What is told on the command line counts.
  const auto told = content_of("a.csv", "sep=;\nid,text\n1,a;b\n", {.csv_delimiter = ','});
  EXPECT_EQ(told.documents, Texts{"a;b"});
  EXPECT_EQ(in_english(told.facts.at(0).notes).size(), 1u)
      << "the delimiter is not the first line's";
  // Other lines of this kind are text.
  for (const std::string line : {"sep=a", "sep=::", "sep="})
    EXPECT_EQ(content_of("a.csv", line + "\nyam\nbanana\n").documents,
              (Texts{line, "yam", "banana"}));
}

TEST(Csv, RowsOfOneColumnAreKeptWhole) {
  const auto content = content_of(
      "a.csv", "Good morning everyone\nI like cats, dogs, and birds\nWhat a day\nWell, that was\n");
  EXPECT_EQ(content.documents, (Texts{"Good morning everyone", "I like cats, dogs, and birds",
                                      "What a day", "Well, that was"}));
  EXPECT_EQ(in_english(content.facts.at(0).notes),
            (Texts{"one column, and its first row was taken for text, not for a header: 'Good "
                   "morning everyone' (--csv-column with this name: a header)",
                   "2 rows have ',' in their text and were kept whole, the first in line 2"}));
  EXPECT_EQ(content_of("a.csv", "text\na, b\n\"c, d\"\n").documents, (Texts{"a, b", "c, d"}));
  // A long first row is shown by its first characters, whole ones.
  const std::string verse = "秦川雄帝宅，函谷壯皇居。";
  const auto verses = content_of("a.csv", verse + verse + "\n綺殿千尋起\n");
  EXPECT_EQ(in_english(verses.facts.at(0).notes),
            Texts{"one column, and its first row was taken for text, not for a header: '" + verse +
                  "秦...' (--csv-column with this name: a header)"});
}

TEST(Csv, AWordAboveATextIsAHeader) {
  const std::string table = "joke\n\"What did the bartender say?\"\nDon't you hate it?\n";
  const auto content = content_of("a.csv", table);
  EXPECT_EQ(content.documents, (Texts{"What did the bartender say?", "Don't you hate it?"}));
  EXPECT_EQ(content.facts.at(0).notes.at(0),
            "the first row was taken for a header: 'joke'; the text is column 1 (--no-header: it "
            "is text)");
  EXPECT_EQ(content_of("a.csv", table, {.csv_header = false}).documents.at(0), "joke");
  // A list of words.
  EXPECT_EQ(content_of("a.csv", "one\ntwo\nthree\n").documents, (Texts{"one", "two", "three"}));
}

TEST(Csv, WithoutAHeaderTheFirstRowIsText) {
  const ReadOptions options{.csv_column = "2", .csv_header = false};
  EXPECT_EQ(content_of("a.csv", "1,one\n2,two\n", options).documents, (Texts{"one", "two"}));
  const auto content = content_of("a.csv", "1,one\n2,two\n", {.csv_header = false});
  EXPECT_EQ(content.dropped, Texts{"a.csv#1: line 1: no column 'text' without a header; give "
                                   "--csv-column a number from 1 to 2"});
}

TEST(Csv, ReportsRowsWithMoreFieldsThanTheFirst) {
  const auto content = content_of("a.csv", "text,label\none,1\ntwo, and more,2\nthree,3\n");
  EXPECT_EQ(content.documents, (Texts{"one", "two", "three"}));
  EXPECT_EQ(
      content.facts.at(0).notes.at(1),
      "1 rows have more fields than the first row, the first in line 3: is a text with ',' in "
      "it not quoted?");
}

TEST(Csv, RowsCrossBlocks) {
  Texts expected;
  std::string table = "text,id\n";
  for (size_t i = 0; table.size() < 1'000'000; ++i) {
    expected.push_back(std::string(i % 3000 + 1, 'x') + "\n,");
    table += "\"" + expected.back() + "\"," + std::to_string(i) + "\n";
  }
  EXPECT_EQ(content_of("a.csv", table).documents, expected);
}

TEST(Csv, StopsAtAFieldTooLongToHold) {
  const auto read = [start = std::string_view("id,text\n1,one\n2,\"two"), left = size_t{300} << 20](
                        char* out, size_t n) mutable {
    const size_t head = start.copy(out, n);
    start.remove_prefix(head);
    const size_t fill = std::min(n - head, left);
    std::memset(out + head, 'x', fill);
    left -= fill;
    return head + fill;
  };
  const auto content = content_of("a.csv", read);
  EXPECT_EQ(content.documents, Texts{"one"});
  ASSERT_EQ(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.csv#2: line 3: a quotation mark"))
      << content.dropped[0];
}

// Python's csv.reader over random tables, as JSON rows; nullopt where there is no Python.
std::optional<Json> python_rows(const std::vector<std::string>& tables) {
  const test::ScratchFolder scratch;
  write_json(scratch / "tables.json", Json(tables));
  write_file(scratch / "rows.py",
             "import csv, io, json, sys\n"
             "csv.field_size_limit(1 << 30)\n"
             "tables = json.load(open(sys.argv[1], encoding='utf-8'))\n"
             "rows = [list(csv.reader(io.StringIO(t, newline=''))) for t in tables]\n"
             "json.dump(rows, open(sys.argv[2], 'w', encoding='utf-8'))\n");
  const std::string command = "python3 '" + (scratch / "rows.py").string() + "' '" +
                              (scratch / "tables.json").string() + "' '" +
                              (scratch / "rows.json").string() + "' 2>/dev/null";
  if (std::system(command.c_str()) != 0) return std::nullopt;
  return read_json(scratch / "rows.json");
}

// The rows of a table as CsvRows cuts it; nullopt when a quotation mark is never closed.
std::optional<std::vector<Texts>> rows_of(const std::string& table) {
  CsvRows rows(read_from(table), ',');
  std::vector<Texts> all;
  for (CsvRow row; rows.next(row);) {
    if (!row.why_not.empty()) return std::nullopt;
    all.push_back(row.fields);
  }
  return all;
}

TEST(CsvRows, CutsRandomTablesAsPythonDoes) {
  std::mt19937 random(11);
  std::vector<std::string> tables;
  for (int i = 0; i < 3000; ++i) {
    std::string table;
    for (size_t n = random() % 40; n > 0; --n) table += "ab,,\"\"\"\n\r ,;"[random() % 13];
    tables.push_back(table);
  }
  const auto expected = python_rows(tables);
  if (!expected) GTEST_SKIP() << "python3 is not there";
  int compared = 0;
  for (size_t i = 0; i < tables.size(); ++i) {
    const auto rows = rows_of(tables[i]);
    if (!rows) continue;
    EXPECT_EQ(*rows, (*expected)[i].get<std::vector<Texts>>()) << testing::PrintToString(tables[i]);
    ++compared;
  }
  EXPECT_GT(compared, 1000);
}

// What Python gives for these, for where it is absent.
TEST(CsvRows, CutsTheseAsPythonDoes) {
  using Rows = std::vector<Texts>;
  EXPECT_EQ(rows_of("a,b\r\n\r\nc\rd\n"), (Rows{{"a", "b"}, {}, {"c"}, {"d"}}));
  EXPECT_EQ(rows_of("\"a\"b,\"c\" d\n"), (Rows{{"ab", "c d"}}));
  EXPECT_EQ(rows_of("\"a\"\"b\",\"\",\"\"\"\"\n"), (Rows{{"a\"b", "", "\""}}));
  EXPECT_EQ(rows_of("a\"b\",c\n,\n"), (Rows{{"a\"b\"", "c"}, {"", ""}}));
  EXPECT_EQ(rows_of("\"a\nb\r\nc\",d"), (Rows{{"a\nb\r\nc", "d"}}));
  EXPECT_EQ(rows_of(" \"a\",b"), (Rows{{" \"a\"", "b"}}));
}

}  // namespace
}  // namespace inkstone
