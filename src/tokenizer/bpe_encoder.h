// GPT-2's encoder: pre-tokenizer, then BPE of each piece.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/encoder.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace inkstone {

// Pieces of 1 to 15 bytes that are one token, so that most pieces of a text need no merging: about
// 90 % of English ones. A key is the bytes, padded by zeros to 15, and the length: no hash chain,
// no pointer.
class WholePieces {
 public:
  static constexpr size_t kMaxSize_bytes = 15;

  explicit WholePieces(size_t capacity);
  void insert(std::string_view piece, TokenId id);

  // -1 when absent. `readable_bytes` bytes from piece.data() on may be read: 16 make it faster.
  TokenId find(std::string_view piece, size_t readable_bytes) const;

 private:
  struct Key {
    uint64_t low = 0, high = 0;  // the length in the last byte; 0 marks an empty slot
    bool operator==(const Key&) const = default;
  };
  struct Slot {
    Key key;
    TokenId id = -1;
  };

  static Key make_key(std::string_view piece, size_t readable_bytes);
  size_t slot_of(const Key& key) const;

  std::vector<Slot> slots_;
};

class BpeEncoder final : public Encoder {
 public:
  struct Parts {
    std::array<TokenId, 256> byte_tokens;
    std::vector<Merge> merges;
    // tokenizer.json's "ignore_merges": a piece that is a token is that token, whatever the merges
    // give.
    bool ignore_merges = false;
  };

  // `vocabulary` must outlive it. `is_ordinary[id]` is false for special tokens, which no text
  // becomes.
  BpeEncoder(const Vocabulary& vocabulary, const std::vector<bool>& is_ordinary, Parts parts);

  void encode(std::string_view text, std::vector<TokenId>& out) const override;

  const std::vector<Merge>& merges() const { return bpe_.merges(); }

 private:
  void find_whole_pieces(const std::vector<bool>& is_ordinary);
  bool merges_give(TokenId id, BpeModel::Workspace& workspace, std::vector<TokenId>& scratch) const;

  const Vocabulary& vocabulary_;
  PreTokenizer pre_tokenizer_;
  BpeModel bpe_;
  WholePieces whole_pieces_;
  bool ignore_merges_;
};

}  // namespace inkstone
