#include "tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <map>

#include "samples.h"
#include "tokenizer/byte_alphabet.h"

namespace inkstone {
namespace {

// The definition: every step counts all pairs again.
LearnedBpe learn_plainly(const std::map<std::string, int64_t>& pieces,
                         const BpeTrainOptions& options) {
  LearnedBpe learned;
  std::map<uint8_t, TokenId> byte_ids;
  for (const uint8_t byte : bytes_in_alphabet_order()) {
    byte_ids[byte] = options.first_id + static_cast<TokenId>(learned.tokens.size());
    learned.tokens.push_back(std::string(1, static_cast<char>(byte)));
  }
  std::vector<std::vector<TokenId>> words;
  std::vector<int64_t> word_counts;
  for (const auto& [piece, count] : pieces) {
    words.emplace_back();
    word_counts.push_back(count);
    for (const char c : piece) words.back().push_back(byte_ids[static_cast<uint8_t>(c)]);
  }
  while (options.first_id + static_cast<int64_t>(learned.tokens.size()) < options.vocab_size) {
    std::map<std::pair<TokenId, TokenId>, int64_t> counts;
    for (size_t i = 0; i < words.size(); ++i) {
      for (size_t j = 0; j + 1 < words[i].size(); ++j)
        counts[{words[i][j], words[i][j + 1]}] += word_counts[i];
    }
    const auto length = [&](TokenId id) {
      return learned.tokens[static_cast<size_t>(id - options.first_id)].size();
    };
    std::pair<TokenId, TokenId> best;
    int64_t most = 0;  // the map is in order of left, then right: the first of equals stays
    for (const auto& [pair, count] : counts) {
      const size_t together = length(pair.first) + length(pair.second);
      const bool too_long = options.max_token_length > 0 && together > 2 &&
                            together >= static_cast<size_t>(options.max_token_length);
      if (count > most && !too_long) most = count, best = pair;
    }
    if (most < std::max<int64_t>(1, options.min_frequency)) break;
    const TokenId product = options.first_id + static_cast<TokenId>(learned.tokens.size());
    const auto bytes = [&](TokenId id) {
      return learned.tokens[static_cast<size_t>(id - options.first_id)];
    };
    learned.tokens.push_back(bytes(best.first) + bytes(best.second));
    learned.merges.push_back({best.first, best.second, product});
    learned.merge_counts.push_back(most);
    for (std::vector<TokenId>& word : words) {
      for (size_t j = 0; j + 1 < word.size(); ++j) {
        if (word[j] != best.first || word[j + 1] != best.second) continue;
        word[j] = product;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(j) + 1);
      }
    }
  }
  return learned;
}

PieceCounts counts_of(const std::string& text) {
  PieceCounts counts{Runtime()};
  counts.add(text);
  counts.finish();
  return counts;
}

std::map<std::string, int64_t> map_of(const PieceCounts& counts) {
  std::map<std::string, int64_t> map;
  for (size_t p = 0; p < PieceCounts::kPartitions; ++p) {
    const PieceTable& table = counts.partition(p);
    for (size_t i = 0; i < table.size(); ++i) map[std::string(table.piece(i))] += table.count(i);
  }
  return map;
}

std::vector<std::array<TokenId, 3>> list(const std::vector<Merge>& merges) {
  std::vector<std::array<TokenId, 3>> result;
  for (const Merge& merge : merges) result.push_back({merge.left, merge.right, merge.product});
  return result;
}

TEST(BpeTrainer, EqualsThePlainDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const size_t letters = 1 + random() % 4, words = 1 + random() % 60;
    for (size_t i = 0; i < words; ++i) {
      for (size_t j = 0; j <= random() % 14; ++j)
        text += static_cast<char>('a' + random() % letters);
      text += random() % 5 == 0 ? '\n' : ' ';
    }
    const BpeTrainOptions options{
        .vocab_size = 258 + static_cast<int64_t>(random() % 80),
        .min_frequency = static_cast<int64_t>(random() % 4),
        .max_token_length = random() % 3 != 0 ? 0 : static_cast<int64_t>(random() % 6),
        .first_id = static_cast<TokenId>(random() % 3),
        .reserved = {},
        .on_merge = {}};
    const PieceCounts counts = counts_of(text);
    const LearnedBpe learned = learn_bpe(counts, options),
                     expected = learn_plainly(map_of(counts), options);
    ASSERT_EQ(list(learned.merges), list(expected.merges)) << text;
    ASSERT_EQ(learned.tokens, expected.tokens);
    ASSERT_EQ(learned.merge_counts, expected.merge_counts);
  }
}

TEST(BpeTrainer, NeverMakesAReservedToken) {
  const PieceCounts counts = counts_of("SEP SEP SEP SEP");
  BpeTrainOptions options;
  options.vocab_size = 400;
  options.min_frequency = 2;
  options.first_id = 1;
  const auto has = [](const LearnedBpe& learned, const std::string& token) {
    return std::find(learned.tokens.begin(), learned.tokens.end(), token) != learned.tokens.end();
  };
  EXPECT_TRUE(has(learn_bpe(counts, options), "SEP"));
  options.reserved = {"SEP"};
  EXPECT_FALSE(has(learn_bpe(counts, options), "SEP"));
}

