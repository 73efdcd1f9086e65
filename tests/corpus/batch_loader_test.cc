// Token streams over shards, the order of training windows, evaluation windows.
#include "corpus/load/batch_loader.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "corpus_support.h"
#include "formats/token_shard.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;

void write_shard(const fs::path& path, const std::vector<TokenId>& tokens, int bits = 16) {
  TokenShardWriter writer(path, bits);
  writer.write(tokens);
  writer.commit();
}

// Shards of 5, 0, 1 and 4 tokens that count from 0 to 9; and what is no shard of this split.
void write_counting_shards(const fs::path& folder) {
  write_shard(folder / "train_000000.bin", {0, 1, 2, 3, 4});
  write_shard(folder / "train_000001.bin", {});
  write_shard(folder / "train_000002.bin", {5});
  write_shard(folder / "train_1000000.bin", {6, 7, 8, 9}, 32);
  write_shard(folder / "val_000000.bin", {100});
  for (const char* name :
       {"train_.bin", "train_x.bin", "train_000003.bin.tmp", "trainer_000000.bin"}) {
    test::write_text(folder / name, "no shard");
  }
}

TEST(TokenStream, ReadsAcrossShards) {
  const test::ScratchFolder scratch;
  write_counting_shards(scratch.path());
  const TokenStream stream(scratch.path(), "train");
  ASSERT_EQ(stream.count(), 10);
  for (int64_t begin = 0; begin <= 10; ++begin) {
    for (int64_t end = begin; end <= 10; ++end) {
      std::vector<TokenId> out(static_cast<size_t>(end - begin)), expected(out.size());
      std::iota(expected.begin(), expected.end(), static_cast<TokenId>(begin));
      stream.read(begin, out);
      ASSERT_EQ(out, expected) << begin << " to " << end;
    }
  }
  EXPECT_EQ(test::tokens_of(scratch.path(), "val"), std::vector<TokenId>{100});
}

