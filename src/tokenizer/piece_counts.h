// How often each piece occurs in the training text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// Memory is that of the distinct pieces, whatever the length of the text.
class PieceCounts {
 public:
  PieceCounts();

  // Counts the pieces of one text.
  void add(std::string_view text);

  // Distinct pieces, numbered in the order in which they first occurred.
  size_t size() const { return pieces_.size(); }
  std::string_view piece(size_t i) const {
    return std::string_view(bytes_).substr(pieces_[i].begin, pieces_[i].size_bytes);
  }
  int64_t count(size_t i) const { return pieces_[i].count; }

 private:
  struct Piece {
    size_t begin;
    size_t size_bytes;
    uint64_t hash;
    int64_t count;
  };
  static constexpr uint32_t kEmpty = ~uint32_t{0};

  void count_piece(std::string_view piece);
  void grow();

  Gpt2PreTokenizer pre_tokenizer_;
  std::string bytes_;  // of the distinct pieces, one after the other
  std::vector<Piece> pieces_;
  std::vector<uint32_t> slots_;  // hash table, open addressing, at most half full
};

}  // namespace inkstone
