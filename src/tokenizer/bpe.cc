#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <span>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/long_piece_encoder.h"

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

// The code point of three bytes that are one character, else 0.
uint32_t three_byte_character(const char* text) {
  const auto byte = [text](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t code_point = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  const bool is_three = (byte(0) & 0xF0) == 0xE0 && (byte(1) & 0xC0) == 0x80 &&
                        (byte(2) & 0xC0) == 0x80;
  return is_three ? code_point : 0;
}

}  // namespace

BpeModel::BpeModel(const std::array<TokenId, 256>& byte_tokens, std::vector<Merge> merges)
    : byte_tokens_(byte_tokens), merges_(std::move(merges)), byte_pairs_(65536) {
  candidates_.reserve(merges_.size());
  TokenId highest = *std::ranges::max_element(byte_tokens_);
  for (size_t rank = 0; rank < merges_.size(); ++rank) {
    const Merge& merge = merges_[rank];
    Candidate& known = candidates_[merge.pair()];
    if (known.rank != kNoMerge && !repeated_) repeated_ = rank;
    known = {static_cast<uint32_t>(rank), merge.product};
    highest = std::max({highest, merge.left, merge.right, merge.product});
  }
  const size_t ids = static_cast<size_t>(highest) + 1;
  fill_filter();
  fill_byte_pairs(ids);
  is_ordered_ = find_crossings(ids);
  if (is_ordered_) long_pieces_ = std::make_unique<LongPieceEncoder>(*this);
}

BpeModel::~BpeModel() = default;

// Of tokens 0 to ids - 1.
void BpeModel::fill_byte_pairs(size_t ids) {
  std::vector<int16_t> bytes(ids, -1);  // by token
  for (size_t b = 0; b < 256; ++b) {
    bytes[static_cast<size_t>(byte_tokens_[b])] = static_cast<int16_t>(b);
  }
  for (size_t rank = 0; rank < merges_.size(); ++rank) {
    const int left = bytes[static_cast<size_t>(merges_[rank].left)];
    const int right = bytes[static_cast<size_t>(merges_[rank].right)];
    if (left < 0 || right < 0) continue;
    byte_pairs_[static_cast<size_t>(left << 8 | right)] = {static_cast<uint32_t>(rank),
                                                           merges_[rank].product};
  }
}

void BpeModel::fill_filter() {
  const size_t bits = std::bit_ceil(std::max<size_t>(16 * merges_.size(), 64));
  filter_.assign(bits / 64, 0);
  filter_shift_ = 64 - std::countr_zero(bits);
  for (const Merge& merge : merges_) {
    const uint64_t bit = filter_bit(merge.pair());
    filter_[bit >> 6] |= uint64_t{1} << (bit & 63);
  }
}

// True when the list is ordered: every merge joins bytes or products of merges above it, and makes
// a token that nothing else makes. Otherwise it cannot be told in one pass which bytes meet, and
// all count as crossed.
bool BpeModel::find_crossings(size_t ids) {
  struct Ends {
    uint8_t first = 0, last = 0;
    bool is_known = false;
  };
  std::vector<Ends> ends(ids);
  for (size_t b = 0; b < 256; ++b) {
    const auto byte = static_cast<uint8_t>(b);
    ends[static_cast<size_t>(byte_tokens_[b])] = {byte, byte, true};
  }
  for (const Merge& merge : merges_) {
    const Ends left = ends[static_cast<size_t>(merge.left)];
    const Ends right = ends[static_cast<size_t>(merge.right)];
    Ends& product = ends[static_cast<size_t>(merge.product)];
    if (!left.is_known || !right.is_known || product.is_known) {
      crossings_.set();
      return false;
    }
    crossings_.set(size_t{left.last} << 8 | right.first);
    product = {left.first, right.last, true};
  }
  return true;
}

