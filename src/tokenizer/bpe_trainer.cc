#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <span>
#include <unordered_set>

#include "tokenizer/byte_alphabet.h"

namespace inkstone {
namespace {

// A pair that waits to be merged, with the words in which it occurs or occurred.
//
// Every pair becomes a candidate once. For a token comes to be in one step, everywhere at once, and
// so do its pairs with the tokens that are there already. (A later step never makes the same bytes
// T from another pair: where T's ends are token boundaries they have been so in every step before,
// thus T was split there as anywhere else, and was merged when the first T was.)
struct Candidate {
  int64_t count = 0;  // when it was last looked at; the true count may have become smaller since
  uint64_t pair = 0;
  std::vector<uint32_t> words;  // ascending
};

struct IsWorse {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

// The pieces as sequences of tokens, which shrink in place.
class Words {
 public:
  explicit Words(const PieceCounts& pieces, const std::array<TokenId, 256>& byte_tokens) {
    begins_.reserve(pieces.size());
    sizes_.reserve(pieces.size());
    counts_.reserve(pieces.size());
    for (size_t i = 0; i < pieces.size(); ++i) {
      begins_.push_back(tokens_.size());
      sizes_.push_back(pieces.piece(i).size());
      counts_.push_back(pieces.count(i));
      for (const char c : pieces.piece(i)) tokens_.push_back(byte_tokens[static_cast<uint8_t>(c)]);
    }
  }

  uint32_t size() const { return static_cast<uint32_t>(begins_.size()); }
  int64_t count(uint32_t word) const { return counts_[word]; }
  std::span<const TokenId> tokens(uint32_t word) const {
    return {&tokens_[begins_[word]], sizes_[word]};
  }

  // Replaces the pair, left to right, by its product. change(left, right, +1 or -1) is told of
  // every other pair that comes or goes.
  template <typename Change>
  void merge(uint32_t word, const Merge& merge, Change&& change) {
    TokenId* tokens = &tokens_[begins_[word]];
    const size_t size = sizes_[word];
    size_t to = 0;
    for (size_t from = 0; from < size; ++to) {
      const bool found =
          tokens[from] == merge.left && from + 1 < size && tokens[from + 1] == merge.right;
      if (!found) {
        tokens[to] = tokens[from++];
        continue;
      }
      if (to > 0) {
        change(tokens[to - 1], merge.left, -1);
        change(tokens[to - 1], merge.product, +1);
      }
      from += 2;
      tokens[to] = merge.product;
      if (from < size) {
        change(merge.right, tokens[from], -1);
        change(merge.product, tokens[from], +1);
      }
    }
    sizes_[word] = to;
  }

 private:
  std::vector<TokenId> tokens_;
  std::vector<size_t> begins_, sizes_;
  std::vector<int64_t> counts_;
};

// How often each pair occurs, and the words of the pairs that are new since the last drain().
class PairCounts {
 public:
  void change(TokenId left, TokenId right, int64_t difference, uint32_t word) {
    const uint64_t key = Merge::pair_key(left, right);
    uint32_t& number = numbers_[key];
    if (number == 0) {
      pairs_.push_back({.pair = key, .count = 0, .words = {}});
      number = static_cast<uint32_t>(pairs_.size());
    }
    Pair& pair = pairs_[number - 1];
    pair.count += difference;
    if (difference <= 0) return;
    if (pair.words.empty()) new_pairs_.push_back(number - 1);
    // Words are visited one after the other, so a word that is in the list already is its last.
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
  }

  int64_t count(uint64_t pair) const { return pairs_[*numbers_.find(pair) - 1].count; }

  // Gives f(pair, count, words) every new pair.
  template <typename F>
  void drain(F&& f) {
    for (const uint32_t i : new_pairs_) {
      f(pairs_[i].pair, pairs_[i].count, std::exchange(pairs_[i].words, {}));
    }
    new_pairs_.clear();
  }

