#include "tokenizer/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"

namespace inkstone {
namespace {

// Workspace lists: past the last token. Pieces are shorter than this.
constexpr uint32_t kNowhere = ~uint32_t{0};

// Heap entries order by rank, then by place.
uint64_t heap_entry(uint32_t rank, uint32_t at) { return (uint64_t{rank} << 32) | at; }

void push(std::vector<uint64_t>& heap, uint64_t entry) {
  heap.push_back(entry);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

uint64_t pop(std::vector<uint64_t>& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  const uint64_t entry = heap.back();
  heap.pop_back();
  return entry;
}

}  // namespace

BpeModel::BpeModel(const std::array<TokenId, 256>& byte_tokens, std::vector<Merge> merges)
    : byte_tokens_(byte_tokens), merges_(std::move(merges)) {
  ranks_.reserve(merges_.size());
  for (size_t rank = 0; rank < merges_.size(); ++rank) {
    ranks_[merges_[rank].pair()] = static_cast<uint32_t>(rank);
  }
}

void BpeModel::encode(std::string_view piece, Workspace& workspace,
                      std::vector<TokenId>& out) const {
  if (piece.size() <= kScanLimit_bytes) {
    encode_by_scan(piece, out);
    return;
  }
  if (piece.size() >= kNowhere) {
    fail(ErrorCode::kInvalidData,
         "a run of {} bytes of one kind of character, at most {} can be encoded: is this text?",
         piece.size(), kNowhere - 1);
  }
  encode_by_heap(piece, workspace, out);
}

// ranks[i] belongs to the pair (tokens[i], tokens[i + 1]).
void BpeModel::encode_by_scan(std::string_view piece, std::vector<TokenId>& out) const {
  TokenId tokens[kScanLimit_bytes];
  uint32_t ranks[kScanLimit_bytes];
  size_t size = piece.size();
  for (size_t i = 0; i < size; ++i) tokens[i] = byte_tokens_[static_cast<uint8_t>(piece[i])];
  for (size_t i = 0; i + 1 < size; ++i) ranks[i] = rank_of(tokens[i], tokens[i + 1]);
  while (size > 1) {
    const size_t at = static_cast<size_t>(std::min_element(ranks, ranks + size - 1) - ranks);
    if (ranks[at] == kNoMerge) break;
    tokens[at] = merges_[ranks[at]].product;
    --size;
    std::memmove(tokens + at + 1, tokens + at + 2, (size - at - 1) * sizeof tokens[0]);
    if (at + 1 < size) {
      std::memmove(ranks + at + 1, ranks + at + 2, (size - at - 2) * sizeof ranks[0]);
      ranks[at] = rank_of(tokens[at], tokens[at + 1]);
    }
    if (at > 0) ranks[at - 1] = rank_of(tokens[at - 1], tokens[at]);
  }
  out.insert(out.end(), tokens, tokens + size);
}

// One list node per byte: ranks[i] belongs to the pair (tokens[i], tokens[next[i]]).
void BpeModel::fill(std::string_view piece, Workspace& w) const {
  const uint32_t size = static_cast<uint32_t>(piece.size());
  w.tokens.resize(size);
  w.ranks.resize(size);
  w.previous.resize(size);
  w.next.resize(size);
  w.heap.clear();
  for (uint32_t i = 0; i < size; ++i) {
    w.tokens[i] = byte_tokens_[static_cast<uint8_t>(piece[i])];
    w.previous[i] = i == 0 ? kNowhere : i - 1;
    w.next[i] = i + 1 == size ? kNowhere : i + 1;
  }
  for (uint32_t i = 0; i < size; ++i) {
    w.ranks[i] = i + 1 == size ? kNoMerge : rank_of(w.tokens[i], w.tokens[i + 1]);
    if (w.ranks[i] != kNoMerge) w.heap.push_back(heap_entry(w.ranks[i], i));
  }
  std::make_heap(w.heap.begin(), w.heap.end(), std::greater<>());
}

// Puts the product in place of the pair at `at` and gives its new neighbours their ranks.
void BpeModel::merge_at(uint32_t at, Workspace& w) const {
  const auto set_rank = [&](uint32_t i) {
    w.ranks[i] = w.next[i] == kNowhere ? kNoMerge : rank_of(w.tokens[i], w.tokens[w.next[i]]);
    if (w.ranks[i] != kNoMerge) push(w.heap, heap_entry(w.ranks[i], i));
  };
  const uint32_t gone = w.next[at];
  w.tokens[at] = merges_[w.ranks[at]].product;
  w.next[at] = w.next[gone];
  if (w.next[at] != kNowhere) w.previous[w.next[at]] = at;
  w.ranks[gone] = kNoMerge;
  set_rank(at);
  if (w.previous[at] != kNowhere) set_rank(w.previous[at]);
}

void BpeModel::encode_by_heap(std::string_view piece, Workspace& w,
                              std::vector<TokenId>& out) const {
  fill(piece, w);
  while (!w.heap.empty()) {
    const uint64_t entry = pop(w.heap);
    const uint32_t at = static_cast<uint32_t>(entry);
    // An entry whose pair has changed since is out of date.
    if (w.ranks[at] == static_cast<uint32_t>(entry >> 32)) merge_at(at, w);
  }
  for (uint32_t i = 0; i != kNowhere; i = w.next[i]) out.push_back(w.tokens[i]);
}

}  // namespace inkstone