// A list of tokens in place: a token stands where its first byte is, next[i] is where the one
// behind it stands. entries[i] and products[i] belong to the pair (tokens[i], tokens[next[i]]);
// entries order as those of the heap. Tokens -1, which have no merge, stand behind the end and
// before the beginning, and all kSize entries are looked at: the processor then has no branch to
// guess wrong but the last.
template <size_t kSize>
void BpeModel::encode_by_scan(std::string_view part, std::vector<TokenId>& out) const {
  constexpr uint64_t kNone = ~uint64_t{0};
  constexpr size_t kBefore = kSize + 1;
  TokenId tokens[kSize + 2], products[kSize + 2];
  uint64_t entries[kSize + 2];
  uint8_t next[kSize + 2], previous[kSize + 2];
  const size_t size = std::min(part.size(), kSize);  // which it is: said for the compiler
  const auto byte = [part](size_t i) { return static_cast<uint8_t>(part[i]); };
  const auto set_candidate = [&](size_t i, Candidate found) {
    entries[i] = found.rank == kNoMerge ? kNone : heap_entry(found.rank, static_cast<uint32_t>(i));
    products[i] = found.product;
  };
  std::fill_n(entries, kSize, kNone);
  for (size_t i = 0; i < size; ++i) {
    tokens[i] = byte_tokens_[byte(i)];
    next[i] = static_cast<uint8_t>(i + 1);
    previous[i] = static_cast<uint8_t>(i - 1);
  }
  tokens[size] = tokens[kBefore] = -1;
  previous[0] = kBefore;
  for (size_t i = 0; i + 1 < size; ++i)
    set_candidate(i, byte_pairs_[size_t{byte(i)} << 8 | byte(i + 1)]);
  while (true) {
    uint64_t best[4] = {kNone, kNone, kNone, kNone};
    for (size_t i = 0; i < kSize; i += 4) {
      for (size_t k = 0; k < 4; ++k) best[k] = std::min(best[k], entries[i + k]);
    }
    const uint64_t first = std::min(std::min(best[0], best[1]), std::min(best[2], best[3]));
    if (first == kNone) break;
    const size_t at = static_cast<uint32_t>(first), gone = next[at], after = next[gone],
                 before = previous[at];
    tokens[at] = products[at];
    entries[gone] = kNone;
    next[at] = static_cast<uint8_t>(after);
    previous[after] = static_cast<uint8_t>(at);
    set_candidate(at, candidate(tokens[at], tokens[after]));
    set_candidate(before, candidate(tokens[before], tokens[at]));
  }
  for (size_t i = 0; i < size; i = next[i]) out.push_back(tokens[i]);
}

void BpeModel::fill_three_byte_tokens() const {
  three_byte_.assign(kThreeByteCount, {-1, -1, -1});
  std::string character;
  std::vector<TokenId> tokens;
  for (uint32_t i = 0; i < kThreeByteCount; ++i) {
    character.clear();
    tokens.clear();
    append_utf8(character, kFirstThreeByte + i);
    encode_by_scan<8>(character, tokens);
    std::copy(tokens.begin(), tokens.end(), three_byte_[i].begin());
  }
}

void BpeModel::encode(std::string_view piece, Workspace& workspace,
                      std::vector<TokenId>& out) const {
  size_t begin = 0;
  for (size_t at = 1; at < piece.size(); ++at) {
    if (crosses(static_cast<uint8_t>(piece[at - 1]), static_cast<uint8_t>(piece[at]))) continue;
    encode_part(piece.substr(begin, at - begin), piece.size() - begin, workspace, out);
    begin = at;
  }
  // A short piece in one part is what the caller has looked for in the memo, and puts into it.
  if (begin == 0 && piece.size() <= PieceKey::kMaxSize_bytes && piece.size() > 1)
    return encode_short_part(piece, out);
  encode_part(piece.substr(begin), piece.size() - begin, workspace, out);
}

