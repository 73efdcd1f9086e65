// Data as users have it: tables and JSON, duplicates, reports, vocabularies side by side.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workspace.h"

namespace inkstone::test {
namespace {
using Json = nlohmann::json;

class DataTest : public Workspace {
 protected:
  void make_vocabulary() const {
    write("text.txt", verses(60));
    run_well({"tokenizer", "train", "text.txt", "-o", "vocabulary", "--type", "byte"});
  }
};

TEST_F(DataTest, JsonLinesByFieldWithDuplicatesAndBadRecords) {
  make_vocabulary();
  write("crawl.jsonl",
        "{\"page\": {\"body\": \"first\\r\\n\"}}\n{\"page\": {}}\nnot JSON\n"
        "{\"page\": {\"body\": \"first\\n\"}}\n{\"page\": {\"body\": \"second\"}}\n");
  const Outcome outcome = run_well({"prepare", "crawl.jsonl", "--json-field", "page.body",
                                    "--tokenizer", "vocabulary", "-o", "data", "--dropped",
                                    "dropped.jsonl", "--val-fraction", "0", "--json"});
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["documents"], 3);
  EXPECT_EQ(report["train"]["documents"], 2);
  EXPECT_EQ(report["cleaning"]["line_ends"], 1);
  EXPECT_EQ(report["dropped"].size(), 3u);
  std::string dropped = read("dropped.jsonl");
  EXPECT_EQ(std::count(dropped.begin(), dropped.end(), '\n'), 3);
  EXPECT_NE(dropped.find("\"document\":4,\"reason\":\"duplicate\""), std::string::npos) << dropped;
  const Outcome raw = run_well({"prepare", "crawl.jsonl", "--json-field", "page.body",
                                "--tokenizer", "vocabulary", "-o", "data", "--raw", "--duplicates",
                                "keep", "--val-fraction", "0", "--json"});
  EXPECT_EQ(Json::parse(raw.out)["train"]["documents"], 3);
}

TEST_F(DataTest, ATableByColumnAndAPatternOfNames) {
  make_vocabulary();
  write("a.csv", "id,text\n1,\"one, and\nmore\"\n2,two\n");
  write("b.csv", "id,text\n3,three\n");
  const Outcome outcome = run_well(
      {"prepare", "*.csv", "--tokenizer", "vocabulary", "-o", "data", "--val-fraction", "0"});
  EXPECT_NE(outcome.err.find("data: 3 of 3 documents"), std::string::npos) << outcome.err;
  const Outcome info = run_well({"info", "data/train_000000.bin"});
  EXPECT_NE(info.out.find("one, and"), std::string::npos) << info.out;
}

TEST_F(DataTest, ImpossibleOptionsAreRefused) {
  make_vocabulary();
  const auto refused = [&](Words more, const Words& parts) {
    Words words = {"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "data"};
    words.insert(words.end(), more.begin(), more.end());
    expect_refused(2, words, parts);
  };
  refused({"--encoding", "Klingon-8"}, {"Klingon-8"});
  refused({"--language", "xx"}, {"xx"});
  refused({"--script", "Sindarin"}, {"Sindarin"});
  refused({"--min-characters", "9", "--max-characters", "3"}, {"9", "3"});
  refused({"--val-fraction", "1"}, {"less than 1"});
}

TEST_F(DataTest, PlacesOfTokensAndStreams) {
  make_vocabulary();
  const Outcome places = run_well(
      {"tokenizer", "encode", "--tokenizer", "vocabulary", "--format", "json", "--offsets"}, "aé");
  const Json json = Json::parse(places.out);
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[2][1], 2);
  EXPECT_EQ(json[2][2], 3);
  expect_refused(2, {"tokenizer", "encode", "--tokenizer", "vocabulary", "--offsets"},
                 {"--format json"}, "a");
  // Longer than what is read at a time.
  const std::string text = std::string(3'000'000, 'x') + " end";
  const Outcome ids = run_well(
      {"tokenizer", "encode", "--tokenizer", "vocabulary", "--format", "u32"}, text);
  EXPECT_EQ(
      run_well({"tokenizer", "decode", "--tokenizer", "vocabulary", "--format", "u32"}, ids.out)
          .out,
      text);
}

TEST_F(DataTest, VocabulariesAreCompared) {
  write("text.txt", verses(200));
  run_well({"tokenizer", "train", "text.txt", "-o", "bytes", "--type", "byte"});
  run_well({"tokenizer", "train", "text.txt", "-o", "small", "--vocab-size", "300", "--compare",
            "bytes", "--held-out", "0.2"});
  const Outcome table = run_well({"tokenizer", "compare", "bytes", "small", "--text", "text.txt"});
  EXPECT_NE(table.err.find("small") == std::string::npos ? table.out.find("small") : 0,
            std::string::npos);
}

}  // namespace
}  // namespace inkstone::test
