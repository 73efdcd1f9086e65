#include <algorithm>
#include <iterator>
#include <limits>

#include "base/check.h"
#include "base/thread_pool.h"
#include "corpus/load/batch_loader.h"

namespace inkstone {
namespace {

constexpr int64_t kMostContext = int64_t{1} << 24;
// Windows that share a base: what is left out between so many, each time less than kMostContext,
// fits 32 bits.
constexpr int64_t kBlock = 64;
// A thread's piece fits its cache; a round of pieces bounds the memory, even of a stream of nothing
// but ends.
constexpr int64_t kPieceTokens = int64_t{1} << 15;
constexpr int64_t kRoundPieces = 128;

// The ends of one round, piece by piece, relative to the round's first token.
struct Round {
  std::vector<std::vector<uint32_t>> ends = std::vector<std::vector<uint32_t>>(kRoundPieces);
};

void find_ends(const TokenStream& stream, int64_t begin, int64_t piece, TokenId end_of_text,
               Round& round) {
  const int64_t from = begin + piece * kPieceTokens;
  std::vector<TokenId> ids(static_cast<size_t>(std::min(kPieceTokens, stream.count() - from)));
  stream.read(from, ids);
  auto& ends = round.ends[static_cast<size_t>(piece)];
  ends.clear();
  for (auto at = ids.begin(); (at = std::find(at, ids.end(), end_of_text)) != ids.end(); ++at) {
    ends.push_back(static_cast<uint32_t>(piece * kPieceTokens + (at - ids.begin())));
  }
}

// Calls f(place) for every end-of-text token of the stream, ascending.
template <typename F>
void for_each_end(const TokenStream& stream, TokenId end_of_text, ThreadPool& pool, F&& f) {
  Round round;
  for (int64_t begin = 0; begin < stream.count(); begin += kPieceTokens * kRoundPieces) {
    const int64_t left = (stream.count() - begin + kPieceTokens - 1) / kPieceTokens;
    const int64_t pieces = std::min(kRoundPieces, left);
    pool.parallel_each(
        pieces, [&](int64_t piece, int) { find_ends(stream, begin, piece, end_of_text, round); });
    for (size_t piece = 0; piece < static_cast<size_t>(pieces); ++piece) {
      for (const uint32_t end : round.ends[piece]) f(begin + end);
    }
  }
}

// While it lives, the system reads the stream ahead.
class SequentialPass {
 public:
  explicit SequentialPass(const TokenStream& stream) : stream_(stream) {
    stream_.advise(MappedFile::Access::kSequential);
  }
  ~SequentialPass() { stream_.advise(MappedFile::Access::kRandom); }
  SequentialPass(const SequentialPass&) = delete;
  SequentialPass& operator=(const SequentialPass&) = delete;

 private:
  const TokenStream& stream_;
};

}  // namespace

DocumentWindows::DocumentWindows(const TokenStream& stream, int64_t context, TokenId end_of_text,
                                 ThreadPool& pool) {
  INK_CHECK(stream.count() >= 2 && context >= 1 && context <= kMostContext, "no window fits");
  const int64_t last = stream.count() - 1;  // the last target
  length_ = std::min(context, last);
  const SequentialPass pass(stream);
  add(0);
  int64_t end = length_;  // of the last window: the next one may begin here
  for_each_end(stream, end_of_text, pool, [&](int64_t place) {
    ++ends_;
    const int64_t start = place + 1;  // of a document
    if (start < end) return;
    end = go_on(end, std::min(start, last));
    const bool fits = start + length_ <= last;
    if (fits) add(start);
    end = fits ? start + length_ : stream.count();  // else none after it does
  });
  go_on(end, last);
}

// Adds the windows that continue a document from `begin`, as many as fit before `end`. Returns
// where they end.
int64_t DocumentWindows::go_on(int64_t begin, int64_t end) {
  for (; end - begin >= length_; begin += length_) add(begin);
  return begin;
}

void DocumentWindows::add(int64_t begin) {
  const int64_t left_out = begin - count() * length_;
  if (count() % kBlock == 0) base_.push_back(left_out);
  excess_.push_back(static_cast<uint32_t>(left_out - base_.back()));
}

int64_t DocumentWindows::begin(int64_t i) const {
  INK_CHECK(i >= 0 && i < count(), "no such window");
  return i * length_ + base_[static_cast<size_t>(i / kBlock)] + excess_[static_cast<size_t>(i)];
}

}  // namespace inkstone