inline void BpeModel::encode_part(std::string_view part, size_t readable_bytes,
                                  Workspace& workspace, std::vector<TokenId>& out) const {
  if (part.size() == 1) return out.push_back(byte_tokens_[static_cast<uint8_t>(part[0])]);
  if (part.size() == 3 && is_ordered_) {
    if (const uint32_t character = three_byte_character(part.data());
        character >= kFirstThreeByte) {
      std::call_once(three_byte_made_, [this] { fill_three_byte_tokens(); });
      for (const TokenId token : three_byte_[character - kFirstThreeByte]) {
        if (token >= 0) out.push_back(token);
      }
      return;
    }
  }
  if (part.size() > PieceKey::kMaxSize_bytes) return encode_long_part(part, workspace, out);
  if (part.size() <= 3 || !workspace.uses_memo) return encode_short_part(part, out);
  const PieceKey key = PieceKey::of(part, readable_bytes);
  const uint64_t hash = key.hash();
  if (const auto known = workspace.memo.find(key, hash); !known.empty()) {
    for (const TokenId token : known) out.push_back(token);
    return;
  }
  const size_t begin = out.size();
  encode_short_part(part, out);
  workspace.memo.insert(key, hash, std::span(out).subspan(begin));
}

void BpeModel::encode_short_part(std::string_view part, std::vector<TokenId>& out) const {
  if (part.size() == 2) {
    const uint8_t left = static_cast<uint8_t>(part[0]), right = static_cast<uint8_t>(part[1]);
    const Candidate pair = byte_pairs_[size_t{left} << 8 | right];
    if (pair.rank != kNoMerge) return out.push_back(pair.product);
    out.push_back(byte_tokens_[left]);
    return out.push_back(byte_tokens_[right]);
  }
  if (part.size() <= 8) return encode_by_scan<8>(part, out);
  encode_by_scan<16>(part, out);
}

void BpeModel::encode_long_part(std::string_view part, Workspace& workspace,
                                std::vector<TokenId>& out) const {
  if (part.size() <= 16) return encode_by_scan<16>(part, out);
  if (part.size() <= 32) return encode_by_scan<32>(part, out);
  if (part.size() <= kScanLimit_bytes) return encode_by_scan<kScanLimit_bytes>(part, out);
  if (part.size() >= kNowhere) {
    fail(ErrorCode::kInvalidData,
         "a run of {} bytes of one kind of character, at most {} can be encoded: is this text?",
         part.size(), kNowhere - 1);
  }
  if (long_pieces_) return long_pieces_->encode(part, workspace, out);
  encode_by_heap(part, workspace, out);
}

// One list node per byte: ranks[i] belongs to the pair (tokens[i], tokens[next[i]]).
void BpeModel::fill(std::string_view part, Workspace& w) const {
  const uint32_t size = static_cast<uint32_t>(part.size());
  w.tokens.resize(size);
  w.ranks.resize(size);
  w.previous.resize(size);
  w.next.resize(size);
  w.heap.clear();
  for (uint32_t i = 0; i < size; ++i) {
    w.tokens[i] = byte_tokens_[static_cast<uint8_t>(part[i])];
    w.previous[i] = i == 0 ? kNowhere : i - 1;
    w.next[i] = i + 1 == size ? kNowhere : i + 1;
  }
  for (uint32_t i = 0; i < size; ++i) {
    w.ranks[i] = i + 1 == size ? kNoMerge : candidate(w.tokens[i], w.tokens[i + 1]).rank;
    if (w.ranks[i] != kNoMerge) w.heap.push_back(heap_entry(w.ranks[i], i));
  }
  std::make_heap(w.heap.begin(), w.heap.end(), std::greater<>());
}

// Puts the product in place of the pair at `at` and gives its new neighbours their ranks.
void BpeModel::merge_at(uint32_t at, Workspace& w) const {
  const auto set_rank = [&](uint32_t i) {
    w.ranks[i] = w.next[i] == kNowhere ? kNoMerge
                                       : candidate(w.tokens[i], w.tokens[w.next[i]]).rank;
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

void BpeModel::encode_by_heap(std::string_view part, Workspace& w,
                              std::vector<TokenId>& out) const {
  fill(part, w);
  while (!w.heap.empty()) {
    const uint64_t entry = pop(w.heap);
    const uint32_t at = static_cast<uint32_t>(entry);
    // An entry whose pair has changed since is out of date.
    if (w.ranks[at] == static_cast<uint32_t>(entry >> 32)) merge_at(at, w);
  }
  for (uint32_t i = 0; i != kNowhere; i = w.next[i]) out.push_back(w.tokens[i]);
}

}  // namespace inkstone
