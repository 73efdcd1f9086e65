#include "tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <map>

#include "samples.h"
#include "tokenizer/byte_alphabet.h"

namespace inkstone {
namespace {

// The definition: every step counts all pairs again.
LearnedBpe learn_plainly(const PieceCounts& pieces, const BpeTrainOptions& options) {
  LearnedBpe learned;
  std::map<uint8_t, TokenId> byte_ids;
  for (const uint8_t byte : bytes_in_alphabet_order()) {
    byte_ids[byte] = options.first_id + static_cast<TokenId>(learned.tokens.size());
    learned.tokens.push_back(std::string(1, static_cast<char>(byte)));
  }
  std::vector<std::vector<TokenId>> words(pieces.size());
  for (size_t i = 0; i < words.size(); ++i) {
    for (const char c : pieces.piece(i)) words[i].push_back(byte_ids[static_cast<uint8_t>(c)]);
  }
  while (options.first_id + static_cast<int64_t>(learned.tokens.size()) < options.vocab_size) {
    std::map<std::pair<TokenId, TokenId>, int64_t> counts;
    for (size_t i = 0; i < words.size(); ++i) {
      for (size_t j = 0; j + 1 < words[i].size(); ++j)
        counts[{words[i][j], words[i][j + 1]}] += pieces.count(i);
    }
    std::pair<TokenId, TokenId> best;
    int64_t most = 0;  // the map is in order of left, then right: the first of equals stays
    for (const auto& [pair, count] : counts) {
      if (count > most) most = count, best = pair;
    }
    if (most < std::max<int64_t>(1, options.min_frequency)) break;
    const TokenId product = options.first_id + static_cast<TokenId>(learned.tokens.size());
    const auto bytes = [&](TokenId id) {
      return learned.tokens[static_cast<size_t>(id - options.first_id)];
    };
    learned.tokens.push_back(bytes(best.first) + bytes(best.second));
    learned.merges.push_back({best.first, best.second, product});
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
  PieceCounts counts;
  counts.add(text);
  return counts;
}

std::vector<std::array<TokenId, 3>> list(const std::vector<Merge>& merges) {
  std::vector<std::array<TokenId, 3>> result;
  for (const Merge& merge : merges) result.push_back({merge.left, merge.right, merge.product});
  return result;
}

TEST(BpeTrainer, EqualsThePlainDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    std::string text;
    const size_t letters = 1 + random() % 4, words = 1 + random() % 60;
    for (size_t i = 0; i < words; ++i) {
      for (size_t j = 0; j <= random() % 14; ++j)
        text += static_cast<char>('a' + random() % letters);
      text += random() % 5 == 0 ? '\n' : ' ';
    }
    const BpeTrainOptions options{.vocab_size = 256 + static_cast<int64_t>(random() % 80),
                                  .min_frequency = static_cast<int64_t>(random() % 4),
                                  .first_id = static_cast<TokenId>(random() % 3),
                                  .reserved = {}};
    const PieceCounts counts = counts_of(text);
    const LearnedBpe learned = learn_bpe(counts, options),
                     expected = learn_plainly(counts, options);
    ASSERT_EQ(list(learned.merges), list(expected.merges)) << text;
    ASSERT_EQ(learned.tokens, expected.tokens);
  }
}

TEST(BpeTrainer, NeverMakesAReservedToken) {
  const PieceCounts counts = counts_of("SEP SEP SEP SEP");
  BpeTrainOptions options{.vocab_size = 400, .min_frequency = 2, .first_id = 1, .reserved = {}};
  const auto has = [](const LearnedBpe& learned, const std::string& token) {
    return std::find(learned.tokens.begin(), learned.tokens.end(), token) != learned.tokens.end();
  };
  EXPECT_TRUE(has(learn_bpe(counts, options), "SEP"));
  options.reserved = {"SEP"};
  EXPECT_FALSE(has(learn_bpe(counts, options), "SEP"));
}

TEST(PieceCounts, CountsAcrossTexts) {
  PieceCounts counts;
  counts.add("a b a");
  counts.add(" b");
  ASSERT_EQ(counts.size(), 3u);  // "a", " b", " a"
  EXPECT_EQ(counts.piece(0), "a");
  EXPECT_EQ(counts.count(0), 1);
  EXPECT_EQ(counts.piece(1), " b");
  EXPECT_EQ(counts.count(1), 2);
  EXPECT_EQ(counts.piece(2), " a");
  // Enough distinct pieces to grow the table several times.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20000; ++i) counts.add(std::to_string(i));
  }
  ASSERT_EQ(counts.size(), 20003u);
  for (size_t i = 3; i < counts.size(); ++i) ASSERT_EQ(counts.count(i), 2) << counts.piece(i);
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
