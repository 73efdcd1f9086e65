#include "corpus/prepare/fate_list.h"

#include <algorithm>

namespace inkstone {

FateList::FateList(const std::filesystem::path& folder, size_t count) : file_(folder, count) {}

void FateList::write_back() {
  if (is_changed_) file_.write(begin_, std::as_bytes(std::span(block_)));
  is_changed_ = false;
}

Fate FateList::at(size_t i) {
  if (!is_in_block(i)) {
    write_back();
    block_.resize(std::min(kBlock, size() - i));
    begin_ = i;
    file_.read(begin_, std::as_writable_bytes(std::span(block_)));
  }
  return block_[i - begin_];
}

void FateList::set(size_t i, Fate fate) {
  if (is_in_block(i)) {
    block_[i - begin_] = fate;
    is_changed_ = true;
  } else {
    file_.write(i, std::as_bytes(std::span(&fate, 1)));
  }
}

}  // namespace inkstone
