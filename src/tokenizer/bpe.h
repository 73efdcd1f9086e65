// Byte pair encoding of one piece.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"
#include "tokenizer/integer_map.h"
#include "tokenizer/piece_key.h"

namespace inkstone {

class LongPieceEncoder;

// Two tokens and the token that has the bytes of both. A merge's rank is its place in the list.
struct Merge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId product = 0;

  uint64_t pair() const { return pair_key(left, right); }
  static uint64_t pair_key(TokenId left, TokenId right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
  }
};

// Replaces, again and again, the adjacent pair of lowest rank (of several the leftmost) by its
// product, until no pair has a merge. Source: Sennrich et al. 2016 (arXiv:1508.07909).
//
// A piece is cut first between bytes across which no merge of the vocabulary reaches: the parts are
// independent. (With GPT-2's vocabulary that is between most Chinese characters.) The tokens of a
// short part may be remembered from before. Else a part of n bytes costs O(n^2) up to
// kScanLimit_bytes, where rescanning wins. A longer one costs O(n) by LongPieceEncoder when the
// list is ordered, as every trained list is; else O(n log n) by a heap.
//
// Immutable: safe from several threads, each with its own Workspace.
class BpeModel {
 public:
  // What encoding needs besides its input and may keep from piece to piece; of one thread and one
  // model.
  struct Workspace {
    std::vector<TokenId> tokens;
    std::vector<uint32_t> ranks, previous, next;
    std::vector<uint64_t> heap;
    std::vector<bool> open_ends;
    PieceMemo memo;
    bool uses_memo = true;  // false for short texts: the memo would take longer to make
  };

  static constexpr uint32_t kNoMerge = ~uint32_t{0};

  // Fewer than 2^32 - 1 merges. No pair may occur twice: see repeated().
  BpeModel(const std::array<TokenId, 256>& byte_tokens, std::vector<Merge> merges);
  ~BpeModel();

  // Appends the tokens of `piece` to `out`. Throws kInvalidData for a part of 2^32 - 1 bytes or
  // more.
  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& out) const;

  const std::vector<Merge>& merges() const { return merges_; }
  // The place of the first merge whose pair a merge above it has; then encode() is not to be used.
  std::optional<size_t> repeated() const { return repeated_; }
  const std::array<TokenId, 256>& byte_tokens() const { return byte_tokens_; }

 private:
  // What a pair becomes; kNoMerge when it has no merge.
  struct Candidate {
    uint32_t rank = kNoMerge;
    TokenId product = -1;
  };

  Candidate candidate(TokenId left, TokenId right) const {
    const uint64_t key = Merge::pair_key(left, right), bit = filter_bit(key);
    if ((filter_[bit >> 6] >> (bit & 63) & 1) == 0) return {};
    const Candidate* found = candidates_.find(key);
    return found != nullptr ? *found : Candidate{};
  }

  static constexpr size_t kScanLimit_bytes = 64;
  // Characters of three bytes in UTF-8, most of Chinese, Japanese and Korean: their tokens are
  // kept.
  static constexpr uint32_t kFirstThreeByte = 0x800, kThreeByteCount = 0x10000 - kFirstThreeByte;
  using ThreeByteTokens = std::array<TokenId, 3>;  // -1: fewer

  uint64_t filter_bit(uint64_t key) const {
    return (key * uint64_t{0xA0761D6478BD642F}) >> filter_shift_;
  }
  void fill_filter();
  bool find_crossings(size_t ids);
  void fill_three_byte_tokens() const;
  void fill_byte_pairs(size_t ids);
  void encode_part(std::string_view part, size_t readable_bytes, Workspace& workspace,
                   std::vector<TokenId>& out) const;
  void encode_short_part(std::string_view part, std::vector<TokenId>& out) const;
  void encode_long_part(std::string_view part, Workspace& workspace,
                        std::vector<TokenId>& out) const;
  // part.size() <= kSize.
  template <size_t kSize>
  void encode_by_scan(std::string_view part, std::vector<TokenId>& out) const;
  void encode_by_heap(std::string_view part, Workspace& workspace, std::vector<TokenId>& out) const;
  void fill(std::string_view part, Workspace& workspace) const;
  void merge_at(uint32_t at, Workspace& workspace) const;
  bool crosses(uint8_t left, uint8_t right) const { return crossings_[size_t{left} << 8 | right]; }

  std::array<TokenId, 256> byte_tokens_;
  std::vector<Merge> merges_;
  IntegerMap<Candidate> candidates_;  // by pair
  // A bit for each pair that has a merge, and for one in sixteen that has none: most pairs have
  // none, and this fits into a fast cache where candidates_ does not.
  std::vector<uint64_t> filter_;
  int filter_shift_ = 0;
  std::vector<Candidate> byte_pairs_;  // [left << 8 | right], of the tokens of two bytes
  // [left << 8 | right]: some merge joins tokens that meet in these bytes.
  std::bitset<65536> crossings_;
  std::optional<size_t> repeated_;
  bool is_ordered_ = false;                          // as find_crossings() says
  mutable std::once_flag three_byte_made_;           // at the first need
  mutable std::vector<ThreeByteTokens> three_byte_;  // by code point - kFirstThreeByte
  std::unique_ptr<LongPieceEncoder> long_pieces_;    // null unless the list is ordered
};

}  // namespace inkstone
