#include "corpus/load/permutation.h"

#include <bit>

namespace inkstone {
namespace {

// Luby and Rackoff 1988 need four for a strong pseudorandom permutation; small domains mix slower.
constexpr uint64_t kRounds = 8;

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

}  // namespace

uint64_t permute(const Random& random, uint64_t x, uint64_t count) {
  if (count == 1) return 0;
  const int half_bits = (std::bit_width(count - 1) + 1) / 2;
  do {
    x = feistel(random, x, half_bits);
  } while (x >= count);
  return x;
}

}  // namespace inkstone