TEST(TokenStream, ReadingOutsideIsABug) {
  const test::ScratchFolder scratch;
  write_counting_shards(scratch.path());
  const TokenStream stream(scratch.path(), "train");
  std::vector<TokenId> out(3);
  for (const int64_t begin : {int64_t{-1}, int64_t{8}, int64_t{11}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(test::thrown_by([&] { stream.read(begin, out); }).code(), ErrorCode::kInternal)
        << begin;
  }
}

TEST(TokenStream, NoShardsIsAnEmptyStream) {
  const test::ScratchFolder scratch;
  EXPECT_EQ(TokenStream(scratch.path(), "train").count(), 0);
  const auto missing = test::thrown_by([&] { TokenStream(scratch / "missing", "train"); });
  EXPECT_EQ(missing.code(), ErrorCode::kNotFound);
  EXPECT_TRUE(test::mentions(missing, "missing' is not a folder"));
}

TEST(TokenStream, RefusesADamagedShard) {
  const test::ScratchFolder scratch;
  write_counting_shards(scratch.path());
  fs::resize_file(scratch / "train_000000.bin", 1024 + 9);
  const auto error = test::thrown_by([&] { TokenStream(scratch.path(), "train"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "train_000000.bin"));
}

TEST(TokenStream, RefusesIdsOutsideTheVocabulary) {
  const test::ScratchFolder scratch;
  write_counting_shards(scratch.path());
  const TokenStream stream(scratch.path(), "train", 8);
  std::vector<TokenId> out(8);
  stream.read(0, out);
  const auto error = test::thrown_by([&] { stream.read(2, out); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "train_1000000.bin': token 2 is 8, expected an id below 8"));
}

// A prepared folder with three training shards.
void prepare_shards(const test::ScratchFolder& scratch) {
  test::write_text(scratch / "in/a", "0123456789");
  prepare(
      {.inputs = {scratch / "in"}, .output = scratch / "out", .val_fraction = 0, .shard_tokens = 4},
      test::byte_tokenizer());
}

TEST(TokenStream, AgreesWithTheReport) {
  const test::ScratchFolder scratch;
  prepare_shards(scratch);
  const fs::path out = scratch / "out";
  EXPECT_EQ(TokenStream(out, "train").count(), 10);
  EXPECT_EQ(TokenStream(out, "val").count(), 0);
  const auto expect_refusal = [&](const std::string& text) {
    const auto error = test::thrown_by([&] { TokenStream(out, "train"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(test::mentions(error, text));
  };
  fs::rename(out / "train_000001.bin", scratch / "aside");
  expect_refusal("has 'train_000002.bin' with 2 tokens, expected 'train_000001.bin' with 4 tokens");
  write_shard(out / "train_000001.bin", {1, 2});
  expect_refusal("has 'train_000001.bin' with 2 tokens, expected 'train_000001.bin' with 4 tokens");
  fs::rename(scratch / "aside", out / "train_000001.bin");
  write_shard(out / "train_000003.bin", {1});
  expect_refusal("has 'train_000003.bin' with 1 tokens, expected no more shards");
  fs::remove(out / "report.json");
  EXPECT_EQ(TokenStream(out, "train").count(), 11);
}

TEST(TokenStream, TakesTheVocabularyFromTheReport) {
  const test::ScratchFolder scratch;
  prepare_shards(scratch);
  write_shard(scratch / "out/train_000000.bin", {0, 1, 2, 40'000});
  const TokenStream stream(scratch / "out", "train");
  std::vector<TokenId> out(4);
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { stream.read(0, out); }), "token 3 is 40000"));
}

TEST(TokenStream, RefusesADamagedReport) {
  const test::ScratchFolder scratch;
  prepare_shards(scratch);
  for (const char* text :
       {"{", "[]", "{\"program\": \"inkstone prepare\"}",
        R"({"program": "inkstone prepare", "tokenizer": {"vocab_size": 5}, "train": 3})",
        R"({"program": "inkstone prepare", "tokenizer": {"vocab_size": 5},
                               "train": {"shards": [{"file": 1}]}})"}) {
    write_file(scratch / "out/report.json", text);
    const auto error = test::thrown_by([&] { TokenStream(scratch / "out", "train"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << text;
    EXPECT_TRUE(test::mentions(error, "report.json")) << text;
  }
  write_file(scratch / "out/report.json", "{\"program\": \"another\"}");
  EXPECT_EQ(TokenStream(scratch / "out", "train").count(), 10);
}

// First tokens of one epoch's windows, in the order visited.
std::vector<int64_t> epoch_of(const WindowOrder& order, int64_t epoch) {
  std::vector<int64_t> begins;
  for (int64_t i = 0; i < order.windows_per_epoch(); ++i) {
    begins.push_back(order.begin(epoch * order.windows_per_epoch() + i));
  }
  return begins;
}

TEST(WindowOrder, EveryEpochVisitsDisjointWindowsInsideTheStream) {
  for (int64_t context = 1; context <= 9; ++context) {
    for (int64_t tokens = 2; tokens <= 150; ++tokens) {
      const WindowOrder order(tokens, context, 7);
      ASSERT_EQ(order.length(), std::min(context, tokens - 1));
      // At most the targets that the offset leaves over, and one window more of a longer stream,
      // are not visited.
      ASSERT_GE((order.windows_per_epoch() + (tokens > 8 * context ? 2 : 1)) * order.length(),
                tokens - 1);
      for (int64_t epoch = 0; epoch < 4; ++epoch) {
        auto begins = epoch_of(order, epoch);
        std::sort(begins.begin(), begins.end());
        ASSERT_GE(begins.front(), 0);
        ASSERT_LT(begins.front(), order.length());
        ASSERT_LE(begins.back() + order.length() + 1, tokens);
        for (size_t i = 1; i < begins.size(); ++i)
          ASSERT_EQ(begins[i] - begins[i - 1], order.length());
      }
    }
  }
}

TEST(WindowOrder, DependsOnSeedAndIndexAlone) {
  const WindowOrder a(100'000, 64, 3), same(100'000, 64, 3), other(100'000, 64, 4);
  std::vector<int64_t> forward, backward;
  for (int64_t i = 0; i < 5000; ++i) forward.push_back(a.begin(i));
  for (int64_t i = 4999; i >= 0; --i) backward.push_back(same.begin(i));
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  EXPECT_NE(epoch_of(a, 0), epoch_of(other, 0));
}

std::vector<int64_t> begins_of(const WindowOrder& order, const std::vector<int64_t>& indices) {
  std::vector<int64_t> begins;
  for (const int64_t index : indices) begins.push_back(order.begin(index));
  return begins;
}

TEST(WindowOrder, StaysAsItIs) {
  // A changed order would change every run that is resumed or repeated. Values of
  // tools/window_order.py.
  using Begins = std::vector<int64_t>;
  EXPECT_EQ(begins_of(WindowOrder(1'003'854, 64, 1337), {0, 1, 2, 100'000}),
            (Begins{536665, 832473, 981849, 866380}));
  EXPECT_EQ(begins_of(WindowOrder(12'345, 100, (uint64_t{1} << 63) + 5),
                      {0, 1, 121, 122, 1'000'000'000'000}),
            (Begins{4947, 8647, 11047, 3296, 6047}));
  EXPECT_EQ(begins_of(WindowOrder(301, 100, 0), {0, 1, 2, 3, 4}), (Begins{100, 200, 0, 0, 100}));
}

TEST(WindowOrder, EpochsDifferInOrderAndOffset) {
  const WindowOrder order(10'001, 64, 5);
  std::set<int64_t> offsets;
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    const auto begins = epoch_of(order, epoch);
    offsets.insert(*std::min_element(begins.begin(), begins.end()));
  }
  // 200 draws of 64 offsets leave 64 * (63/64)^200 = 2.7 unseen on average; 15 is 7 standard
  // deviations more.
  EXPECT_GE(offsets.size(), 49u);
  EXPECT_LT(*offsets.rbegin(), 64);
  EXPECT_NE(epoch_of(order, 0), epoch_of(order, 1));
}

TEST(WindowOrder, TheOrderLooksRandom) {
  // The place where each window is visited, over many epochs: uniform, and free of correlation with
  // the window.
  const int64_t windows = 10, epochs = 20'000;
  const WindowOrder order(windows * 1 + 1, 1, 11);
  ASSERT_EQ(order.windows_per_epoch(), windows);
  std::vector<int64_t> counts(static_cast<size_t>(windows * windows));
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto begins = epoch_of(order, epoch);
    for (int64_t i = 0; i < windows; ++i)
      ++counts[static_cast<size_t>(i * windows + begins[static_cast<size_t>(i)])];
  }
  // Each cell is binomial with mean 2000 and deviation sqrt(20000 * 0.1 * 0.9) = 42.4; 100 cells, 5
  // deviations.
  for (const int64_t count : counts) EXPECT_NEAR(static_cast<double>(count), 2000.0, 5 * 42.4);
}

TEST(WindowOrder, NeighboursInTheOrderAreNotNeighboursInTheStream) {
  const WindowOrder order(1'000'001, 10, 2);
  const auto begins = epoch_of(order, 0);
  int64_t adjacent = 0;
  for (size_t i = 1; i < begins.size(); ++i)
    adjacent += std::abs(begins[i] - begins[i - 1]) == 10 ? 1 : 0;
  // In a random permutation two on average (Poisson); in a sequence all 100,000.
  EXPECT_LE(adjacent, 15);
}

TEST(WindowOrder, AStreamShorterThanAWindowIsOneWindow) {
  const WindowOrder order(12, 1024, 1);
  EXPECT_EQ(order.windows_per_epoch(), 1);
  EXPECT_EQ(order.length(), 11);
  for (const int64_t index : {int64_t{0}, int64_t{1}, int64_t{1'000'000'007}})
    EXPECT_EQ(order.begin(index), 0);
  EXPECT_EQ(WindowOrder(2, 1024, 1).length(), 1);
  EXPECT_EQ(test::thrown_by([] { WindowOrder(1, 4, 1); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(test::thrown_by([&] { order.begin(-1); }).code(), ErrorCode::kInternal);
}

TEST(WindowOrder, NeedsNoTableForAnyLength) {
  // A trillion tokens: constant time and memory, or this test does not end.
  const int64_t tokens = 1'000'000'000'000;
  const WindowOrder order(tokens, 1024, 9);
  for (int64_t i = 0; i < 20'000; ++i) {
    const int64_t begin = order.begin(i * 123'456'789);
    ASSERT_GE(begin, 0);
    ASSERT_LE(begin + 1025, tokens);
  }
}

TEST(EvalWindows, CoverEachTargetOnce) {
  for (int64_t context = 1; context <= 9; ++context) {
    for (int64_t tokens = 0; tokens <= 60; ++tokens) {
      const EvalWindows windows(tokens, context);
      int64_t next_target = 1;
      for (int64_t i = 0; i < windows.count(); ++i) {
        ASSERT_EQ(windows.begin(i) + 1, next_target);
        ASSERT_GE(windows.length(i), 1);
        ASSERT_LE(windows.length(i), context);
        if (i + 1 < windows.count()) {
          ASSERT_EQ(windows.length(i), context);
        }
        next_target += windows.length(i);
      }
      ASSERT_EQ(next_target, std::max<int64_t>(tokens, 1))
          << tokens << " tokens, context " << context;
    }
  }
  EXPECT_EQ(test::thrown_by([] { EvalWindows(5, 2).length(2); }).code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace inkstone
