// MinHash against the similarity that it estimates, DuplicateFinder against a hash table.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/rng.h"
#include "corpus/dedup/duplicates.h"
#include "corpus/dedup/minhash.h"
#include "support.h"

namespace inkstone {
namespace {

std::vector<uint64_t> bands_of(std::string_view text, const MinHashOptions& options = {}) {
  MinHash hash(options);
  hash.add(text);
  const auto bands = hash.finish();
  return {bands.begin(), bands.end()};
}

std::vector<uint32_t> minima_of(std::string_view text, const MinHashOptions& options) {
  MinHash hash(options);
  hash.add(text);
  hash.finish();
  return {hash.minima().begin(), hash.minima().end()};
}

TEST(MinHash, SeesWordsAlone) {
  const auto bands = bands_of("The quick brown fox jumps over the lazy dog");
  EXPECT_EQ(bands.size(), 14u);
  EXPECT_EQ(bands_of("  the QUICK, brown\n\nfox -- jumps over: 'the lazy' dog! "), bands);
  EXPECT_NE(bands_of("The quick brown fox jumps over the lazy cat"), bands);
  EXPECT_NE(bands_of("The brown quick fox jumps over the lazy dog"), bands);
  EXPECT_EQ(bands_of("ÉCOLE Straße один два три"), bands_of("école straße ОДИН два, Три"));
  EXPECT_EQ(bands_of("春眠不觉晓，处处闻啼鸟。"), bands_of("春 眠 不觉晓处处闻啼鸟"));
  EXPECT_NE(bands_of("春眠不觉晓，处处闻啼鸟。"), bands_of("春眠不觉晓，处处闻鸟啼。"));
}

TEST(MinHash, ShortDocumentsHaveOneShingle) {
  EXPECT_TRUE(bands_of("").empty());
  EXPECT_TRUE(bands_of(" ,;\n\xFF").empty());
  EXPECT_EQ(bands_of("one two").size(), 14u);
  EXPECT_EQ(bands_of("one two"), bands_of("One, two"));
  EXPECT_NE(bands_of("one two"), bands_of("two one"));
  EXPECT_NE(bands_of("one two"), bands_of("one two three"));
}

TEST(MinHash, PiecesAndReuseChangeNothing) {
  const std::string first = "one two three four five six seven", second = "eight nine ten";
  MinHash hash;
  hash.add(first.substr(0, 13));
  hash.add(first.substr(13));
  const auto bands = hash.finish();
  EXPECT_EQ(std::vector<uint64_t>(bands.begin(), bands.end()), bands_of(first));
  hash.add(second);
  const auto again = hash.finish();
  EXPECT_EQ(std::vector<uint64_t>(again.begin(), again.end()), bands_of(second));
  EXPECT_TRUE(hash.finish().empty());
  EXPECT_TRUE(hash.minima().empty());
}

// These numbers must never change, on no machine: what is stored would be compared with what is
// new.
TEST(MinHash, TheValuesAreFixed) {
  const auto bands = bands_of("It was the best of times, it was the worst of times 春眠不觉晓");
  EXPECT_EQ(fmt::format("{:016x} {:016x}", bands.front(), bands.back()),
            "1a89418d36877727 cff16150f655f468");
}

TEST(MinHash, RefusesImpossibleOptions) {
  for (const MinHashOptions& options : {MinHashOptions{.shingle_words = 0},
                                        {.bands = 0},
                                        {.rows = 0},
                                        {.bands = 4096, .rows = 2},
                                        {.shingle_words = 1001},
                                        {.bands = 1 << 30}}) {
    EXPECT_EQ(test::thrown_by([&] { MinHash hash(options); }).code(), ErrorCode::kUsage);
  }
}

// Two documents of one-word shingles, of which `shared` of `total` are in both: the similarity is
// exact.
struct Pair {
  std::string a, b;
};
Pair make_pair(int shared, int total, uint64_t seed) {
  Pair pair;
  for (int i = 0; i < total; ++i) {
    const std::string word = fmt::format("w{}x{} ", seed, i);
    if (i < shared || i % 2 == 0) pair.a += word;
    if (i < shared || i % 2 == 1) pair.b += word;
  }
  return pair;
}

TEST(MinHash, EstimatesTheJaccardSimilarity) {
  const MinHashOptions options{.shingle_words = 1, .bands = 64, .rows = 64};
  for (const double similarity : {0.0, 0.1, 0.5, 0.8, 1.0}) {
    double sum = 0;
    constexpr int kPairs = 20;
    for (uint64_t seed = 0; seed < kPairs; ++seed) {
      const Pair pair = make_pair(static_cast<int>(200 * similarity), 200, seed);
      const auto a = minima_of(pair.a, options), b = minima_of(pair.b, options);
      int equal = 0;
      for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
      sum += equal / static_cast<double>(a.size());
    }
    // Standard deviation of the mean of 20 * 4096 independent draws, five times; the hashes of a
    // pair are not quite independent, thus as much again.
    const double bound = 10 * std::sqrt(similarity * (1 - similarity) / (kPairs * 4096));
    EXPECT_NEAR(sum / kPairs, similarity, bound + 1e-9);
  }
}

TEST(MinHash, DetectsAsTheFormulaSays) {
  EXPECT_NEAR(MinHash::detection_probability(0.75), 0.772, 0.001);
  EXPECT_NEAR(MinHash::detection_probability(0.8), 0.924, 0.001);
  const MinHashOptions options{.shingle_words = 1};
  for (const double similarity : {0.5, 0.7, 0.75, 0.8, 0.9}) {
    constexpr int kPairs = 1500;
    int found = 0;
    for (uint64_t seed = 0; seed < kPairs; ++seed) {
      const Pair pair = make_pair(static_cast<int>(120 * similarity), 120, seed);
      const auto a = bands_of(pair.a, options), b = bands_of(pair.b, options);
      bool same = false;
      for (size_t i = 0; i < a.size(); ++i) same |= a[i] == b[i];
      found += same ? 1 : 0;
    }
    const double p = MinHash::detection_probability(similarity);
    EXPECT_NEAR(found / static_cast<double>(kPairs), p, 5 * std::sqrt(p * (1 - p) / kPairs))
        << similarity;
  }
}

std::map<uint64_t, uint64_t> firsts_of(
    const std::vector<std::pair<DuplicateKey, uint64_t>>& records) {
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> first;
  for (const auto& [key, document] : records) {
    auto [at, is_new] = first.try_emplace({key.high, key.low}, document);
    at->second = std::min(at->second, document);
  }
  std::map<uint64_t, uint64_t> duplicates;
  for (const auto& [key, document] : records) {
    const uint64_t f = first[{key.high, key.low}];
    if (f == document) continue;
    auto [at, is_new] = duplicates.try_emplace(document, f);
    at->second = std::min(at->second, f);
  }
  return duplicates;
}

std::vector<std::pair<DuplicateKey, uint64_t>> random_records(uint64_t count, uint64_t keys,
                                                              uint64_t seed) {
  const Random random(seed, RandomStream::kDataOrder);
  std::vector<std::pair<DuplicateKey, uint64_t>> records;
  for (uint64_t i = 0; i < count; ++i) {
    const DuplicateKey key{random.below(keys, 3 * i) << 40, random.below(2, 3 * i + 1)};
    records.push_back({key, random.below(count, 3 * i + 2)});
  }
  return records;
}

void expect_equal(const Duplicates& found, const std::map<uint64_t, uint64_t>& expected,
                  size_t examples_max) {
  EXPECT_EQ(found.count, static_cast<int64_t>(expected.size()));
  for (uint64_t document = 0; document < found.is_duplicate.size(); ++document) {
    ASSERT_EQ(found.is_duplicate[document], expected.contains(document)) << document;
  }
  ASSERT_EQ(found.examples.size(), std::min(examples_max, expected.size()));
  auto next = expected.begin();
  for (const Duplicate& example : found.examples) {
    EXPECT_EQ(example.document, next->first);
    EXPECT_EQ(example.first, next->second);
    ++next;
  }
}

TEST(DuplicateFinder, AgreesWithAHashTable) {
  const test::ScratchFolder folder;
  struct Case {
    uint64_t records, keys;
    size_t memory_bytes;
    bool spills;
  };
  for (const Case& c : {Case{1000, 300, 1 << 20, false},
                        {20000, 8000, 0, true},
                        {20000, 1, 0, true},
                        {100'000, 1 << 30, 0, true},
                        {100'000, 3000, 0, true},
                        {256, 10, 0, false}}) {
    const auto records = random_records(c.records, c.keys, c.records + c.keys);
    DuplicateFinder finder(folder / "scratch", c.memory_bytes);
    for (const auto& [key, document] : records) finder.add(key, document);
    EXPECT_EQ(finder.files() > 0, c.spills);
    EXPECT_LE(finder.files(), 128u);
    expect_equal(finder.finish(7), firsts_of(records), 7);
    EXPECT_EQ(finder.files(), 0u);
    EXPECT_TRUE(!c.spills || std::filesystem::is_empty(folder / "scratch"));
    // Empty again.
    EXPECT_EQ(finder.finish().count, 0);
  }
}

TEST(DuplicateFinder, WritesNothingWhileItFits) {
  const test::ScratchFolder folder;
  DuplicateFinder finder(folder / "scratch");
  finder.add({1, 2}, 0);
  finder.add({1, 2}, 1);
  finder.add({1, 2}, 1);
  EXPECT_EQ(finder.finish().count, 1);
  EXPECT_FALSE(std::filesystem::exists(folder / "scratch"));
}

TEST(DuplicateFinder, ScratchFilesGoWithIt) {
  const test::ScratchFolder folder;
  {
    DuplicateFinder finder(folder.path(), 0);
    for (uint64_t i = 0; i < 1000; ++i) finder.add({i, 0}, i);
    EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(DuplicateFinder, ErrorsOfTheDiskAreErrors) {
  const test::ScratchFolder folder;
  write_file(folder / "file", "not a folder");
  DuplicateFinder nowhere(folder / "file", 0);
  const Error error = test::thrown_by([&] {
    for (uint64_t i = 0; i < 1000; ++i) nowhere.add({i, 0}, i);
  });
  EXPECT_EQ(error.code(), ErrorCode::kInputOutput) << error.what();

  DuplicateFinder cut(folder / "cut", 0);
  for (uint64_t i = 0; i < 1000; ++i) cut.add({i, 0}, i);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cut")) {
    std::filesystem::resize_file(entry.path(), 100);
  }
  EXPECT_TRUE(
      test::mentions(test::thrown_by([&] { cut.finish(); }), "shorter than what was written"));
}

}  // namespace
}  // namespace inkstone
