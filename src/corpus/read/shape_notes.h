// What a user is told of a file with records of known shapes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "corpus/read/dialogue.h"

namespace inkstone {

class ShapeNotes {
 public:
  void count(RecordShape shape) { ++counts_[static_cast<size_t>(shape)]; }
  // A record with a text that is of a known shape too.
  void count_as_text(RecordShape shape) {
    as_text_shape_ = shape;
    ++as_text_;
  }
  std::vector<Message> notes() const;

 private:
  std::array<int64_t, kRecordShapes> counts_{};
  int64_t as_text_ = 0;
  RecordShape as_text_shape_ = RecordShape::kPair;
};

}  // namespace inkstone
