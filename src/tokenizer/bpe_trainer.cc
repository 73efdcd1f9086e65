#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <span>
#include <unordered_set>

#include "base/error.h"
#include "base/thread_pool.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/integer_map.h"

namespace inkstone {
namespace {

constexpr uint32_t kNone = ~uint32_t{0};

// The distinct pieces as sequences of tokens, which shrink in place. A word is known by its place
// in one array of cells, where it has its size, its count and its tokens next to each other: one
// cache miss per word.
class Words {
 public:
  // Frees the pieces while it reads them.
  Words(PieceCounts& pieces, const std::array<TokenId, 256>& byte_tokens) {
    size_t cells = 0;
    for (size_t p = 0; p < PieceCounts::kPartitions; ++p) {
      cells += kHeader * pieces.partition(p).size() +
               static_cast<size_t>(pieces.partition(p).bytes());
    }
    if (cells >= kNone)
      fail(ErrorCode::kUnsupported, "the distinct pieces of the text are too many to learn from");
    cells_.resize(cells);
    uint32_t at = 0;
    for (size_t p = 0; p < PieceCounts::kPartitions; ++p) {
      partitions_[p] = at;
      for (size_t i = 0; i < pieces.partition(p).size(); ++i)
        at = append(at, pieces.partition(p).piece(i), pieces.partition(p).count(i), byte_tokens);
      pieces.release(p);
    }
    partitions_.back() = at;
  }

  int64_t count(uint32_t word) const {
    return static_cast<int64_t>(cells_[word + 1] | (uint64_t{cells_[word + 2]} << 32));
  }
  std::span<uint32_t> tokens(uint32_t word) { return {&cells_[word + kHeader], cells_[word]}; }
  std::span<const uint32_t> tokens(uint32_t word) const {
    return {&cells_[word + kHeader], cells_[word]};
  }
  void shrink(uint32_t word, size_t size) { cells_[word] = static_cast<uint32_t>(size); }
  void prefetch(uint32_t word) const { __builtin_prefetch(&cells_[word]); }

  // f(word) for every word of the partitions [begin, end), in ascending order; to be called before
  // any shrink().
  template <typename F>
  void for_each(int64_t begin, int64_t end, F&& f) const {
    const uint32_t last = partitions_[static_cast<size_t>(end)];
    uint32_t word = partitions_[static_cast<size_t>(begin)];
    for (; word < last; word += kHeader + cells_[word]) f(word);
  }

 private:
  static constexpr uint32_t kHeader = 3;

  uint32_t append(uint32_t at, std::string_view piece, int64_t count,
                  const std::array<TokenId, 256>& byte_tokens) {
    cells_[at++] = static_cast<uint32_t>(piece.size());
    cells_[at++] = static_cast<uint32_t>(count);
    cells_[at++] = static_cast<uint32_t>(static_cast<uint64_t>(count) >> 32);
    for (const char c : piece)
      cells_[at++] = static_cast<uint32_t>(byte_tokens[static_cast<uint8_t>(c)]);
    return at;
  }

  std::vector<uint32_t> cells_;
  std::array<uint32_t, PieceCounts::kPartitions + 1> partitions_{};  // where each begins
};

// Words, each once, in an array of exactly their number: there are millions of short ones.
struct WordList {
  std::unique_ptr<uint32_t[]> words;
  uint32_t size = 0;

