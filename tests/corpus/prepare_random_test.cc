// A property: whatever the corpus, its documents come back from the shards, each whole and in its
// part.
#include <algorithm>
#include <random>

#include "base/hash.h"
#include "corpus/prepare/split.h"
#include "corpus_support.h"

namespace inkstone {
namespace {

using Documents = std::vector<std::string>;

std::string random_document(std::mt19937& random) {
  static const std::string kParts[] = {
      " ",           "\n", "\r\n",        "\t",   "a",        "word",     "It's",
      "字",          "。", "😀",           "\xFF", "\xE5\xAD", "\xC2\xA0", "<|endoftext|> ",
      "<|endoftext", "#",  "\xEF\xBB\xBF"};
  std::string text;
  for (size_t n = random() % 30; n > 0; --n) text += kParts[random() % std::size(kParts)];
  return text;
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// A file of documents and, in `kept`, those that belong to the corpus. Each but the last ends its
// line, so that the mark stands on its own.
std::string random_file(std::mt19937& random, Documents& kept) {
  const bool byte_order_mark = random() % 4 == 0;
  std::string file = byte_order_mark ? "\xEF\xBB\xBF" : "";
  const size_t documents = random() % 5;
  for (size_t i = 0; i < documents; ++i) {
    std::string document = random_document(random);
    // The mark of the file would take one from a document that begins with it.
    if (i == 0 && !byte_order_mark && document.starts_with("\xEF\xBB\xBF"))
      document = "x" + document;
    const bool last = i + 1 == documents && random() % 2 == 0;
    if (!last && !document.empty()) document += "\n";
    if (!is_blank(document)) kept.push_back(document);
    file += document;
    if (!last) file += random() % 2 == 0 ? "<|endoftext|>\n" : "<|endoftext|>\r\n";
  }
  return file;
}

// The rule of the header, written down once more.
void divide(const Documents& documents, double fraction, Documents& train, Documents& val) {
  std::vector<bool> validates;
  for (const auto& d : documents) validates.push_back(hash_validates(hash64(d), fraction));
  const auto by_hash = [](const std::string& a, const std::string& b) {
    return hash64(a) < hash64(b);
  };
  if (fraction > 0 && std::count(validates.begin(), validates.end(), true) == 0) {
    validates[std::min_element(documents.begin(), documents.end(), by_hash) - documents.begin()] =
        true;
  }
  if (std::count(validates.begin(), validates.end(), false) == 0) {
    validates[std::max_element(documents.begin(), documents.end(), by_hash) - documents.begin()] =
        false;
  }
  for (size_t i = 0; i < documents.size(); ++i)
    (validates[i] ? val : train).push_back(documents[i]);
}

void check_corpus(const test::ScratchFolder& scratch, const Documents& documents,
                  const PrepareOptions& options, const Tokenizer& tokenizer) {
  const PrepareReport report = prepare(options, tokenizer);
  const auto part = [&](const char* split) {
    return test::documents_of(scratch / "out", split, tokenizer);
  };
  EXPECT_EQ(report.documents_in, static_cast<int64_t>(documents.size()));
  EXPECT_EQ(report.single_document, documents.size() == 1);
  if (report.single_document) {
    const std::string train = tokenizer.decode(test::tokens_of(scratch / "out", "train"));
    const std::string val = tokenizer.decode(test::tokens_of(scratch / "out", "val"));
    EXPECT_EQ(train + val, documents[0]);
    EXPECT_FALSE(train.empty());
    return;
  }
  Documents train, val;
  divide(documents, options.val_fraction, train, val);
  EXPECT_EQ(part("train"), train);
  EXPECT_EQ(part("val"), val);
}

TEST(PrepareRandom, DocumentsComeBackFromTheShards) {
  std::mt19937 random(3);
  std::string sample;
  for (int i = 0; i < 500; ++i) sample += random_document(random);
  const Tokenizer tokenizers[] = {test::make_tokenizer(TokenizerType::kBpe, sample),
                                  test::make_tokenizer(TokenizerType::kChar, sample),
                                  test::byte_tokenizer()};
  int singles = 0;
  for (int trial = 0; trial < 120; ++trial) {
    const test::ScratchFolder scratch;
    Documents documents;
    const size_t files = 1 + random() % 6;
    for (size_t i = 0; i < files; ++i) {
      test::write_text(scratch / ("in/" + std::to_string(i)), random_file(random, documents));
    }
    PrepareOptions options = test::untouched(
        {.inputs = {scratch / "in"},
         .output = scratch / "out",
         .val_fraction = std::array{0.0, 0.1, 0.5, 0.99}[random() % 4],
         .shard_tokens = static_cast<int64_t>(1 + random() % 40)});
    options.batch_bytes = 100 + random() % 2000;
    options.read.encoding = "UTF-8";  // what looks like another is meant as it is
    SCOPED_TRACE(testing::PrintToString(documents));
    const Tokenizer& tokenizer = tokenizers[random() % 3];
    if (documents.empty()) {
      EXPECT_EQ(test::thrown_by([&] { prepare(options, tokenizer); }).code(),
                ErrorCode::kInvalidData);
    } else {
      check_corpus(scratch, documents, options, tokenizer);
      singles += documents.size() == 1 ? 1 : 0;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GE(singles, 3);  // the case is covered
}

}  // namespace
}  // namespace inkstone
