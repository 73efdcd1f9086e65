// Short pieces as integers, and what is known about them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

static_assert(std::endian::native == std::endian::little, "keys are read as little-endian words");

// A piece of 1 to 15 bytes: the bytes, padded by zeros, and the length in the last byte. {0, 0} is
// no piece's.
struct PieceKey {
  static constexpr size_t kMaxSize_bytes = 15;

  uint64_t low = 0, high = 0;

  bool operator==(const PieceKey&) const = default;

  // `readable_bytes` bytes from piece.data() on may be read: 16 make it faster.
  static PieceKey of(std::string_view piece, size_t readable_bytes) {
    PieceKey key;
    if (readable_bytes >= 16) {
      std::memcpy(&key, piece.data(), 16);
      key.low &= kLowMasks[piece.size()];
      key.high &= kHighMasks[piece.size()];
    } else {
      std::memcpy(&key, piece.data(), piece.size());
    }
    key.high |= uint64_t{piece.size()} << 56;
    return key;
  }

  // All bits of the key contribute to the highest bits, which are those to use.
  uint64_t hash() const {
    const uint64_t h = (low ^ std::rotl(high, 29)) * uint64_t{0x9E3779B97F4A7C15};
    return (h ^ (h >> 32) ^ high) * uint64_t{0xD6E8FEB86659FD93};
  }

 private:
  // Of the first bytes, as many as a piece has.
  static constexpr std::array<uint64_t, 16> make_masks(size_t first) {
    std::array<uint64_t, 16> masks{};
    for (size_t size = first + 1; size < 16; ++size) {
      masks[size] = size - first >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * (size - first))) - 1;
    }
    return masks;
  }
  static const std::array<uint64_t, 16> kLowMasks, kHighMasks;
};

inline constexpr std::array<uint64_t, 16> PieceKey::kLowMasks = PieceKey::make_masks(0);
inline constexpr std::array<uint64_t, 16> PieceKey::kHighMasks = PieceKey::make_masks(8);

// The pieces that are one token, so that most pieces of a text need no merging: about 90 % of
// English ones.
class WholePieces {
 public:
  explicit WholePieces(size_t capacity)
      : slots_(std::bit_ceil(2 * capacity + 2)), shift_(64 - std::countr_zero(slots_.size())) {}

  void insert(const PieceKey& key, TokenId id) {
    size_t at = key.hash() >> shift_;
    while (slots_[at].key != key && slots_[at].id >= 0) at = (at + 1) & mask();
    slots_[at] = {key, id};
  }

  // Asks the memory for what find() will look at.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash >> shift_]); }

  // -1 when absent. hash: key.hash().
  TokenId find(const PieceKey& key, uint64_t hash) const {
    size_t at = hash >> shift_;
    while (slots_[at].key != key && slots_[at].id >= 0) at = (at + 1) & mask();
    return slots_[at].id;
  }

 private:
  struct Slot {
    PieceKey key;
    TokenId id = -1;
  };

  size_t mask() const { return slots_.size() - 1; }

  std::vector<Slot> slots_;
  int shift_;
};

// Remembers the tokens of pieces that were merged lately: a name is seldom alone in a text. Every
// piece has one place, and the later takes it from the earlier. It is one thread's.
class PieceMemo {
 public:
  static constexpr size_t kMaxTokens = 4;

  // Asks the memory for what find() will look at.
  void prefetch(uint64_t hash) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[hash >> kShift]);
  }

  // The tokens of the piece, none when it is not remembered.
  std::span<const TokenId> find(const PieceKey& key, uint64_t hash) const {
    if (entries_.empty()) return {};
    const Entry& entry = entries_[hash >> kShift];
    if (entry.key != key) return {};
    size_t count = 1;
    while (count < kMaxTokens && entry.tokens[count] >= 0) ++count;
    return std::span(entry.tokens).first(count);
  }

  void insert(const PieceKey& key, uint64_t hash, std::span<const TokenId> tokens) {
    if (tokens.size() > kMaxTokens) return;
    if (entries_.empty()) entries_.resize(kEntries);
    Entry& entry = entries_[hash >> kShift];
    entry.key = key;
    entry.tokens.fill(-1);
    std::copy(tokens.begin(), tokens.end(), entry.tokens.begin());
  }

 private:
  static constexpr size_t kEntries = 16384;  // 512 KiB
  static constexpr int kShift = 64 - std::countr_zero(kEntries);
  struct alignas(32) Entry {
    PieceKey key;
    std::array<TokenId, kMaxTokens> tokens{};  // -1 behind the last
  };

  std::vector<Entry> entries_;  // made at the first insertion
};

}  // namespace inkstone
