// Texts that are read whole: one text whatever its encoding and line ends, and nothing left out.
#include "corpus/read/read_text.h"

#include "base/file.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {

using test::encoded;
using Texts = std::vector<std::string>;

const std::string kChinese = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n";

class ReadText : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& bytes, const std::string& name = "text.txt") {
    write_file(folder_ / name, bytes);
    return folder_ / name;
  }
  test::ScratchFolder folder_;
};

TEST_F(ReadText, IsOneTextInEveryEncodingAndWithEveryLineEnd) {
  std::string crlf;
  for (const char c : kChinese) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string& bytes :
       {kChinese, crlf, "\xEF\xBB\xBF" + kChinese, encoded(kChinese, "UTF-16"),
        encoded(crlf, "UTF-16LE"), encoded(kChinese, "UTF-32"), encoded(kChinese, "GBK")}) {
    EXPECT_EQ(read_text(file(bytes)), kChinese);
    EXPECT_EQ(read_documents(file(bytes)).documents, Texts{kChinese});
  }
}

TEST_F(ReadText, ReplacesWhatIsInvalidAndRemovesControlCharacters) {
  EXPECT_EQ(
      read_text(file("a valid line\x01 of text\xFF\r\nand another\x7F.\xEF\xBB\xBF"), "UTF-8"),
      "a valid line of text\xEF\xBF\xBD\nand another.");
}

TEST_F(ReadText, LeavesOutNothing) {
  EXPECT_EQ(read_text(file("")), "");
  EXPECT_EQ(read_text(file(" \n\n")), " \n\n");
  EXPECT_EQ(read_text(file("<p>not a page: its name ends otherwise</p>", "page.html")),
            "<p>not a page: its name ends otherwise</p>");
  const std::string text =
      "one\n<|endoftext|>\n\n<|endoftext|>\n<|endoftext|>\ntwo <|endoftext|>\n";
  EXPECT_EQ(read_text(file(text)), text);
  EXPECT_EQ(read_documents(file(text)).documents,
            (Texts{"one\n", "\n", "", "two <|endoftext|>\n"}));
}

TEST_F(ReadText, DividesAtSeparatorsWithAnyLineEnd) {
  const auto path = file("one\r\n<|endoftext|>\r\ntwo\r\n<|endoftext|>");
  EXPECT_EQ(read_documents(path).documents, (Texts{"one\n", "two\n"}));
  std::vector<bool> marked;
  read_pieces(path, {}, [&](const DocumentPiece& piece) { marked.push_back(piece.marked); });
  EXPECT_EQ(marked, (std::vector<bool>{true, true}));
}

TEST_F(ReadText, ReadsRecordsAndReportsTheBadOnes) {
  const auto read = read_documents(
      file("{\"text\": \"one\"}\nbad\n{\"text\": \"two\\r\\n\"}\n", "a.jsonl"));
  EXPECT_EQ(read.documents, (Texts{"one", "two\n"}));
  ASSERT_EQ(read.notes.left_out.size(), 1u);
  EXPECT_EQ(read.notes.left_out[0].document, 2);
  EXPECT_NE(read.notes.left_out[0].reason.english().find("line 2"), std::string::npos);
}

TEST_F(ReadText, SaysWhatCannotBeRead) {
  const Error absent = test::thrown_by([&] { read_text(folder_ / "absent.txt"); });
  EXPECT_EQ(absent.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(absent, "absent.txt"));
  const auto binary = file(std::string("%PDF-1.7\0\1\2", 11));
  const Error pdf = test::thrown_by([&] { read_text(binary); });
  EXPECT_EQ(pdf.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(pdf, "PDF"));
  EXPECT_EQ(test::thrown_by([&] { read_text(folder_.path()); }).code(), ErrorCode::kInvalidData);
  const auto text = file("text");
  EXPECT_EQ(test::thrown_by([&] { read_text(text, "no-such"); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace inkstone