TEST(PieceCounts, CountsAcrossTextsAndBatches) {
  for (const size_t batch_bytes : {size_t{10'000}, PieceCounts::kBatch_bytes}) {
    PieceCounts counts(Runtime(), PieceCounts::kMemory_bytes, batch_bytes);
    counts.add("a b a");
    counts.add(" b");
    // Enough distinct pieces to grow the tables several times.
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 20000; i += 100) {
        std::string text;
        for (int j = i; j < i + 100; ++j) text += std::to_string(j) + "x";
        counts.add(text);
      }
    }
    counts.finish();
    const std::map<std::string, int64_t> map = map_of(counts);
    ASSERT_EQ(map.size(), 20004u);
    ASSERT_EQ(counts.distinct(), 20004);
    EXPECT_EQ(map.at("a"), 1);
    EXPECT_EQ(map.at(" b"), 2);
    EXPECT_EQ(map.at(" a"), 1);
    EXPECT_EQ(map.at("x"), 40000);
    for (int i = 0; i < 20000; ++i) ASSERT_EQ(map.at(std::to_string(i)), 2) << i;
    EXPECT_EQ(counts.occurrences(), 80004);
    EXPECT_EQ(counts.forgotten(), 0);
  }
}

// Words of which the k-th comes up about 1 / k of the time, in texts of ten.
std::vector<std::string> zipf_texts(int texts) {
  std::mt19937 random(11);
  std::vector<std::string> result;
  for (int i = 0; i < texts; ++i) {
    std::string text;
    for (int j = 0; j < 10; ++j) {
      const uint32_t rank = 1u << (random() % 12);
      text += " w" + std::string(1 + rank % 3, 'o') +
              static_cast<char>('a' + random() % std::min(rank, 26u)) +
              static_cast<char>('a' + (random() % rank) / 26 % 26) +
              static_cast<char>('a' + (random() % rank) / 676);
    }
    result.push_back(text);
  }
  return result;
}

TEST(PieceCounts, ForgetsTheRarestWhenMemoryIsShortWhateverTheThreads) {
  const std::vector<std::string> texts = zipf_texts(3000);
  constexpr int64_t kMemory_bytes = 60'000;
  std::map<std::string, int64_t> exact, first;
  for (const int threads : {1, 2, 5}) {
    const Runtime runtime({.threads = threads});
    PieceCounts all(runtime), some(runtime, kMemory_bytes, 4096);
    for (const std::string& text : texts) all.add(text), some.add(text);
    all.finish(), some.finish();
    exact = map_of(all);
    const std::map<std::string, int64_t> kept = map_of(some);
    if (threads == 1) first = kept;
    EXPECT_EQ(kept, first);
    int64_t missing = 0;
    for (const auto& [piece, count] : exact) {
      const int64_t counted = kept.contains(piece) ? kept.at(piece) : 0;
      EXPECT_LE(counted, count);
      EXPECT_LE(count - counted, some.undercount()) << piece;
      missing += count - counted;
    }
    EXPECT_GT(some.forgotten(), 0);
    EXPECT_EQ(some.forgotten(), missing);
    EXPECT_EQ(some.occurrences(), all.occurrences());
    EXPECT_LT(kept.size(), exact.size());
  }
}

TEST(BpeTrainer, DoesNotDependOnTheThreads) {
  // Enough distinct words that the merges of frequent pairs are shared out.
  std::vector<std::string> texts = zipf_texts(2000);
  for (int i = 0; i < 30000; ++i) {
    texts.push_back(" abab" + std::to_string(i) + "th" +
                    std::string(1, static_cast<char>('a' + i % 26)) + "th");
  }
  const auto learn = [&](int threads) {
    const Runtime runtime({.threads = threads});
    PieceCounts counts(runtime, PieceCounts::kMemory_bytes, 1 << 16);
    for (const std::string& text : texts) counts.add(text);
    counts.finish();
    BpeTrainOptions options;
    options.runtime = runtime;
    options.vocab_size = 900;
    options.min_frequency = 2;
    return learn_bpe(std::move(counts), options);
  };
  const LearnedBpe one = learn(1);
  EXPECT_EQ(one.merges.size(), 644u);
  for (const int threads : {2, 3, 7}) {
    const LearnedBpe several = learn(threads);
    EXPECT_EQ(list(several.merges), list(one.merges));
    EXPECT_EQ(several.merge_counts, one.merge_counts);
  }
}

TEST(BpeTrainer, TakesAMegabyteOfOneLetter) {
  BpeTrainOptions options;
  options.vocab_size = 1000;
  options.min_frequency = 2;
  const LearnedBpe learned = learn_bpe(counts_of(std::string(1 << 20, 'a')), options);
  // 2, 4, ..., 2^19 letters: of the last token there are two.
  ASSERT_EQ(learned.merges.size(), 19u);
  EXPECT_EQ(learned.tokens.back().size(), size_t{1} << 19);
  EXPECT_EQ(learned.merge_counts.back(), 3);
}

// Merges that Hugging Face's BpeTrainer made: see tools/make_tokenizer_fixtures.py.
TEST(BpeTrainer, EqualsHuggingFace) {
  const Json golden = test::fixture_golden();
  ASSERT_EQ(golden["trainings"].size(), 3u);
  for (const Json& training : golden["trainings"]) {
    TokenizerTrainOptions options;
    options.vocab_size = training["vocab_size"];
    options.min_frequency = training["min_frequency"];
    options.special_tokens = training["special_tokens"].get<std::vector<std::string>>();
    const test::ScratchFolder folder;
    test::train_on(training["text"], options).save(folder.path());
    const Json saved = read_json(folder / "tokenizer.json");
    EXPECT_EQ(saved["model"]["merges"], training["merges"]);
  }
}

}  // namespace
}  // namespace inkstone
