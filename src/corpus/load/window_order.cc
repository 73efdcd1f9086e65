#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "corpus/load/batch_loader.h"
#include "corpus/load/permutation.h"

namespace inkstone {
namespace {

// From this many windows on, losing one is a small price for a free choice of the offset.
constexpr int64_t kWindowsToSpare = 8;

// Random numbers of one epoch: position 0 chooses the offset, the others are the round function's.
Random epoch_random(uint64_t seed, int64_t epoch) {
  return Random(seed, RandomStream::kDataOrder, static_cast<uint64_t>(epoch));
}

}  // namespace

WindowOrder::WindowOrder(int64_t tokens, int64_t context, uint64_t seed) : seed_(seed) {
  INK_CHECK(tokens >= 2 && context >= 1, "no window fits");
  const int64_t targets = tokens - 1;
  length_ = std::min(context, targets);
  windows_ = targets / length_;
  if (windows_ >= kWindowsToSpare && targets % length_ < length_ - 1) --windows_;
  offsets_ = std::min(length_, targets - windows_ * length_ + 1);
}

WindowOrder::WindowOrder(DocumentWindows windows, uint64_t seed)
    : length_(windows.length()),
      windows_(windows.count()),
      offsets_(1),
      seed_(seed),
      aligned_(std::move(windows)) {}

int64_t WindowOrder::begin(int64_t index) const {
  INK_CHECK(index >= 0, "negative window");
  const Random random = epoch_random(seed_, index / windows_);
  const auto window = static_cast<int64_t>(
      permute(random, static_cast<uint64_t>(index % windows_), static_cast<uint64_t>(windows_)));
  if (aligned_) return aligned_->begin(window);
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(offsets_), 0)) + window * length_;
}

EvalWindows::EvalWindows(int64_t tokens, int64_t context)
    : context_(context), targets_(std::max<int64_t>(tokens - 1, 0)) {
  INK_CHECK(tokens >= 0 && context >= 1, "no window fits");
  count_ = targets_ / context_ + (targets_ % context_ != 0 ? 1 : 0);
}

int64_t EvalWindows::length(int64_t i) const {
  INK_CHECK(i >= 0 && i < count_, "no such window");
  return std::min(context_, targets_ - begin(i));
}

}  // namespace inkstone
