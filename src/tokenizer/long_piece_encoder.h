// Byte pair encoding of long pieces in linear time.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/integer_map.h"

namespace inkstone {

// Gives what merging gives, without merging: goes through the piece from left to right and keeps a
// list of tokens whose neighbours fit. Tokens a and b fit when BPE of their bytes gives a and b
// again. A list covering the piece in which all neighbours fit is the encoding, and the only one: a
// merge across a border would have happened in the two tokens' bytes alone just as well. At each
// place the longest token is tried first, then its prefixes, and when none fits the last token is
// taken back. An end that was taken back is never tried again, so each byte costs a bounded number
// of steps. (The idea: van Antwerpen and Neubeck 2024, "So many tokens, so little time", GitHub.)
//
// For lists that are ordered: every merge joins bytes or products of earlier merges, and no two
// have the same product.
class LongPieceEncoder {
 public:
  // `model` must outlive it. Its tables are made when they are first needed.
  explicit LongPieceEncoder(const BpeModel& model) : model_(model) {}

  // Appends the tokens of `piece`. Safe from several threads.
  void encode(std::string_view piece, BpeModel::Workspace& workspace,
              std::vector<TokenId>& out) const;

 private:
  // A token by its rank: bytes are 0 .. 255, the product of merge r is 256 + r. Later tokens have
  // higher numbers.
  using Number = uint32_t;
  static constexpr Number kNone = ~Number{0}, kBytes = 256;
  static constexpr uint32_t kRoot = 0;

  struct Token {
    Number left = kNone, right = kNone;  // kNone of a byte
    Number prefix = kNone;               // the longest token that begins it and is shorter
    uint32_t size_bytes = 0;
    TokenId id = 0;
    bool is_reachable = false;  // BPE of its bytes gives it
  };

  void make_tables() const;
  void add_to_trie(Number token, std::string_view bytes) const;
  Number longest_match(std::string_view text) const;
  // limit: merges whose product is below it count; kNone: all.
  bool fit(Number left, Number right, Number limit) const;
  bool reaches(Number token) const;

  const BpeModel& model_;
  mutable std::once_flag made_;
  mutable std::vector<Token> tokens_;
  mutable IntegerMap<Number> pairs_;       // (left, right) to the product
  mutable IntegerMap<uint32_t> children_;  // (node, byte) to the node
  // By node: the longest token that is a prefix of its bytes.
  mutable std::vector<Number> token_at_;
};

}  // namespace inkstone
