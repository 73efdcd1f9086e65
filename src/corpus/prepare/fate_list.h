// What becomes of each document, on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/file.h"

namespace inkstone {

enum class Fate : uint8_t {
  kTrain,
  kValidation,
  kCut,  // its beginning trains, its end validates
  kDropped,
  kDuplicate,
  kNearDuplicate
};

// A fate for each document; memory holds one block of them, whatever their number. Quick in order;
// out of order, set() takes a call of the system. One thread's.
class FateList {
 public:
  static constexpr size_t kBlock = 65536;

  // All kTrain. folder: where the file lies, which goes with this object.
  FateList(const std::filesystem::path& folder, size_t count);

  size_t size() const { return static_cast<size_t>(file_.size_bytes()); }
  // Throw kInputOutput when the file cannot be read or written; i < size().
  Fate at(size_t i);
  void set(size_t i, Fate fate);

 private:
  bool is_in_block(size_t i) const { return i >= begin_ && i - begin_ < block_.size(); }
  void write_back();

  ScratchFile file_;
  std::vector<Fate> block_;  // of the documents from begin_ on
  size_t begin_ = 0;
  bool is_changed_ = false;  // block_ is not what the file has
};

}  // namespace inkstone
