// Which documents have the key of an earlier one, for corpora larger than memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace inkstone {

// What documents are compared by: 128 bits of a document's hash, or a MinHash band {hash, band
// number}.
struct DuplicateKey {
  uint64_t high = 0, low = 0;
  auto operator<=>(const DuplicateKey&) const = default;
};

// `document` has a key that `first`, the document of the smallest number with that key, has too.
struct Duplicate {
  uint64_t document = 0, first = 0;
};

struct Duplicates {
  std::vector<bool> is_duplicate;  // by document number, up to the largest that was added
  int64_t count = 0;               // how many documents are duplicates
  // Those of the smallest numbers, in order; of several firsts the smallest.
  std::vector<Duplicate> examples;
};

// Finds documents that share a key: those of equal hash for exact duplicates; for near-duplicates
// each document is added once per band, and one shared band is enough.
//
// A document is a duplicate if a document of a smaller number has one of its keys, whether that one
// is a duplicate itself or not. A chain of near-duplicates A ~ B ~ C thus keeps A alone, even where
// A and C share no band: of each connected group at least the first document stays. Joining whole
// groups (union-find, as FineWeb does) would drop a superset of these and needs memory for every
// document; here one sorted pass is enough, and the result depends on the set of (key, document)
// alone: not on the order in which they were added, nor on the memory.
//
// Records of 24 bytes are collected in memory. When they fill it, they are sorted and written to a
// scratch file; finish() merges these. Memory: memory_bytes, and a bit per document. Disk: 24 bytes
// per record, at times twice. Nothing is written while the records fit. Not for several threads at
// once. Every failure of the disk (it is full) throws kInputOutput.
class DuplicateFinder {
 public:
  static constexpr size_t kMemory_bytes = size_t{128} << 20;

  // Scratch files are made in `folder`, which need not be there before the first is written; they
  // are removed at the end. memory_bytes has a least value of a few kilobytes.
  explicit DuplicateFinder(std::filesystem::path folder, size_t memory_bytes = kMemory_bytes);
  DuplicateFinder(const DuplicateFinder&) = delete;
  DuplicateFinder& operator=(const DuplicateFinder&) = delete;
  ~DuplicateFinder();

  void add(const DuplicateKey& key, uint64_t document);

  // Calls found(duplicate) for every record but the first of its key, sorted by key and document: a
  // document comes once per key that it shares. The finder is empty then.
  void finish(const std::function<void(const Duplicate&)>& found);
  // The same as a bit per document, with at most `examples_max` examples.
  Duplicates finish(size_t examples_max = 10);

  // How many scratch files there are now.
  size_t files() const { return runs_.size(); }

 private:
  struct Record {
    DuplicateKey key;
    uint64_t document;
    auto operator<=>(const Record&) const = default;
  };
  struct Run {
    std::filesystem::path path;
    uint64_t records;
  };
  class Reader;
  class Writer;

  void spill();
  void compact();
  std::filesystem::path next_path();
  template <typename F>
  void merge(F&& visit);
  void remove_runs();

  std::filesystem::path folder_;
  size_t records_max_;
  std::vector<Record> records_;
  std::vector<Run> runs_;
  uint64_t document_count_ = 0;  // the largest number and one
  uint64_t paths_ = 0;
};

}  // namespace inkstone
