// Sources: which reader takes what, and how inputs that fail are reported.
#include "corpus/read/document_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/error.h"
#include "corpus_support.h"
#include "read_support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

test::SourceContent content_of_file(const std::filesystem::path& path) {
  test::SourceContent content;
  const auto on_dropped = [&](const SourcePlace& place, const Message& why) {
    content.dropped.push_back(test::text_of(place) + ": " + why.english());
  };
  const auto source = open_source(path, {}, {.on_dropped = on_dropped});
  DocumentPiece piece;
  while (source->next(piece)) content.documents.emplace_back(piece.text);
  return content;
}

TEST(DocumentSource, KeepsPlainTextByteForByte) {
  const auto content = content_of("a.md",
                                  "\xEF\xBB\xBF# one\r\n\n<|endoftext|>\n \n<|endoftext|>\ntwo\n");
  EXPECT_EQ(content.documents, (Texts{"# one\r\n\n", "two\n"}));
  EXPECT_EQ(content.places, (Texts{"a.md#1", "a.md#3"}));
  EXPECT_EQ(content.dropped, Texts{"a.md#2: blank"});
}

TEST(DocumentSource, ReadsFilesAndSaysWhyItCannot) {
  const test::ScratchFolder scratch;
  EXPECT_EQ(content_of_file(test::write_text(scratch / "a.jsonl", "{\"text\": \"x\"}\n")).documents,
            Texts{"x"});
  const auto missing = scratch / "missing";
  EXPECT_EQ(content_of_file(missing).dropped,
            Texts{missing.string() + "#0: unreadable: No such file or directory"});
  EXPECT_EQ(content_of_file(scratch.path()).dropped,
            Texts{scratch.path().string() + "#0: unreadable: Is a directory"});
  EXPECT_EQ(content_of_file(test::write_text(scratch / "none", "")).dropped,
            Texts{(scratch / "none").string() + "#0: empty"});
}

TEST(DocumentSource, KeepsBytesButNotTheByteOrderMark) {
  const auto text_of = [](const std::string& bytes) {
    return content_of("f", bytes, {.encoding = "UTF-8"}).documents;
  };
  EXPECT_EQ(text_of("a\r\nb\xFF \xE5"), Texts{"a\r\nb\xFF \xE5"});
  EXPECT_EQ(text_of("\xEF\xBB\xBF"
                    "a\xEF\xBB\xBF"),
            Texts{"a\xEF\xBB\xBF"});
  EXPECT_EQ(text_of("\xEF\xBB\xBF\xEF\xBB\xBF"), Texts{"\xEF\xBB\xBF"});
  // A NUL is no harm, wherever it stands.
  for (const size_t at : {size_t{0}, size_t{100}, kHead_bytes - 1, kHead_bytes}) {
    const std::string with_nul = std::string(kHead_bytes, 'x').insert(at, 1, '\0');
    EXPECT_EQ(text_of(with_nul), Texts{with_nul}) << at;
  }
  const std::string several_blocks(3'000'000, 'y');
  EXPECT_EQ(text_of(several_blocks), Texts{several_blocks});
}

TEST(DocumentSource, SaysWhatIsNoText) {
  const auto reason = [](const std::string& bytes) { return content_of("f", bytes).dropped; };
  EXPECT_EQ(reason("\xEF\xBB\xBF"), Texts{"f#0: empty"});
  EXPECT_EQ(reason(std::string(kHead_bytes / 4, 'x') + std::string(1000, '\0')),
            Texts{"f#0: binary (--encoding NAME takes it as text)"});
  EXPECT_EQ(reason(std::string("%PDF-1.7\0", 9)),
            Texts{"f#0: no text (PDF; convert it to text first, for example by pdftotext)"});
  // Known by its beginning, with a NUL in it or not, and whatever encoding is given.
  const std::string mobi = std::string("Book\0", 5) + std::string(55, ' ') + "BOOKMOBI";
  for (const std::string& bytes :
       {std::string("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), mobi, std::string("{\\rtf1\\ansi}"),
        std::string("%PDF-1.4\n"), std::string("\x89PNG\r\n\x1A\n"),
        std::string("<?xml version='1.0'?>\n<FictionBook>"), std::string("Rar!\x1A\x07"),
        std::string("[Script Info]\n"), std::string("\xEF\xBB\xBF[Script Info]\r\n")}) {
    for (const char* encoding : {"", "GB18030"}) {
      const auto dropped = content_of("f", bytes, {.encoding = encoding}).dropped;
      ASSERT_EQ(dropped.size(), 1u) << bytes;
      EXPECT_TRUE(dropped[0].starts_with("f#0: no text (")) << dropped[0];
    }
  }
  std::string noise;
  for (uint32_t x = 1; noise.size() < 200; x = x * 1664525 + 1013904223)
    noise += static_cast<char>((x >> 24) | 1);
  EXPECT_EQ(reason(noise), Texts{"f#0: binary (--encoding NAME takes it as text)"});
  for (const char* text : {"%PDF is how it begins", "Convert WEBP", "the ftyp box", "{\\rt", "ID3"})
    EXPECT_EQ(reason(text), Texts{}) << text;
}

TEST(DocumentSource, ReportsAFileThatMayNotBeRead) {
  const test::ScratchFolder scratch;
  std::filesystem::permissions(scratch.path(), std::filesystem::perms::all);
  const auto closed = test::write_text(scratch / "closed", "x");
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  const test::OrdinaryUser user;
  EXPECT_EQ(content_of_file(closed).dropped,
            Texts{closed.string() + "#0: unreadable: Permission denied"});
}

TEST(DocumentSource, ReadsAPipe) {
  const test::ScratchFolder scratch;
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0666), 0);
  std::thread writer([&] {
    const int fd = ::open((scratch / "pipe").c_str(), O_WRONLY);
    EXPECT_EQ(::write(fd, "through", 7), 7);
    EXPECT_EQ(::write(fd, " a pipe", 7), 7);
    ::close(fd);
  });
  EXPECT_EQ(content_of_file(scratch / "pipe").documents, Texts{"through a pipe"});
  writer.join();
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
  const auto at_once = content_of(
      "a", [](char*, size_t) -> size_t { fail(ErrorCode::kInputOutput, "gone"); });
  EXPECT_EQ(at_once.dropped, Texts{"a#0: unreadable: gone"});
}

TEST(DocumentSource, TextWithoutSpacesStaysBounded) {
  const auto read = [left = size_t{200} << 20](char* out, size_t n) mutable {
    const size_t size = std::min(n, left);
    std::memset(out, 'x', size);
    left -= size;
    return size;
  };
  const auto source = open_source("a", ReadBytes(read), {},
                                  {.on_dropped = [](const SourcePlace&, const Message&) {}});
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
  EXPECT_TRUE(test::mentions(
      error, "no input format 'xml'; it is one of auto, text, markdown, jsonl, json, csv"));
}

}  // namespace
}  // namespace inkstone
