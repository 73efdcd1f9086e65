// Files as people have them: the same text in whatever bytes gives the same result.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {
using Json = nlohmann::json;

std::string with_line_ends(const std::string& text, const std::string& line_end) {
  std::string changed;
  for (const char c : text) changed += c == '\n' ? line_end : std::string(1, c);
  return changed;
}

// Of text up to U+00FF.
std::string as_utf16(const std::string& latin1) {
  std::string bytes = "\xFF\xFE";
  for (const char c : latin1) bytes += std::string{c, '\0'};
  return bytes;
}

uint32_t crc32(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (crc % 2 * 0xEDB88320);
  }
  return ~crc;
}

std::string little_endian(uint32_t value, size_t size_bytes) {
  std::string bytes;
  for (size_t i = 0; i < size_bytes; ++i) bytes += static_cast<char>(i < 4 ? value >> (8 * i) : 0);
  return bytes;
}

// A member of a zip archive, stored.
std::string zip_member(const std::string& name, const std::string& content) {
  const auto size = static_cast<uint32_t>(content.size());
  return "PK\x03\x04" + little_endian(20, 2) + little_endian(0, 8) +
         little_endian(crc32(content), 4) + little_endian(size, 4) + little_endian(size, 4) +
         little_endian(static_cast<uint32_t>(name.size()), 2) + little_endian(0, 2) + name +
         content;
}

// Of text without markup.
std::string as_docx(const std::string& text) {
  std::string body;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    body += "<w:p><w:r><w:t>" + text.substr(at, end - at) + "</w:t></w:r></w:p>";
    at = end + 1;
  }
  return zip_member("[Content_Types].xml", "<Types/>") +
         zip_member("word/document.xml",
                    "<w:document xmlns:w='w'><w:body>" + body + "</w:body></w:document>") +
         "PK\x05\x06" + little_endian(0, 8) + little_endian(0, 8) + little_endian(0, 2);
}

