// Which pages of a cache each sequence holds. Pages are shared by counting references.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace inkstone {

class PageTable {
 public:
  // A page that a sequence is about to write into and shares: its content has to be copied.
  struct PageCopy {
    int32_t from, to;
  };

  explicit PageTable(int64_t pages);

  int64_t open();
  void close(int64_t sequence);
  int64_t fork(int64_t sequence, int64_t length);
  void truncate(int64_t sequence, int64_t length);
  int64_t length(int64_t sequence) const { return at(sequence).length; }

  int64_t pages() const { return static_cast<int64_t>(references_.size()); }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  // Pages that appending takes. Where all that share a partly filled page append in one pass, the
  // sum is one too many: the last of them writes into the page itself.
  int64_t pages_for(int64_t sequence, int64_t tokens) const;

  // Makes room for `tokens` more and counts them; free_pages must suffice. Appends the copies that
  // are to be made before the new tokens are written. Throws without memory, and changes nothing.
  void append(int64_t sequence, int64_t tokens, std::vector<PageCopy>& copies);
  // Takes an append back, of a sequence that held `length` tokens before, with its copy.
  void take_back(int64_t sequence, int64_t length, std::span<const PageCopy> copies);
  std::span<const int32_t> pages_of(int64_t sequence) const { return at(sequence).pages; }

 private:
  struct Sequence {
    std::vector<int32_t> pages;
    int64_t length = 0;
    bool is_open = false;
  };
  Sequence& at(int64_t sequence);
  const Sequence& at(int64_t sequence) const;
  int32_t take();
  void drop(int32_t page);
  bool writes_into_shared(const Sequence& s, int64_t tokens) const;

  std::vector<Sequence> sequences_;
  std::vector<int64_t> closed_;      // to be opened again, the last first
  std::vector<int32_t> references_;  // of each page
  std::vector<int32_t> free_;        // the last is taken first
};

}  // namespace inkstone
