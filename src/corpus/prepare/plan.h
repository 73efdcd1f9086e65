// What becomes of each document: decided when all are known.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/file.h"
#include "corpus/prepare/prepare.h"
#include "corpus/prepare/scan.h"

namespace inkstone {

enum class Fate : uint8_t { kTrain, kValidation, kDropped, kDuplicate, kNearDuplicate };

// A fate for each document, in a file: memory holds at most 32 MiB of them, whatever their number.
// One thread's.
class FateList {
 public:
  // All kTrain. folder: where the file lies; it goes with this object.
  FateList(const std::filesystem::path& folder, size_t count) : fates_(folder, count) {}

  size_t size() const { return fates_.bytes().size(); }
  Fate operator[](size_t i) const { return static_cast<Fate>(at(i)); }
  void set(size_t i, Fate fate) { at(i) = static_cast<std::byte>(fate); }

 private:
  static constexpr size_t kPage_bytes = 4096, kPages = 8192;

  std::byte& at(size_t i) const {
    if (i / kPage_bytes != page_ && ++pages_ % kPages == 0) fates_.release();
    page_ = i / kPage_bytes;
    return fates_.bytes()[i];
  }

  ScratchMapping fates_;
  mutable size_t page_ = 0, pages_ = 0;  // the one used last, and how many have been used
};

struct Plan {
  FateList fates;    // by document, in the order read
  int64_t kept = 0;  // documents that train or validate
  int64_t kept_bytes = 0, kept_characters = 0;
};

// Reads what scan_corpus wrote. scratch: a folder for files that are needed meanwhile.
// Near-duplicates are sought among the documents that are no exact duplicates.
Plan make_plan(const ScanFiles& scanned, const PrepareOptions& options,
               const std::filesystem::path& scratch);

}  // namespace inkstone