  WordList() = default;
  explicit WordList(uint32_t count) : words(new uint32_t[count]), size(count) {}
};

// A pair that waits to be merged, with the words in which it occurs or occurred.
//
// Every pair becomes a candidate once. For a token comes to be in one step, everywhere at once, and
// so do its pairs with the tokens that are there already. (A later step never makes the same bytes
// T from another pair: where T's ends are token boundaries they have been so in every step before,
// thus T was split there as anywhere else, and was merged when the first T was.) From then on its
// count can only fall: what is too rare at first never needs to be remembered.
struct Candidate {
  int64_t count = 0;
  WordList list;
};

// An entry of the queue. `count` is as of when it was put there: the true one may have become
// smaller.
struct Queued {
  int64_t count;
  uint64_t pair;
  uint32_t candidate;
};

struct IsWorse {
  bool operator()(const Queued& a, const Queued& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

// The tokens that stand on one side of the places of a merge: how often, and in which words.
class Neighbours {
 public:
  struct Entry {
    int64_t count = 0;
    uint32_t last_word = kNone;
    uint32_t words = 0;
    uint32_t* list = nullptr;  // where the next word goes
  };

  void set_vocab_size(size_t size) { entries_.resize(size); }

  // To be called word after word.
  void add(uint32_t token, int64_t count, uint32_t word) {
    Entry& entry = entries_[token];
    if (entry.count == 0) tokens_.push_back(token);
    entry.count += count;
    if (entry.last_word == word) return;
    entry.last_word = word;
    ++entry.words;
    places_.push_back({token, word});
  }

  // Takes over what another found in words of its own, and empties it.
  void take(Neighbours& other) {
    for (const uint32_t token : other.tokens_) {
      Entry& entry = entries_[token];
      if (entry.count == 0) tokens_.push_back(token);
      entry.count += other.entries_[token].count;
      entry.words += other.entries_[token].words;
    }
    places_.insert(places_.end(), other.places_.begin(), other.places_.end());
    other.clear();
  }

  const std::vector<uint32_t>& tokens() const { return tokens_; }
  Entry& operator[](uint32_t token) { return entries_[token]; }

  // Writes the words of each token where its entry says, if anywhere.
  void write_lists() {
    for (const Place& place : places_) {
      if (uint32_t*& list = entries_[place.token].list) *list++ = place.word;
    }
  }

  void clear() {
    for (const uint32_t token : tokens_) entries_[token] = Entry();
    tokens_.clear();
    places_.clear();
  }

 private:
  struct Place {
    uint32_t token, word;
  };
  std::vector<Entry> entries_;    // by token
  std::vector<uint32_t> tokens_;  // whose entries are in use
  std::vector<Place> places_;
};

// What one thread finds while it merges. A neighbour `before` that is the product itself stands for
// two places of the merge side by side.
struct Changes {
  Neighbours before, after;
};

// Replaces the pair in one word, left to right, by its product.
void merge_in_word(Words& words, uint32_t word, const Merge& merge, Changes& changes) {
  const std::span<uint32_t> tokens = words.tokens(word);
  const uint32_t left = static_cast<uint32_t>(merge.left),
                 right = static_cast<uint32_t>(merge.right);
  const uint32_t product = static_cast<uint32_t>(merge.product);
  const auto is_place = [&](size_t i) {
    return i + 1 < tokens.size() && tokens[i] == left && tokens[i + 1] == right;
  };
  size_t from = 0;
  while (from < tokens.size() && !is_place(from)) ++from;
  size_t to = from;
  for (; from < tokens.size(); ++to) {
    if (!is_place(from)) {
      tokens[to] = tokens[from++];
      continue;
    }
    if (to > 0) changes.before.add(tokens[to - 1], words.count(word), word);
    tokens[to] = product;
    from += 2;
    if (from < tokens.size() && !is_place(from))
      changes.after.add(tokens[from], words.count(word), word);
  }
  words.shrink(word, to);
}

void merge_in_words(Words& words, std::span<const uint32_t> list, const Merge& merge,
                    Changes& changes) {
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i + kAhead < list.size()) words.prefetch(list[i + kAhead]);
    merge_in_word(words, list[i], merge, changes);
  }
}

// The pairs of byte tokens, by number: the left byte's place in the alphabet times 256 plus the
// right one's.
struct BytePairs {
  std::vector<int64_t> counts = std::vector<int64_t>(1 << 16);
  std::vector<uint32_t> words = std::vector<uint32_t>(1 << 16);
  std::vector<uint32_t> last_word = std::vector<uint32_t>(1 << 16, kNone);
  std::vector<uint32_t*> lists = std::vector<uint32_t*>(1 << 16);
};

class Trainer {
 public:
  Trainer(PieceCounts& pieces, const BpeTrainOptions& options)
      : options_(options),
        pool_(options.runtime.pool()),
        reserved_(options.reserved.begin(), options.reserved.end()),
        min_count_(std::max<int64_t>(1, options.min_frequency)),
        max_length_(options.max_token_length > 0 ? static_cast<size_t>(options.max_token_length)
                                                 : std::numeric_limits<size_t>::max()),
        words_(pieces, add_alphabet()),
        changes_(static_cast<size_t>(pool_.threads())) {}