 private:
  struct Pair {
    uint64_t pair;
    int64_t count;
    std::vector<uint32_t> words;
  };
  IntegerMap<uint32_t> numbers_;  // place in pairs_, plus 1
  std::vector<Pair> pairs_;
  std::vector<uint32_t> new_pairs_;
};

class Trainer {
 public:
  Trainer(const PieceCounts& pieces, const BpeTrainOptions& options)
      : options_(options),
        reserved_(options.reserved.begin(), options.reserved.end()),
        words_(pieces, add_alphabet()) {}

  LearnedBpe run();

 private:
  std::array<TokenId, 256> add_alphabet();
  TokenId add_token(std::string bytes);
  void count_pairs();
  void queue_new_pairs();
  bool next(Candidate& candidate);
  void merge(const Candidate& candidate);
  int64_t vocab_size() const { return options_.first_id + static_cast<int64_t>(tokens_.size()); }
  const std::string& bytes(TokenId id) const {
    return tokens_[static_cast<size_t>(id - options_.first_id)];
  }

  BpeTrainOptions options_;
  std::unordered_set<std::string> reserved_;
  std::vector<std::string> tokens_;
  Words words_;
  PairCounts counts_;
  std::vector<Candidate> queue_;
  std::vector<Merge> merges_;
};

std::array<TokenId, 256> Trainer::add_alphabet() {
  std::array<TokenId, 256> ids;
  for (const uint8_t byte : bytes_in_alphabet_order())
    ids[byte] = add_token(std::string(1, static_cast<char>(byte)));
  return ids;
}

TokenId Trainer::add_token(std::string bytes) {
  tokens_.push_back(std::move(bytes));
  return static_cast<TokenId>(vocab_size() - 1);
}

void Trainer::count_pairs() {
  for (uint32_t word = 0; word < words_.size(); ++word) {
    const std::span<const TokenId> tokens = words_.tokens(word);
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      counts_.change(tokens[i], tokens[i + 1], words_.count(word), word);
    }
  }
}

void Trainer::queue_new_pairs() {
  counts_.drain([&](uint64_t pair, int64_t count, std::vector<uint32_t> words) {
    if (count <= 0) return;
    queue_.push_back({.count = count, .pair = pair, .words = std::move(words)});
    std::push_heap(queue_.begin(), queue_.end(), IsWorse());
  });
}

// The best candidate; false when none is frequent enough. One whose count is out of date goes back
// with the true one.
bool Trainer::next(Candidate& candidate) {
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), IsWorse());
    candidate = std::move(queue_.back());
    queue_.pop_back();
    const int64_t count = counts_.count(candidate.pair);
    if (candidate.count == count) return count >= std::max<int64_t>(1, options_.min_frequency);
    candidate.count = count;
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end(), IsWorse());
  }
  return false;
}

void Trainer::merge(const Candidate& candidate) {
  const TokenId left = static_cast<TokenId>(candidate.pair >> 32);
  const TokenId right = static_cast<TokenId>(candidate.pair);
  std::string product = bytes(left) + bytes(right);
  if (reserved_.contains(product)) return;
  merges_.push_back({left, right, add_token(std::move(product))});
  for (const uint32_t word : candidate.words) {
    const int64_t count = words_.count(word);
    words_.merge(word, merges_.back(), [&](TokenId a, TokenId b, int64_t sign) {
      counts_.change(a, b, sign * count, word);
    });
  }
  queue_new_pairs();
}

LearnedBpe Trainer::run() {
  count_pairs();
  queue_new_pairs();
  Candidate candidate;
  while (vocab_size() < options_.vocab_size && next(candidate)) merge(candidate);
  return {std::move(tokens_), std::move(merges_)};
}

}  // namespace

LearnedBpe learn_bpe(const PieceCounts& pieces, const BpeTrainOptions& options) {
  return Trainer(pieces, options).run();
}

}  // namespace inkstone
