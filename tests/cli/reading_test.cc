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
