// GPT-2's encoder: pre-tokenizer, then BPE of each piece.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/encoder.h"
#include "tokenizer/piece_key.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace inkstone {

class BpeEncoder final : public Encoder {
 public:
  struct Parts {
    std::array<TokenId, 256> byte_tokens;
    std::vector<Merge> merges;
    // tokenizer.json's "ignore_merges": a piece that is a token is that token, whatever the merges
    // give.
    bool ignore_merges = false;
    std::unique_ptr<const PreTokenizer> pre_tokenizer = std::make_unique<Gpt2PreTokenizer>();
  };

  // `vocabulary` must outlive it. `is_ordinary[id]` is false for special tokens, which no text
  // becomes.
  BpeEncoder(const Vocabulary& vocabulary, const std::vector<bool>& is_ordinary, Parts parts);

  void encode(std::string_view text, EncodeScratch& scratch,
              std::vector<TokenId>& out) const override;
  bool is_cut(std::string_view text, size_t at) const override {
    return pre_tokenizer_->is_cut(text, at);
  }

  const std::vector<Merge>& merges() const { return bpe_.merges(); }
  // As BpeModel::repeated.
  std::optional<size_t> repeated_merge() const { return bpe_.repeated(); }

 private:
  // Null while too little text has come for them to be worth making.
  const WholePieces* whole_pieces(size_t text_bytes) const;
  WholePieces find_whole_pieces() const;
  bool merges_give(TokenId id, BpeModel::Workspace& workspace, std::vector<TokenId>& scratch) const;
  void encode_each(std::string_view text, size_t begin, std::span<const size_t> ends,
                   EncodeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_pieces(const WholePieces& whole_pieces, std::string_view text, size_t begin,
                     std::span<const size_t> ends, EncodeScratch& scratch,
                     std::vector<TokenId>& out) const;
  void encode_short(std::string_view piece, const PieceKey& key, uint64_t hash,
                    EncodeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_long(std::string_view piece, EncodeScratch& scratch, std::vector<TokenId>& out) const;

  const Vocabulary& vocabulary_;
  std::unique_ptr<const PreTokenizer> pre_tokenizer_;
  BpeModel bpe_;
  std::vector<bool> is_ordinary_;
  bool ignore_merges_;
  mutable std::atomic<size_t> seen_bytes_ = 0;
  mutable std::once_flag whole_pieces_made_;
  mutable std::optional<WholePieces> whole_pieces_;
};

}  // namespace inkstone