  LearnedBpe run();

 private:
  std::array<TokenId, 256> add_alphabet();
  TokenId add_token(std::string bytes);
  template <typename F>
  void for_each_byte_pair(int64_t begin, int64_t end, F&& f) const;
  void queue_byte_pairs();
  uint32_t* queue_pair(uint64_t pair, int64_t count, uint32_t words);
  void lower_count(uint64_t pair, int64_t difference);
  bool next(Queued& best);
  void merge(const Queued& best);
  void find_changes(std::span<const uint32_t> list, const Merge& merge);
  void apply_changes(const Merge& merge);
  int64_t vocab_size() const {
    return options_.first_id + static_cast<int64_t>(learned_.tokens.size());
  }
  const std::string& bytes(TokenId id) const {
    return learned_.tokens[static_cast<size_t>(id - options_.first_id)];
  }

  const BpeTrainOptions& options_;
  ThreadPool& pool_;
  std::unordered_set<std::string> reserved_;
  int64_t min_count_;
  size_t max_length_;
  LearnedBpe learned_;
  Words words_;
  std::vector<Changes> changes_;  // of each thread
  std::vector<Candidate> candidates_;
  IntegerMap<uint32_t> candidate_of_;  // by pair, plus 1
  std::vector<Queued> queue_;          // a heap
};

std::array<TokenId, 256> Trainer::add_alphabet() {
  std::array<TokenId, 256> ids;
  for (const uint8_t byte : bytes_in_alphabet_order())
    ids[byte] = add_token(std::string(1, static_cast<char>(byte)));
  return ids;
}

TokenId Trainer::add_token(std::string bytes) {
  learned_.tokens.push_back(std::move(bytes));
  return static_cast<TokenId>(vocab_size() - 1);
}

// f(pair number, word) for every pair in the words of some partitions.
template <typename F>
void Trainer::for_each_byte_pair(int64_t begin, int64_t end, F&& f) const {
  const uint32_t first = static_cast<uint32_t>(options_.first_id);
  words_.for_each(begin, end, [&](uint32_t word) {
    const std::span<const uint32_t> tokens = words_.tokens(word);
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
      f((tokens[i] - first) << 8 | (tokens[i + 1] - first), word);
  });
}

// Counts first, then lists the words: the words of some partitions by themselves.
void Trainer::queue_byte_pairs() {
  constexpr int64_t kPartitions = PieceCounts::kPartitions;
  const int64_t parts = pool_.threads();
  std::vector<BytePairs> found(static_cast<size_t>(parts));
  const auto for_each_pair_of = [&](int64_t part, auto&& f) {
    for_each_byte_pair(kPartitions * part / parts, kPartitions * (part + 1) / parts, f);
  };
  pool_.parallel_each(parts, [&](int64_t part, int) {
    BytePairs& pairs = found[static_cast<size_t>(part)];
    for_each_pair_of(part, [&](uint32_t pair, uint32_t word) {
      pairs.counts[pair] += words_.count(word);
      pairs.words[pair] += std::exchange(pairs.last_word[pair], word) != word;
    });
  });
  for (uint32_t pair = 0; pair < 1 << 16; ++pair) {
    int64_t count = 0;
    uint32_t words = 0;
    for (const BytePairs& pairs : found) count += pairs.counts[pair], words += pairs.words[pair];
    if (count < min_count_) continue;
    const TokenId left = options_.first_id + static_cast<TokenId>(pair >> 8);
    const TokenId right = options_.first_id + static_cast<TokenId>(pair & 0xFF);
    uint32_t* list = queue_pair(Merge::pair_key(left, right), count, words);
    for (BytePairs& pairs : found) {
      pairs.lists[pair] = list;
      pairs.last_word[pair] = kNone;
      list += pairs.words[pair];
    }
  }
  pool_.parallel_each(parts, [&](int64_t part, int) {
    BytePairs& pairs = found[static_cast<size_t>(part)];
    for_each_pair_of(part, [&](uint32_t pair, uint32_t word) {
      if (pairs.lists[pair] == nullptr || std::exchange(pairs.last_word[pair], word) == word)
        return;
      *pairs.lists[pair]++ = word;
    });
  });
}

// A new candidate; gives where its words are to be written.
uint32_t* Trainer::queue_pair(uint64_t pair, int64_t count, uint32_t words) {
  const uint32_t number = static_cast<uint32_t>(candidates_.size());
  candidates_.push_back({.count = count, .list = WordList(words)});
  candidate_of_[pair] = number + 1;
  queue_.push_back({.count = count, .pair = pair, .candidate = number});
  std::push_heap(queue_.begin(), queue_.end(), IsWorse());
  return candidates_.back().list.words.get();
}

void Trainer::lower_count(uint64_t pair, int64_t difference) {
  if (const uint32_t* number = candidate_of_.find(pair))
    candidates_[*number - 1].count -= difference;
}

// The best candidate; false when none is frequent enough. One whose count is out of date goes back
// with the true one.
bool Trainer::next(Queued& best) {
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), IsWorse());
    best = queue_.back();
    queue_.pop_back();
    Candidate& candidate = candidates_[best.candidate];
    if (best.count == candidate.count) return true;
    best.count = candidate.count;
    if (best.count < min_count_) {
      candidate.list = WordList();
      continue;
    }
    queue_.push_back(best);
    std::push_heap(queue_.begin(), queue_.end(), IsWorse());
  }
  return false;
}

