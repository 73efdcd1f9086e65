// How often each piece occurs in the training text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/runtime.h"
#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// Distinct pieces with their counts: a hash table, open addressing, at most half full. One thread.
class PieceTable {
 public:
  PieceTable() : slots_(kSmallest) {}

  // `hash` must be hash64(piece).
  void add(std::string_view piece, uint64_t hash, int64_t count);
  // Forgets the pieces and keeps the memory.
  void clear();

  // Pieces are numbered in the order in which they were first added.
  size_t size() const { return pieces_.size(); }
  std::string_view piece(size_t i) const {
    return std::string_view(bytes_).substr(pieces_[i].begin, pieces_[i].size_bytes);
  }
  uint64_t hash(size_t i) const { return pieces_[i].hash; }
  int64_t count(size_t i) const { return pieces_[i].count; }
  int64_t bytes() const { return static_cast<int64_t>(bytes_.size()); }  // of the distinct pieces

 private:
  struct Piece {
    size_t begin;
    size_t size_bytes;
    uint64_t hash;
    int64_t count;
  };
  struct Slot {
    uint32_t tag = 0;     // the hash's upper half
    uint32_t number = 0;  // of the piece, plus 1; 0: empty
  };
  static constexpr size_t kSmallest = 64;

  void grow();

  std::string bytes_;  // of the distinct pieces, one after the other
  std::vector<Piece> pieces_;
  std::vector<Slot> slots_;
};

// Counts the pieces of many texts on all threads, in bounded memory. The texts are gathered into
// batches; the threads take the texts of a batch one by one and count them in tables of their own,
// which are then added up in partitions by hash. Counts, and what is forgotten, depend on the texts
// and their order alone, not on the number of threads.
//
// Memory: a distinct piece of n bytes is taken to need 9n + 64 bytes, which is what counting and
// learning merges need for it. Below `memory_bytes` the counts are exact. When a batch has brought
// them above, the rarest pieces are forgotten: all that were counted at most t times, with the
// smallest t that leaves half of the memory. A count may then be too small by at most `undercount`,
// the sum of these t (lossy counting: Manku and Motwani 2002).
class PieceCounts {
 public:
  static constexpr int64_t kMemory_bytes = int64_t{768} << 20;
  static constexpr size_t kBatch_bytes = size_t{16} << 20;
  static constexpr size_t kPartitions = 64;

  explicit PieceCounts(const Runtime& runtime, int64_t memory_bytes = kMemory_bytes,
                       size_t batch_bytes = kBatch_bytes)
      : runtime_(runtime), memory_bytes_(memory_bytes), batch_bytes_(batch_bytes) {}

  // Adds one text, which is counted with its batch. A text much longer than the others keeps one
  // thread busy.
  void add(std::string text);
  // Counts what waits in the last batch: to be called after the last add().
  void finish();

  const PieceTable& partition(size_t i) const { return partitions_[i]; }
  // Frees the memory of one partition.
  void release(size_t i) { partitions_[i] = PieceTable(); }

  int64_t text_bytes() const { return text_bytes_; }  // counted so far
  int64_t distinct() const;                           // pieces
  int64_t occurrences() const {
    return occurrences_;
  }                                                 // of all pieces, the forgotten ones included
  int64_t forgotten() const { return forgotten_; }  // occurrences
  int64_t undercount() const { return undercount_; }

 private:
  int64_t memory_needed_bytes() const;
  void add_up(std::vector<PieceTable>& tables);
  void forget_rare_pieces();

  Runtime runtime_;
  int64_t memory_bytes_;
  size_t batch_bytes_;
  Gpt2PreTokenizer pre_tokenizer_;
  std::vector<std::string> batch_;
  size_t waiting_bytes_ = 0;  // in batch_
  std::vector<PieceTable> thread_tables_;
  std::array<PieceTable, kPartitions> partitions_;
  int64_t text_bytes_ = 0, occurrences_ = 0, forgotten_ = 0, undercount_ = 0;
};

}  // namespace inkstone
