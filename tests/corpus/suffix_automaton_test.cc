// Verbatim matches against a search by hand, and planted copies in a longer text.
#include "corpus/copies/suffix_automaton.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace inkstone {
namespace {

using Symbols = std::vector<int32_t>;

Symbols random_symbols(uint64_t seed, size_t count, int32_t alphabet) {
  const Random random(seed, RandomStream::kSampling);
  Symbols symbols(count);
  for (size_t i = 0; i < count; ++i)
    symbols[i] = static_cast<int32_t>(random.uniform(i) * alphabet);
  return symbols;
}

// The length of the longest common part of a sequence and pieces of text, in quadratic time.
int64_t plain_longest(const Symbols& sequence, const std::vector<Symbols>& pieces) {
  int64_t longest = 0;
  for (const Symbols& piece : pieces) {
    std::vector<int64_t> row(piece.size() + 1, 0);
    for (const int32_t symbol : sequence) {
      for (size_t j = piece.size(); j > 0; --j) {
        row[j] = symbol == piece[j - 1] ? row[j - 1] + 1 : 0;
        longest = std::max(longest, row[j]);
      }
    }
  }
  return longest;
}

std::vector<VerbatimMatch> matches(const std::vector<Symbols>& sequences,
                                   const std::vector<Symbols>& pieces) {
  SuffixAutomaton automaton;
  for (const Symbols& sequence : sequences) automaton.add(sequence);
  for (const Symbols& piece : pieces) {
    automaton.break_text();
    for (const int32_t symbol : piece) automaton.feed(symbol);
  }
  return automaton.longest();
}

// What is said to match does, at the place that is said.
void expect_true(const VerbatimMatch& match, const Symbols& sequence,
                 const std::vector<Symbols>& pieces) {
  Symbols text;
  for (const Symbols& piece : pieces) text.insert(text.end(), piece.begin(), piece.end());
  ASSERT_GE(match.begin, 0);
  ASSERT_LE(match.begin + match.length, static_cast<int64_t>(sequence.size()));
  const auto begin = sequence.begin() + match.begin;
  const auto place = text.begin() + (match.text_end - match.length);
  EXPECT_TRUE(std::equal(begin, begin + match.length, place));
}

TEST(SuffixAutomaton, FindsWhatASearchByHandFinds) {
  for (const int32_t alphabet : {1, 2, 3, 8}) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      std::vector<Symbols> sequences, pieces;
      for (uint64_t i = 0; i < 4; ++i) {
        sequences.push_back(random_symbols(seed * 97 + i, 3 * i + seed % 7, alphabet));
        pieces.push_back(random_symbols(seed * 97 + 50 + i, 11 * i + 1, alphabet));
      }
      sequences.push_back(sequences[1]);  // twice, and once inside another
      sequences.push_back(sequences[2]);
      sequences.back().insert(sequences.back().end(), sequences[3].begin(), sequences[3].end());
      const auto found = matches(sequences, pieces);
      ASSERT_EQ(found.size(), sequences.size());
      for (size_t i = 0; i < sequences.size(); ++i) {
        EXPECT_EQ(found[i].length, plain_longest(sequences[i], pieces)) << seed << ' ' << i;
        expect_true(found[i], sequences[i], pieces);
      }
    }
  }
}

TEST(SuffixAutomaton, FindsEveryPlantedCopy) {
  constexpr size_t kCopy = 200, kSequences = 30;
  Symbols text = random_symbols(1, 300'000, 26);
  std::vector<Symbols> sequences;
  for (size_t i = 0; i < kSequences; ++i) {
    Symbols sequence = random_symbols(100 + i, 900, 26);
    const size_t from = 7'919 * i, at = 23 * i;
    std::copy_n(text.begin() + static_cast<int64_t>(from), kCopy,
                sequence.begin() + static_cast<int64_t>(at));
    // Not one symbol more by chance.
    if (at > 0) sequence[at - 1] = text[from == 0 ? 0 : from - 1] == 0 ? 1 : 0;
    sequence[at + kCopy] = text[from + kCopy] == 0 ? 1 : 0;
    sequences.push_back(std::move(sequence));
  }
  const auto found = matches(sequences, {text});
  for (size_t i = 0; i < kSequences; ++i) {
    EXPECT_EQ(found[i].length, static_cast<int64_t>(kCopy)) << i;
    EXPECT_EQ(found[i].begin, static_cast<int64_t>(23 * i)) << i;
    EXPECT_EQ(found[i].text_end, static_cast<int64_t>(7'919 * i + kCopy)) << i;
  }
}

TEST(SuffixAutomaton, DoesNotMatchAcrossABreak) {
  const Symbols sequence = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(matches({sequence}, {{1, 2, 3}, {4, 5, 6}}).front().length, 3);
  EXPECT_EQ(matches({sequence}, {{1, 2, 3, 4, 5, 6}}).front().length, 6);
  EXPECT_EQ(matches({sequence}, {{7, 8}}).front().length, 0);
  EXPECT_EQ(matches({{}}, {{7, 8}}).front().length, 0);
}

}  // namespace
}  // namespace inkstone