void Trainer::merge(const Queued& best) {
  const TokenId left = static_cast<TokenId>(best.pair >> 32);
  const TokenId right = static_cast<TokenId>(best.pair);
  const WordList list = std::move(candidates_[best.candidate].list);
  std::string product = bytes(left) + bytes(right);
  if (reserved_.contains(product)) return;
  const Merge merge{left, right, add_token(std::move(product))};
  learned_.merges.push_back(merge);
  learned_.merge_counts.push_back(best.count);
  find_changes({list.words.get(), list.size}, merge);
  apply_changes(merge);
  if (options_.on_merge) options_.on_merge(static_cast<int64_t>(learned_.merges.size()));
}

// Merges in all words of the list and leaves what changed in changes_[0].
void Trainer::find_changes(std::span<const uint32_t> list, const Merge& merge) {
  constexpr int64_t kGrain = 8192;  // words that are worth a thread
  pool_.parallel_for(static_cast<int64_t>(list.size()), kGrain,
                     [&](int64_t begin, int64_t end, int thread) {
                       Changes& changes = changes_[static_cast<size_t>(thread)];
                       changes.before.set_vocab_size(static_cast<size_t>(merge.product) + 1);
                       changes.after.set_vocab_size(static_cast<size_t>(merge.product) + 1);
                       const auto part = list.subspan(static_cast<size_t>(begin),
                                                      static_cast<size_t>(end - begin));
                       merge_in_words(words_, part, merge, changes);
                     });
  for (size_t i = 1; i < changes_.size(); ++i) {
    changes_[0].before.take(changes_[i].before);
    changes_[0].after.take(changes_[i].after);
  }
}

// Where the pair stood after x, (x, left) became (x, product); likewise behind it. Where two of its
// places were side by side, (right, left) became (product, product).
void Trainer::apply_changes(const Merge& merge) {
  const auto queue = [&](TokenId left, TokenId right, Neighbours::Entry& entry) {
    if (entry.count < min_count_ || bytes(left).size() + bytes(right).size() >= max_length_) return;
    entry.list = queue_pair(Merge::pair_key(left, right), entry.count, entry.words);
  };
  auto& [before, after] = changes_[0];
  for (const uint32_t token : before.tokens()) {
    const TokenId x = static_cast<TokenId>(token);
    lower_count(Merge::pair_key(x == merge.product ? merge.right : x, merge.left),
                before[token].count);
    queue(x, merge.product, before[token]);
  }
  for (const uint32_t token : after.tokens()) {
    const TokenId x = static_cast<TokenId>(token);
    lower_count(Merge::pair_key(merge.right, x), after[token].count);
    queue(merge.product, x, after[token]);
  }
  before.write_lists();
  after.write_lists();
  before.clear();
  after.clear();
}

LearnedBpe Trainer::run() {
  queue_byte_pairs();
  Queued best{};
  while (vocab_size() < options_.vocab_size && next(best)) merge(best);
  return std::move(learned_);
}

}  // namespace

LearnedBpe learn_bpe(PieceCounts pieces, const BpeTrainOptions& options) {
  return Trainer(pieces, options).run();
}

}  // namespace inkstone
