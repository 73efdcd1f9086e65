// Copying no more than so many tokens: the index against a search by hand, and what is written with
// it.
#include "inkstone/copy_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/rng.h"
#include "inkstone/generator.h"
#include "small_generator.h"
#include "support.h"

namespace inkstone {
namespace {

using Tokens = std::vector<TokenId>;

Tokens random_tokens(uint64_t seed, size_t count, TokenId ids) {
  const Random random(seed, RandomStream::kSampling);
  Tokens tokens(count);
  for (size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(random.uniform(i) * ids);
  return tokens;
}

// Every token that follows the last `most` of `written` in a document.
Tokens plain_next(const Tokens& text, TokenId end, const Tokens& written, size_t most) {
  std::set<TokenId> found;
  for (size_t i = 0; i + most < text.size() && written.size() >= most; ++i) {
    const auto begin = text.begin() + static_cast<int64_t>(i);
    const auto behind = begin + static_cast<int64_t>(most);
    if (std::find(begin, behind + 1, end) != behind + 1) continue;
    if (std::equal(begin, behind, written.end() - static_cast<int64_t>(most)))
      found.insert(*behind);
  }
  return {found.begin(), found.end()};
}

TEST(CopyIndex, KnowsWhatFollows) {
  for (const TokenId ids : {2, 3, 9}) {
    for (int64_t most = 1; most <= 5; ++most) {
      const Tokens text = random_tokens(7, 400, ids);
      const CopyIndex index(text, most, std::array<TokenId, 1>{0});
      for (uint64_t seed = 0; seed < 200; ++seed) {
        const Tokens written = random_tokens(1000 + seed, seed % 9, ids);
        EXPECT_EQ(index.next(written), plain_next(text, 0, written, static_cast<size_t>(most)))
            << ids << ' ' << most << ' ' << seed;
      }
    }
  }
}

TEST(CopyIndex, RefusesNoLength) {
  EXPECT_EQ(test::thrown_by([] { CopyIndex({1, 2}, 0, {}); }).code(), ErrorCode::kUsage);
}

// The longest run of `written` that stands in the text.
int64_t longest_copy(const Tokens& written, const Tokens& text) {
  int64_t longest = 0;
  for (size_t i = 0; i < written.size(); ++i) {
    for (size_t j = 0; j < text.size(); ++j) {
      int64_t n = 0;
      while (i + static_cast<size_t>(n) < written.size() &&
             j + static_cast<size_t>(n) < text.size() &&
             written[i + static_cast<size_t>(n)] == text[j + static_cast<size_t>(n)])
        ++n;
      longest = std::max(longest, n);
    }
  }
  return longest;
}

// What the model writes by itself is the text, of which no more than three tokens in a row may be
// written again: the same ones whatever is written beside it.
TEST(CopyIndex, NothingLongerIsWritten) {
  Generator generator = test::small_generator();
  GenerateOptions options{.max_tokens = 60, .ignore_end_of_text = true, .whole_characters = false};
  options.sampling.temperature = 0;
  const std::vector<std::string> prompt = {"the word"};
  const Tokens text = generator.generate(prompt, options).front().tokens;
  ASSERT_GT(longest_copy(text, text), 3);

  options.no_copy = std::make_shared<CopyIndex>(text, 3, generator.tokenizer().end_marks());
  for (const double temperature : {0.0, 0.7}) {
    options.sampling.temperature = temperature;
    const auto alone = generator.generate(prompt, options, {}, 1);
    EXPECT_LE(longest_copy(alone.front().tokens, text), 3);
    EXPECT_EQ(alone.front().tokens.size(), 60u);
    const std::vector<std::string> several = {"in the", "the word", "a", "b", "the word was"};
    EXPECT_EQ(generator.generate(several, options, {}, 5)[1].tokens, alone.front().tokens);
  }
}

// Where every token would be a copy the text ends.
TEST(CopyIndex, ATextWithoutAWayOnEnds) {
  Generator generator = test::small_generator();
  Tokens text;
  const auto ids = static_cast<TokenId>(generator.tokenizer().vocab_size());
  for (TokenId a = 0; a < ids; ++a) {
    for (TokenId b = 0; b < ids; ++b) text.insert(text.end(), {a, b});
  }
  GenerateOptions options{.max_tokens = 5, .ignore_end_of_text = true, .whole_characters = false};
  options.no_copy = std::make_shared<CopyIndex>(text, 1, std::span<const TokenId>());
  const std::vector<std::string> prompt = {"the"};
  const Completion completion = generator.generate(prompt, options).front();
  EXPECT_EQ(completion.tokens.size(), 1u);
  EXPECT_EQ(completion.finish, FinishReason::kLength);
}

}  // namespace
}  // namespace inkstone
