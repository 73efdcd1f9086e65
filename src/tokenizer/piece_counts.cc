#include "tokenizer/piece_counts.h"

#include <algorithm>
#include <map>
#include <span>

#include "base/check.h"
#include "base/hash.h"
#include "base/thread_pool.h"

namespace inkstone {
namespace {

size_t partition_of(uint64_t hash) {
  return static_cast<size_t>(hash >> 32) % PieceCounts::kPartitions;
}

// What one piece is taken to need.
int64_t cost_bytes(std::string_view piece) { return 9 * static_cast<int64_t>(piece.size()) + 64; }

void count_pieces(const PreTokenizer& pre_tokenizer, std::string_view text, PieceTable& table) {
  pre_tokenizer.split(text, [&text, &table](size_t at, std::span<const size_t> ends) {
    for (const size_t end : ends) {
      const std::string_view piece = text.substr(at, end - at);
      table.add(piece, hash64(piece), 1);
      at = end;
    }
  });
}

}  // namespace

void PieceTable::add(std::string_view piece, uint64_t hash, int64_t count) {
  const size_t mask = slots_.size() - 1;
  const uint32_t tag = static_cast<uint32_t>(hash >> 32);
  size_t at = static_cast<size_t>(hash) & mask;
  for (; slots_[at].number != 0; at = (at + 1) & mask) {
    if (slots_[at].tag != tag) continue;
    Piece& known = pieces_[slots_[at].number - 1];
    if (known.hash == hash && this->piece(slots_[at].number - 1) == piece) {
      known.count += count;
      return;
    }
  }
  INK_CHECK(pieces_.size() < ~uint32_t{0}, "too many pieces for one table");
  pieces_.push_back(
      {.begin = bytes_.size(), .size_bytes = piece.size(), .hash = hash, .count = count});
  bytes_ += piece;
  slots_[at] = {.tag = tag, .number = static_cast<uint32_t>(pieces_.size())};
  if (2 * pieces_.size() > slots_.size()) grow();
}

void PieceTable::clear() {
  bytes_.clear();
  pieces_.clear();
  std::fill(slots_.begin(), slots_.end(), Slot());
}

void PieceTable::grow() {
  std::vector<Slot> slots(2 * slots_.size());
  const size_t mask = slots.size() - 1;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    size_t at = static_cast<size_t>(pieces_[i].hash) & mask;
    while (slots[at].number != 0) at = (at + 1) & mask;
    slots[at] = {.tag = static_cast<uint32_t>(pieces_[i].hash >> 32),
                 .number = static_cast<uint32_t>(i + 1)};
  }
  slots_ = std::move(slots);
}

void PieceCounts::add(std::string text) {
  waiting_bytes_ += text.size();
  batch_.push_back(std::move(text));
  if (waiting_bytes_ >= batch_bytes_) finish();
}

void PieceCounts::finish() {
  ThreadPool& pool = runtime_.pool();
  thread_tables_.resize(static_cast<size_t>(pool.threads()));
  pool.parallel_each(static_cast<int64_t>(batch_.size()), [&](int64_t i, int thread) {
    count_pieces(pre_tokenizer_, batch_[static_cast<size_t>(i)],
                 thread_tables_[static_cast<size_t>(thread)]);
  });
  text_bytes_ += static_cast<int64_t>(waiting_bytes_);
  batch_.clear();
  waiting_bytes_ = 0;
  add_up(thread_tables_);
  if (memory_needed_bytes() > memory_bytes_) forget_rare_pieces();
}

// Each part goes through all tables and takes the pieces of its partitions.
void PieceCounts::add_up(std::vector<PieceTable>& tables) {
  const int64_t parts = runtime_.threads(), partitions = kPartitions;
  runtime_.pool().parallel_each(parts, [&](int64_t part, int) {
    const int64_t begin = partitions * part / parts, end = partitions * (part + 1) / parts;
    for (const PieceTable& table : tables) {
      for (size_t i = 0; i < table.size(); ++i) {
        const size_t to = partition_of(table.hash(i));
        if (static_cast<int64_t>(to) < begin || static_cast<int64_t>(to) >= end) continue;
        partitions_[to].add(table.piece(i), table.hash(i), table.count(i));
      }
    }
  });
  for (PieceTable& table : tables) {
    for (size_t i = 0; i < table.size(); ++i) occurrences_ += table.count(i);
    table.clear();
  }
}

int64_t PieceCounts::distinct() const {
  int64_t sum = 0;
  for (const PieceTable& table : partitions_) sum += static_cast<int64_t>(table.size());
  return sum;
}

int64_t PieceCounts::memory_needed_bytes() const {
  int64_t sum = 0;
  for (const PieceTable& table : partitions_)
    sum += 9 * table.bytes() + 64 * static_cast<int64_t>(table.size());
  return sum;
}

void PieceCounts::forget_rare_pieces() {
  std::map<int64_t, int64_t> cost_of_count;
  for (const PieceTable& table : partitions_) {
    for (size_t i = 0; i < table.size(); ++i)
      cost_of_count[table.count(i)] += cost_bytes(table.piece(i));
  }
  int64_t rest_bytes = memory_needed_bytes(), highest = 0;
  for (const auto& [count, cost] : cost_of_count) {
    if (rest_bytes <= memory_bytes_ / 2) break;
    rest_bytes -= cost;
    highest = count;
  }
  for (PieceTable& table : partitions_) {
    PieceTable kept;
    for (size_t i = 0; i < table.size(); ++i) {
      if (table.count(i) > highest)
        kept.add(table.piece(i), table.hash(i), table.count(i));
      else
        forgotten_ += table.count(i);
    }
    table = std::move(kept);
  }
  undercount_ += highest;
}

}  // namespace inkstone
