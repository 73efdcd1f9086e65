// Records with a completion, packed into windows: which part of which record stands where.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/trained_spans.h"

namespace inkstone {

// A record, or as much of it as fits, in a window: tokens [begin, begin + inputs] of the stream,
// of which all but the last are inputs and all but the first are targets.
struct PackedText {
  int64_t document = 0;
  int64_t begin = 0, inputs = 0;
};

// What packing did to the records.
struct PackedCounts {
  int64_t records = 0;
  // Nothing of it can be trained: of its one trained token there is nothing before it.
  int64_t untrained = 0;
  int64_t prompts_cut = 0;                 // from their left
  int64_t completions_cut = 0;             // at their end
  int64_t inputs = 0, trained_tokens = 0;  // of an epoch
};

// A record's text ends with its last trained token, and its first token is no target, as nothing
// stands before it. A record with more than T inputs loses the beginning of its prompt, all but the
// last token if need be, and then the end of its completion.
//
// The records are packed by best fit, the longest first (as TRL's "bfd"). How many windows there
// are and how long the texts in each follows from the records' lengths alone; which record of
// several of one length stands where, and the order of the windows, is another in each epoch: pure
// functions of (seed, window), so resuming needs no replay.
class PackedRecords {
 public:
  enum class Length {
    kShortest,  // of fewer inputs in all than T a window has as many as there are
    kContext,   // T in any case: to stand beside other windows
  };
  // context: T, 1 to 2^24.
  PackedRecords(const TrainedSpans& spans, int64_t context, uint64_t seed,
                Length length = Length::kShortest);

  // T, or less; 0: no record can be trained.
  int64_t length() const { return length_; }
  int64_t windows_per_epoch() const { return static_cast<int64_t>(first_slot_.size()) - 1; }
  const PackedCounts& counts() const { return counts_; }

  // The texts of window `index` >= 0 (epoch index / windows_per_epoch()), in their order; together
  // they have at most length() inputs.
  std::vector<PackedText> texts(int64_t index) const;

 private:
  // Records of one length, which stand in adjacent slots.
  struct Group {
    uint32_t first_slot = 0, count = 0;
  };

  void add_records(const TrainedSpans& spans, int64_t context);
  void make_windows();
  PackedText record_in(uint32_t slot, int64_t epoch) const;

  uint64_t seed_;
  int64_t length_ = 0;
  PackedCounts counts_;
  std::vector<PackedText> records_;      // by slot in epoch "none": the longest first
  std::vector<Group> groups_;            // by length: groups_[inputs]
  std::vector<uint32_t> slots_;          // of all windows, one after the other
  std::vector<uint32_t> first_slot_{0};  // of each window in slots_; the last is their number
};

}  // namespace inkstone