class ReadingTest : public Workspace {
 protected:
  Json evaluate(const std::string& file, const Words& more = {}) const {
    Words words = {"eval", "run", file, "--json", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return Json::parse(run_well(words).out);
  }
  std::string ids(const std::string& text, const Words& more = {}) const {
    Words words = {"tokenizer", "encode", "--tokenizer", "vocabulary"};
    words.insert(words.end(), more.begin(), more.end());
    return run_well(words, text).out;
  }
};

TEST_F(ReadingTest, EvalGivesOneFigureForEveryEncodingAndLineEnd) {
  make_run();
  const std::string text = verses(6);
  write("plain.txt", text);
  const Json expected = evaluate("plain.txt");
  const std::pair<const char*, std::string> kOthers[] = {
      {"crlf.txt", with_line_ends(text, "\r\n")},
      {"cr.txt", with_line_ends(text, "\r")},
      {"mark.txt", "\xEF\xBB\xBF" + text},
      {"utf16.txt", as_utf16(with_line_ends(text, "\r\n"))},
      {"nul.txt", text.substr(0, 40) + '\0' + text.substr(40)}};
  for (const auto& [name, bytes] : kOthers) {
    write(name, bytes);
    EXPECT_EQ(evaluate(name), expected) << name;
  }
  EXPECT_NE(evaluate("crlf.txt", {"--raw"}), expected);
}

TEST_F(ReadingTest, ADocumentIsItsTextForEveryCommand) {
  make_run();
  const std::string text = verses(60);
  write("plain.txt", text);
  write("novel.docx", as_docx(text));
  EXPECT_EQ(evaluate("novel.docx"), evaluate("plain.txt"));
  for (const char* file : {"plain.txt", "novel.docx"}) {
    const std::string name = file;
    run_well({"tokenizer", "train", name, "--vocab-size", "300", "-o", "of-" + name});
    run_well({"train", name, "-o", "run-" + name, "--steps", "1", "--model", "gpt-micro",
              "--context", "16", "--width", "16", "--heads", "1", "--layers", "1", "--batch", "1"});
  }
  for (const char* file : {"of-", "run-"}) {
    const std::string part = file == std::string("of-") ? "/tokenizer.json"
                                                        : "/data/train_000000.bin";
    EXPECT_EQ(read(std::string(file) + "novel.docx" + part),
              read(std::string(file) + "plain.txt" + part));
  }
  EXPECT_EQ(run_well({"tokenizer", "encode", "--tokenizer", "vocabulary", "novel.docx"}).out,
            run_well({"tokenizer", "encode", "--tokenizer", "vocabulary", "plain.txt"}).out);
}

TEST_F(ReadingTest, PoemsAreDocumentsAndOneWayOfWriting) {
  make_data(verses(60), "byte");
  write("poems.txt", "牀前明月光\n\n舉頭望明月\n\n低頭思故鄉\n");
  write("poems.json", R"([{"title": "靜夜思", "paragraphs": ["疑是", "地上霜"]}])");
  const Json report = Json::parse(
      run_well({"prepare", "poems.txt", "poems.json", "--separator", "blank", "--json-field",
                "title,paragraphs", "--convert", "simplified", "--normalize", "nfkc-cjk",
                "--val-fraction", "0", "--tokenizer", "vocabulary", "-o", "new", "--json"})
          .out);
  EXPECT_EQ(report["documents"], 4);
  const std::string shown = run_well({"info", "new/train_000000.bin"}).out;
  for (const char* part : {"床前明月光", "举头望明月", "静夜思"})
    EXPECT_NE(shown.find(part), std::string::npos) << shown;
  expect_refused(
      2, {"prepare", "poems.txt", "--separator", "(", "--tokenizer", "vocabulary", "-o", "x"},
      {"'('", "regular expression", "blank"});
  write("old.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
  expect_refused(1, {"prepare", "old.doc", "--tokenizer", "vocabulary", "-o", "x"},
                 {"old.doc", "DOC", "save it as DOCX"});
}

TEST_F(ReadingTest, EvalScoresEachDocumentFromItsBeginning) {
  make_run();
  const std::string one = verses(3), two = verses(5);
  write("one.txt", one);
  write("two.txt", two);
  write("both.txt", one + "<|endoftext|>\n" + two + "<|endoftext|>\n");
  write("both.jsonl", Json{{"text", one}}.dump() + "\nnot JSON\n" + Json{{"text", two}}.dump());
  const Json first = evaluate("one.txt"), second = evaluate("two.txt");
  const double nats = first["loss"].get<double>() * first["tokens"].get<double>() +
                      second["loss"].get<double>() * second["tokens"].get<double>();
  const Json both = evaluate("both.txt");
  EXPECT_EQ(both["documents"], 2);
  EXPECT_EQ(both["tokens"], first["tokens"].get<int64_t>() + second["tokens"].get<int64_t>() + 2);
  EXPECT_GT(both["loss"].get<double>() * both["tokens"].get<double>(), nats);  // the end marks
  EXPECT_EQ(evaluate("both.jsonl"), both);
  EXPECT_NE(run_well({"eval", "run", "both.jsonl"}).err.find("left out: both.jsonl #2: line 2"),
            std::string::npos);
}

TEST_F(ReadingTest, EncodeReadsTextAsPrepareDoes) {
  make_data(verses(60), "byte");
  const std::string expected = ids("a\nb\n");
  EXPECT_EQ(ids("a\r\nb\r\n"), expected);
  EXPECT_EQ(ids("\xEF\xBB\xBF"
                "a\nb\n"),
            expected);
  EXPECT_EQ(ids(as_utf16("a\nb\n")), expected);
  EXPECT_NE(ids("a\r\nb\r\n", {"--raw"}), expected);
  const Json marked = Json::parse(ids("a\n<|endoftext|>\nb", {"--format", "json", "--offsets"}));
  ASSERT_EQ(marked.size(), 4u);
  const Json end = Json::parse(
      ids("<|endoftext|>", {"--format", "json", "--special", "allow", "--raw"}));
  EXPECT_EQ(marked[2][0], end[0]);
  EXPECT_EQ(marked[3][1], 2 + 14);  // behind the separator's line
}

TEST_F(ReadingTest, PrepareSaysWhatItGuessedAndWhatATableWasTakenFor) {
  make_data(verses(60), "byte");
  write("guess.txt", "caf\xE9 \xBE");
  write("table.csv", "id;text\n1;one\n2;two\n");
  const Outcome outcome = run_well(
      {"prepare", "guess.txt", "table.csv", "--tokenizer", "vocabulary", "-o", "data"});
  for (const char* part : {"guess.txt: read as", "--encoding", "table.csv: the delimiter is ';'",
                           "table.csv: the first row was taken for a header: 'id', 'text'"})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
  const Json told = Json::parse(
      run_well({"prepare", "table.csv", "--delimiter", ";", "--no-header", "--csv-column", "2",
                "--tokenizer", "vocabulary", "-o", "data", "--json"})
          .out);
  EXPECT_EQ(told["documents"], 3);
  expect_refused(
      2, {"prepare", "table.csv", "--delimiter", ";;", "--tokenizer", "vocabulary", "-o", "new"},
      {"';;'", "tab"});
}

TEST_F(ReadingTest, AFileOfIdsIsNamedForWhatItIs) {
  make_data();
  std::filesystem::create_directories(*this / "nanogpt");
  write("nanogpt/train.bin", std::string(4000, '\1'));
  expect_refused(1, {"train", "--data", "nanogpt", "-o", "new"},
                 {"train.bin", "not a token shard", "nanoGPT", "tokenizer decode"});
  expect_refused(1, {"info", "nanogpt/train.bin"}, {"nanoGPT"});
  expect_refused(1, {"prepare", "data/train_000000.bin", "--tokenizer", "vocabulary", "-o", "new"},
                 {"a token shard", "train --data"});
}

TEST_F(ReadingTest, AGitLfsPointerIsNamedForWhatItIs) {
  make_data();
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" +
                              std::string(64, 'a') + "\nsize 123456\n";
  write("book.txt", pointer);
  write("crawl.jsonl", pointer);
  for (const char* file : {"book.txt", "crawl.jsonl"})
    expect_refused(1, {"prepare", file, "--tokenizer", "vocabulary", "-o", "new"},
                   {file, "Git LFS pointer", "git lfs pull"});
  write("data/train_000000.bin", pointer);
  expect_refused(1, {"train", "--data", "data", "-o", "new"}, {"Git LFS pointer"});
}

// llm.c's names: tinyshakespeare_train_000000.bin.
TEST_F(ReadingTest, ShardsWithLlmcsNamesTrain) {
  make_data();
  std::filesystem::rename(*this / "data/train_000000.bin",
                          *this / "data/tinyshakespeare_train_000000.bin");
  std::filesystem::rename(*this / "data/val_000000.bin", *this / "data/tinyshakespeare_val.bin");
  std::filesystem::remove(*this / "data/report.json");
  run_well(training("run", {"--steps", "2"}));
}

}  // namespace
}  // namespace inkstone::test
