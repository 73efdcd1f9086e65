#include "model/page_table.h"

#include <utility>

#include "base/check.h"
#include "kernels/backend.h"

namespace inkstone {
namespace {
int64_t pages_of_tokens(int64_t tokens) { return (tokens + kPagePositions - 1) / kPagePositions; }
}  // namespace

PageTable::PageTable(int64_t pages) : references_(static_cast<size_t>(pages), 0) {
  // The lowest first: memory that was used before is used again.
  for (int64_t page = pages - 1; page >= 0; --page) free_.push_back(static_cast<int32_t>(page));
}

PageTable::Sequence& PageTable::at(int64_t sequence) {
  return const_cast<Sequence&>(std::as_const(*this).at(sequence));
}
const PageTable::Sequence& PageTable::at(int64_t sequence) const {
  INK_CHECK(sequence >= 0 && sequence < static_cast<int64_t>(sequences_.size()) &&
                sequences_[static_cast<size_t>(sequence)].is_open,
            "a sequence that is not open");
  return sequences_[static_cast<size_t>(sequence)];
}

int32_t PageTable::take() {
  INK_CHECK(!free_.empty(), "no free page");
  const int32_t page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

void PageTable::drop(int32_t page) {
  if (--references_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

int64_t PageTable::open() {
  if (closed_.empty()) {
    // Room for all of them, so that closing one needs no memory.
    if (closed_.capacity() <= sequences_.size()) closed_.reserve(2 * sequences_.size() + 1);
    sequences_.emplace_back();
    closed_.push_back(static_cast<int64_t>(sequences_.size()) - 1);
  }
  const int64_t sequence = closed_.back();
  closed_.pop_back();
  sequences_[static_cast<size_t>(sequence)].is_open = true;
  return sequence;
}

void PageTable::close(int64_t sequence) {
  truncate(sequence, 0);
  at(sequence).is_open = false;
  closed_.push_back(sequence);
}

int64_t PageTable::fork(int64_t sequence, int64_t length) {
  INK_CHECK(length >= 0 && length <= at(sequence).length, "fork beyond the end");
  const auto shared = pages_of(sequence).first(static_cast<size_t>(pages_of_tokens(length)));
  std::vector<int32_t> pages(shared.begin(), shared.end());
  const int64_t copy = open();
  Sequence& to = at(copy);
  to.pages = std::move(pages);
  to.length = length;
  for (const int32_t page : to.pages) ++references_[static_cast<size_t>(page)];
  return copy;
}

void PageTable::truncate(int64_t sequence, int64_t length) {
  Sequence& s = at(sequence);
  INK_CHECK(length >= 0 && length <= s.length, "truncate beyond the end");
  const auto keep = static_cast<size_t>(pages_of_tokens(length));
  while (s.pages.size() > keep) {
    drop(s.pages.back());
    s.pages.pop_back();
  }
  s.length = length;
}

bool PageTable::writes_into_shared(const Sequence& s, int64_t tokens) const {
  return tokens > 0 && s.length % kPagePositions != 0 &&
         references_[static_cast<size_t>(s.pages.back())] > 1;
}

int64_t PageTable::pages_for(int64_t sequence, int64_t tokens) const {
  const Sequence& s = at(sequence);
  return pages_of_tokens(s.length + tokens) - static_cast<int64_t>(s.pages.size()) +
         (writes_into_shared(s, tokens) ? 1 : 0);
}

void PageTable::append(int64_t sequence, int64_t tokens, std::vector<PageCopy>& copies) {
  Sequence& s = at(sequence);
  s.pages.reserve(static_cast<size_t>(pages_of_tokens(s.length + tokens)));
  if (copies.size() == copies.capacity()) copies.reserve(2 * copies.size() + 1);
  if (writes_into_shared(s, tokens)) {
    const int32_t shared = s.pages.back();
    s.pages.back() = take();
    copies.push_back({shared, s.pages.back()});
    drop(shared);
  }
  s.length += tokens;
  while (static_cast<int64_t>(s.pages.size()) < pages_of_tokens(s.length))
    s.pages.push_back(take());
}

void PageTable::take_back(int64_t sequence, int64_t length, std::span<const PageCopy> copies) {
  truncate(sequence, length);
  Sequence& s = at(sequence);
  for (const PageCopy& copy : copies) {
    if (s.pages.empty() || s.pages.back() != copy.to) continue;
    ++references_[static_cast<size_t>(copy.from)];
    s.pages.back() = copy.from;
    drop(copy.to);
  }
}

}  // namespace inkstone
