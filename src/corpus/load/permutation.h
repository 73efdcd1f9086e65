// Keyed permutations: an order that is a pure function of a key.
#pragma once

#include <cstdint>

#include "base/rng.h"

namespace inkstone {

// The image of x under a permutation of [0, count) that `random` keys, 0 <= x < count: a Feistel
// network on the next power of four, applied until the image lies inside, less than four times on
// average. Black and Rogaway 2002, "Ciphers with arbitrary finite domains".
uint64_t permute(const Random& random, uint64_t x, uint64_t count);

}  // namespace inkstone
