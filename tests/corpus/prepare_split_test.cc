// Which documents, and which parts of one, train and validate.
#include <nlohmann/json.hpp>
#include <random>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "corpus/prepare/scan.h"
#include "corpus/prepare/split.h"
#include "prepare_fixture.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;
using test::documents_of;
using test::write_text;
using Documents = std::vector<std::string>;

class PrepareSplit : public test::PrepareFixture {};

TEST_F(PrepareSplit, ADocumentsHashChoosesItsPart) {
  Documents train, val;
  for (int i = 0; i < 200; ++i) {
    const std::string text = fmt::format("document {}", i);
    write_text(scratch / fmt::format("in/{:03}", i), text);
    (hash_validates(hash64(text), 0.2) ? val : train).push_back(text);
  }
  const PrepareReport report = run({scratch / "in"}, 0.2);
  EXPECT_EQ(documents("train"), train);
  EXPECT_EQ(documents("val"), val);
  EXPECT_GT(val.size(), 20u);
  EXPECT_EQ(report.train.documents, static_cast<int64_t>(train.size()));
  EXPECT_EQ(report.val.documents, static_cast<int64_t>(val.size()));
  EXPECT_EQ(report.documents_in, 200);
  EXPECT_EQ(report.files, 200);
  EXPECT_EQ(report.train.bytes + report.val.bytes, report.bytes_in);
  // One token a byte, and the mark.
  EXPECT_EQ(report.train.tokens, report.train.bytes + report.train.documents);
  EXPECT_FALSE(report.single_document);
  EXPECT_TRUE(report.dropped.empty());
}

TEST_F(PrepareSplit, OfTwoDocumentsOneTrainsAndOneValidates) {
  const std::string a = "one\n", b = "two\n";
  for (const double fraction : {1e-12, 0.1, 0.5, 0.9, 1 - 1e-12}) {
    run_text(a + "<|endoftext|>\n" + b, fraction);
    EXPECT_EQ(documents("train").size(), 1u) << fraction;
    EXPECT_EQ(documents("val").size(), 1u) << fraction;
  }
  run_text(a + "<|endoftext|>\n" + b, 1e-12);
  EXPECT_EQ(documents("val"), Documents{hash64(a) < hash64(b) ? a : b});
  run_text(a + "<|endoftext|>\n" + b, 0);
  EXPECT_EQ(documents("train"), (Documents{a, b}));
  EXPECT_TRUE(documents("val").empty());
}

TEST_F(PrepareSplit, ASingleDocumentIsCutByCharacters) {
  const std::string text = "一二三四五六七八九十\xFF";  // 11 characters: the invalid byte counts
  const PrepareReport report = run_text(text, 0.5);
  EXPECT_EQ(documents("train"), Documents{"OPEN: 一二三四五"});
  EXPECT_EQ(documents("val"), Documents{"OPEN: 六七八九十\xFF"});
  EXPECT_TRUE(report.single_document);
  EXPECT_EQ(report.documents_in, 1);
  EXPECT_EQ(report.train.documents, 1);
  EXPECT_EQ(report.val.documents, 1);
  EXPECT_EQ(report.train.bytes, 15);
  EXPECT_EQ(report.val.bytes, 16);
  EXPECT_EQ(report.invalid_utf8_documents, 1);
  EXPECT_EQ(report.warnings.back(),
            "1 documents are not valid UTF-8; their bytes are kept as they are");
}

TEST_F(PrepareSplit, ALongSingleDocumentIsCutInTheRightPlace) {
  // Longer than several pieces, the cut inside one of them.
  std::string text;
  while (text.size() < 5'000'000) text += "Zeichen für Zeichen 字\n";
  const size_t period = std::string("Zeichen für Zeichen 字\n").size();  // 22 characters
  run_text(text, 0.25);
  const auto train = documents("train").at(0).substr(6), val = documents("val").at(0).substr(6);
  EXPECT_TRUE(train + val == text);
  const int64_t characters = static_cast<int64_t>(text.size() / period) * 22;
  EXPECT_EQ(count_code_points(train), characters * 3 / 4);
  EXPECT_TRUE(is_valid_utf8(train));
}

// Its beginning trains and its end validates, each a document of its part.
TEST_F(PrepareSplit, CutsADocumentThatIsMostOfTheCorpus) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += fmt::format("line {} of a long document\n", i);
  write_text(scratch / "in/long", text);
  write_text(scratch / "in/short", "short doc");
  const PrepareReport report = run({scratch / "in"});
  const int64_t training = training_characters(static_cast<int64_t>(text.size()), 0.1);
  const std::string begin = text.substr(0, static_cast<size_t>(training));
  EXPECT_EQ(documents("train").at(0), begin);
  EXPECT_EQ(documents("val").at(0), text.substr(begin.size()));
  EXPECT_EQ(documents("train").size() + documents("val").size(), 3u);
  EXPECT_EQ(report.cut_documents, 1);
  EXPECT_FALSE(report.single_document);
  EXPECT_EQ(report.train.documents + report.val.documents, 3);
  EXPECT_NE(report.warnings.at(0).english().find("1 document is longer"), std::string::npos);
  EXPECT_EQ(read_json(out / "report.json")["cut_documents"], 1);
}

TEST_F(PrepareSplit, CutsADocumentOfSeveralPartsToo) {
  std::string text;
  while (text.size() < CorpusReader::kWhole_bytes + (1 << 20))
    text += "many words in a long line\n";
  write_text(scratch / "in/a", "before");
  write_text(scratch / "in/long", text);
  write_text(scratch / "in/z", "behind");
  run({scratch / "in"}, 0.3);
  Documents all = documents("train");
  for (const std::string& document : documents("val")) all.push_back(document);
  const auto is_long = [](const std::string& d) { return d.size() > 100; };
  ASSERT_EQ(all.size(), 4u);
  const auto first = std::find_if(all.begin(), all.end(), is_long);
  const auto second = std::find_if(first + 1, all.end(), is_long);
  ASSERT_NE(second, all.end());
  EXPECT_TRUE(*first + *second == text);
  EXPECT_EQ(static_cast<int64_t>(first->size()),
            training_characters(static_cast<int64_t>(text.size()), 0.3));
}

TEST_F(PrepareSplit, WarnsWhenThePartsAreFarFromTheFraction) {
  write_text(scratch / "in/a", std::string(500, 'a'));
  write_text(scratch / "in/b", std::string(500, 'b'));
  EXPECT_EQ(run({scratch / "in"}).warnings.at(0),
            "50 % of the text validate, and 10 % were asked for: whole documents are chosen by "
            "their content, and these are too few or too unequal to come nearer");
}

// Twice the fraction validates, and nearly nothing trains.
TEST_F(PrepareSplit, WarnsWhenTooLittleTrains) {
  const auto choose = [](size_t size, bool validates) {
    std::string text(size, 'a');
    while (hash_validates(hash64(text), 0.5) != validates) ++text[0];
    return text;
  };
  write_text(scratch / "in/long", choose(5000, true));
  write_text(scratch / "in/short", choose(9, false));
  EXPECT_TRUE(run({scratch / "in"}, 0.5)
                  .warnings.at(0)
                  .english()
                  .starts_with("99.8 % of the text validate, and 50 % were asked for"));
}

}  // namespace
}  // namespace inkstone
