// Sources: which reader takes what, and how inputs that fail are reported.
#include "corpus/read/document_source.h"

#include "base/error.h"
#include "corpus_support.h"
#include "read_support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

test::SourceContent content_of_file(const std::filesystem::path& path) {
  test::SourceContent content;
  const auto source = open_source(path, {}, [&](const SourcePlace& place, const std::string& why) {
    content.dropped.push_back(test::text_of(place) + ": " + why);
  });
  DocumentPiece piece;
  while (source->next(piece)) content.documents.emplace_back(piece.text);
  return content;
}

TEST(DocumentSource, KeepsPlainTextByteForByte) {
  const auto content = content_of("a.md", "\xEF\xBB\xBF# one\r\n\n<|endoftext|>\n \n<|endoftext|>\ntwo\n");
  EXPECT_EQ(content.documents, (Texts{"# one\r\n\n", "two\n"}));
  EXPECT_EQ(content.places, (Texts{"a.md#1", "a.md#3"}));
  EXPECT_EQ(content.dropped, Texts{"a.md#2: blank"});
}

TEST(DocumentSource, ReadsFilesAndSaysWhyItCannot) {
  const test::ScratchFolder scratch;
  EXPECT_EQ(content_of_file(test::write_text(scratch / "a.jsonl", "{\"text\": \"x\"}\n")).documents, Texts{"x"});
  const auto missing = scratch / "missing";
  EXPECT_EQ(content_of_file(missing).dropped, Texts{missing.string() + "#0: unreadable: No such file or directory"});
  EXPECT_EQ(content_of_file(scratch.path()).dropped, Texts{scratch.path().string() + "#0: unreadable: Is a directory"});
  EXPECT_EQ(content_of_file(test::write_text(scratch / "none", "")).dropped,
            Texts{(scratch / "none").string() + "#0: empty"});
}

TEST(DocumentSource, MarksWithNothingBetweenAreEmpty) {
  EXPECT_EQ(content_of("a", "<|endoftext|>\n<|endoftext|>\n").dropped, Texts{"a#0: empty"});
  EXPECT_EQ(content_of("a", " \n").dropped, Texts{"a#1: blank"});
  EXPECT_EQ(content_of("a.jsonl", "\n\n").dropped, Texts{"a.jsonl#0: empty"});
}

TEST(DocumentSource, KeepsWhatComesBeforeAFailure) {
  const auto read = [left = size_t{3} << 20](char* out, size_t n) mutable {
    if (left == 0) fail(ErrorCode::kInputOutput, "Input/output error");
    const size_t size = std::min(n, left);
    for (size_t i = 0; i < size; ++i) out[i] = i % 10 == 9 ? ' ' : 'x';
    left -= size;
    return size;
  };
  const auto content = content_of("a", read);
  ASSERT_EQ(content.documents.size(), 1u);
  EXPECT_EQ(content.documents[0].size(), size_t{3} << 20);
  EXPECT_EQ(content.dropped, Texts{"a#0: unreadable: Input/output error"});
  const auto at_once = content_of("a", [](char*, size_t) -> size_t { fail(ErrorCode::kInputOutput, "gone"); });
  EXPECT_EQ(at_once.dropped, Texts{"a#0: unreadable: gone"});
}

TEST(DocumentSource, TextWithoutSpacesStaysBounded) {
  const auto read = [left = size_t{200} << 20](char* out, size_t n) mutable {
    const size_t size = std::min(n, left);
    std::memset(out, 'x', size);
    left -= size;
    return size;
  };
  const auto source = open_source("a", ReadBytes(read), {}, [](const SourcePlace&, const std::string&) {});
  DocumentPiece piece;
  size_t bytes = 0;
  while (source->next(piece)) {
    EXPECT_LE(piece.text.size(), DocumentReader::kLongestPiece_bytes);
    bytes += piece.text.size();
  }
  EXPECT_EQ(bytes, size_t{200} << 20);
}

TEST(InputFormat, HasNames) {
  EXPECT_EQ(parse_input_format("markdown"), InputFormat::kText);
  EXPECT_EQ(parse_input_format("jsonl"), InputFormat::kJsonLines);
  const Error error = test::thrown_by([] { parse_input_format("xml"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "no input format 'xml'; it is one of auto, text, markdown, jsonl, json, csv"));
}

}  // namespace
}  // namespace inkstone
