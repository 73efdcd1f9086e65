#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "corpus/load/batch_loader.h"

namespace inkstone {
namespace {

// From this many windows on, losing one is a small price for a free choice of the offset.
constexpr int64_t kWindowsToSpare = 8;
// Luby and Rackoff 1988 need four for a strong pseudorandom permutation; small domains mix slower.
constexpr uint64_t kRounds = 8;

// Random numbers of one epoch: position 0 chooses the offset, the others are the round function's.
Random epoch_random(uint64_t seed, int64_t epoch) {
  return Random(seed, RandomStream::kDataOrder, static_cast<uint64_t>(epoch));
}

// The image of x under a keyed permutation of [0, 4^half_bits).
uint64_t feistel(const Random& random, uint64_t x, int half_bits) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = x >> half_bits, right = x & mask;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    const uint64_t next = left ^ (random.bits((round << 32) | right) & mask);
    left = right;
    right = next;
  }
  return (left << half_bits) | right;
}

// The image of x under a keyed permutation of [0, count), 0 <= x < count: the permutation of the
// next power of four, applied until the image lies inside; less than four times on average. Black
// and Rogaway 2002, "Ciphers with arbitrary finite domains".
uint64_t permute(const Random& random, uint64_t x, uint64_t count) {
  if (count == 1) return 0;
  const int half_bits = (std::bit_width(count - 1) + 1) / 2;
  do {
    x = feistel(random, x, half_bits);
  } while (x >= count);
  return x;
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
