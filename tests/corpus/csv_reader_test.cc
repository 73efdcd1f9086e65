// Tables.
#include "read_support.h"

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
      Texts{"a.csv#1: line 1: no column 'text' in the header row; its 2 columns are 'id', 'body'"});
}

TEST(Csv, DropsShortRowsWithTheirLine) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string table = "id,text" + end + "1,\"a" + end + "b\"" + end + end + "2" + end +
                              "3,c" + end + "4,";
    const auto content = content_of("a.csv", table);
    EXPECT_EQ(content.documents, (Texts{"a" + end + "b", "c"}));
    EXPECT_EQ(content.dropped, (Texts{"a.csv#2: line " + std::string(end == "\r" ? "4" : "5") +
                                          ": 1 column, and column 2 is wanted",
                                      "a.csv#4: blank"}));
  }
}

TEST(Csv, SaysWhenAQuotationMarkIsNotClosed) {
  const auto content = content_of("a.csv", "id,text\n1,one\n2,\"two\n3,three\n");
  EXPECT_EQ(content.documents, Texts{"one"});
  EXPECT_EQ(content.dropped, Texts{"a.csv#2: line 3: the text ends inside a quoted field"});
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
  EXPECT_TRUE(content.dropped[0].starts_with("a.csv#2: line 3: a field longer than 256 MiB"))
      << content.dropped[0];
}

}  // namespace
}  // namespace inkstone
