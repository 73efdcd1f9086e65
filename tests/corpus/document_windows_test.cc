// Windows that begin where documents begin, against an oracle that looks at every token.
#include <algorithm>

#include "base/rng.h"
#include "corpus_support.h"
#include "formats/token_shard.h"

namespace inkstone {
namespace {

constexpr TokenId kEnd = 0;

void write_shard(const std::filesystem::path& path, std::span<const TokenId> tokens) {
  TokenShardWriter writer(path, 16);
  writer.write(tokens);
  writer.commit();
}

// In two shards, cut where it may hurt.
TokenStream stream_of(const test::ScratchFolder& scratch, const std::vector<TokenId>& tokens) {
  const size_t cut = tokens.size() / 3;
  write_shard(scratch / "train_000000.bin", std::span(tokens).first(cut));
  write_shard(scratch / "train_000001.bin", std::span(tokens).subspan(cut));
  return TokenStream(scratch.path(), "train");
}

// 1 with, on average, every `mean`-th token an end.
std::vector<TokenId> random_documents(int64_t count, uint64_t mean, uint64_t seed) {
  const Random random(seed, RandomStream::kSampling);
  std::vector<TokenId> tokens(static_cast<size_t>(count), 1);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (random.below(mean, i) == 0) tokens[i] = kEnd;
  }
  return tokens;
}

bool is_start(const std::vector<TokenId>& tokens, int64_t at) {
  return at == 0 || tokens[static_cast<size_t>(at - 1)] == kEnd;
}

// The definition, token by token.
std::vector<int64_t> expected_begins(const std::vector<TokenId>& tokens, int64_t context) {
  const int64_t last = static_cast<int64_t>(tokens.size()) - 1, T = std::min(context, last);
  std::vector<int64_t> begins;
  for (int64_t at = 0; at + T <= last;) {
    int64_t start = at;  // of a document at or after `at`, or the end of the stream
    while (start < last && !is_start(tokens, start)) ++start;
    if (!is_start(tokens, start) || start - at >= T) {
      if (start - at < T) break;
      start = at;  // a whole window of this document is left
    }
    if (start + T > last) break;
    begins.push_back(start);
    at = start + T;
  }
  return begins;
}

std::vector<int64_t> begins_of(const DocumentWindows& windows) {
  std::vector<int64_t> begins;
  for (int64_t i = 0; i < windows.count(); ++i) begins.push_back(windows.begin(i));
  return begins;
}

const Runtime runtime({.threads = 2});

TEST(DocumentWindows, AreThoseOfTheDefinition) {
  uint64_t seed = 0;
  for (const uint64_t mean : {1, 2, 3, 7, 20, 1000}) {
    for (const int64_t count : {2, 3, 10, 31, 200}) {
      for (const int64_t context : {1, 2, 5, 16}) {
        const test::ScratchFolder scratch;
        const auto tokens = random_documents(count, mean, ++seed);
        const DocumentWindows windows(stream_of(scratch, tokens), context, kEnd, runtime.pool());
        ASSERT_EQ(begins_of(windows), expected_begins(tokens, context))
            << "mean " << mean << ", " << count << " tokens, context " << context << ", seed "
            << seed;
        ASSERT_EQ(windows.ends(), std::count(tokens.begin(), tokens.end(), kEnd));
        ASSERT_EQ(windows.length(), std::min(context, count - 1));
      }
    }
  }
}

// Larger than several rounds of the parallel pass and several blocks of the index.
TEST(DocumentWindows, KeepTheLawsOnALongStream) {
  const test::ScratchFolder scratch;
  const auto tokens = random_documents(9'000'000, 300, 3);
  const int64_t T = 128, count = static_cast<int64_t>(tokens.size());
  const TokenStream stream = stream_of(scratch, tokens);
  const DocumentWindows windows(stream, T, kEnd, runtime.pool());
  int64_t end = 0;
  for (int64_t i = 0; i < windows.count(); ++i) {
    const int64_t begin = windows.begin(i);
    ASSERT_GE(begin, end) << "a token is a target twice";
    ASSERT_LT(begin - end, T) << "a whole window is left out";
    ASSERT_LE(begin + T, count - 1);
    if (!is_start(tokens, begin)) {
      ASSERT_EQ(begin, end) << "a window begins in the middle of a document that none goes on with";
      for (int64_t at = begin + 1; at < begin + T; ++at) ASSERT_FALSE(is_start(tokens, at));
    }
    end = begin + T;
  }
  EXPECT_EQ(begins_of(windows), expected_begins(tokens, T));
}

TEST(DocumentWindows, AreVisitedOnceAnEpochInTheOrderOfThePermutation) {
  const test::ScratchFolder scratch;
  const DocumentWindows windows(stream_of(scratch, random_documents(20'000, 10, 5)), 16, kEnd,
                                runtime.pool());
  const WindowOrder order(windows, 1337);
  ASSERT_EQ(order.windows_per_epoch(), windows.count());
  std::vector<std::vector<int64_t>> epochs(2);
  for (int64_t i = 0; i < 2 * windows.count(); ++i) {
    epochs[static_cast<size_t>(i / windows.count())].push_back(order.begin(i));
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (auto& epoch : epochs) {
    EXPECT_FALSE(std::is_sorted(epoch.begin(), epoch.end()));
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, begins_of(windows));
  }
}

TEST(DocumentWindows, NameADamagedShardInsteadOfReadingOn) {
  const test::ScratchFolder scratch;
  auto tokens = random_documents(100'000, 50, 1);
  tokens[70'000] = 9;
  stream_of(scratch, tokens);
  const TokenStream stream(scratch.path(), "train", 9);
  const auto error = test::thrown_by([&] { DocumentWindows(stream, 8, kEnd, runtime.pool()); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "train_000001.bin"));
}

TEST(DocumentWindows, AStreamOfOneTokenIsABug) {
  const test::ScratchFolder scratch;
  write_shard(scratch / "train_000000.bin", std::vector<TokenId>{1});
  const TokenStream stream(scratch.path(), "train");
  EXPECT_EQ(test::thrown_by([&] { DocumentWindows(stream, 8, kEnd, runtime.pool()); }).code(),
            ErrorCode::kInternal);
}

}  // namespace
}  // namespace inkstone
