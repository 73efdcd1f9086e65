// Byte pair encoding of one piece.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"
#include "tokenizer/integer_map.h"

namespace inkstone {

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
// product, until no pair has a merge. Source: Sennrich et al. 2016 (arXiv:1508.07909). A piece of n
// bytes costs O(n^2) below kScanLimit_bytes, where rescanning wins, and O(n log n) above.
// Immutable: safe from several threads, each with its own Workspace.
class BpeModel {
 public:
  // Memory that long pieces need, kept from piece to piece.
  struct Workspace {
    std::vector<TokenId> tokens;
    std::vector<uint32_t> ranks, previous, next;
    std::vector<uint64_t> heap;
  };

  // No pair occurs twice; fewer than 2^32 - 1 merges.
  BpeModel(const std::array<TokenId, 256>& byte_tokens, std::vector<Merge> merges);

  // Appends the tokens of `piece` to `out`. Throws kInvalidData for a piece of 2^32 - 1 bytes or
  // more.
  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& out) const;

  const std::vector<Merge>& merges() const { return merges_; }

 private:
  static constexpr uint32_t kNoMerge = ~uint32_t{0};
  static constexpr size_t kScanLimit_bytes = 128;

  uint32_t rank_of(TokenId left, TokenId right) const {
    const uint32_t* rank = ranks_.find(Merge::pair_key(left, right));
    return rank != nullptr ? *rank : kNoMerge;
  }
  void encode_by_scan(std::string_view piece, std::vector<TokenId>& out) const;
  void encode_by_heap(std::string_view piece, Workspace& workspace,
                      std::vector<TokenId>& out) const;
  void fill(std::string_view piece, Workspace& workspace) const;
  void merge_at(uint32_t at, Workspace& workspace) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<Merge> merges_;
  IntegerMap<uint32_t> ranks_;
};

}  // namespace inkstone
