#include "evaluate/python_random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace inkstone::evaluate {
namespace {

constexpr size_t kMiddle = 397;

uint32_t mixed(uint32_t word) { return word ^ (word >> 30); }

// What a word becomes of the highest bit of one and the lower bits of the next.
uint32_t twisted(uint32_t high, uint32_t low) {
  const uint32_t word = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
  return (word >> 1) ^ ((word & 1) != 0 ? 0x9908B0DFu : 0u);
}

// Above this many places sample() remembers the drawn ones; up to it, it moves the rest together.
size_t pool_limit(size_t k) {
  constexpr size_t kSmall = 21;
  if (k <= 5) return kSmall;
  const double power = std::ceil(std::log(static_cast<double>(3 * k)) / std::log(4.0));
  return kSmall + (size_t{1} << (2 * static_cast<size_t>(power)));
}

}  // namespace

// init_by_array for a key of one word.
PythonRandom::PythonRandom(uint32_t seed) {
  state_[0] = 19650218u;
  for (size_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253u * mixed(state_[i - 1]) + static_cast<uint32_t>(i);
  }
  size_t i = 1;
  const auto step = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (size_t k = 0; k < kWords; ++k, step()) {
    state_[i] = (state_[i] ^ (mixed(state_[i - 1]) * 1664525u)) + seed;
  }
  for (size_t k = 1; k < kWords; ++k, step()) {
    state_[i] = (state_[i] ^ (mixed(state_[i - 1]) * 1566083941u)) - static_cast<uint32_t>(i);
  }
  state_[0] = 0x80000000u;
}

void PythonRandom::refill() {
  for (size_t i = 0; i < kWords; ++i) {
    state_[i] = state_[(i + kMiddle) % kWords] ^ twisted(state_[i], state_[(i + 1) % kWords]);
  }
  at_ = 0;
}

uint32_t PythonRandom::bits() {
  if (at_ == kWords) refill();
  uint32_t word = state_[at_++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9D2C5680u;
  word ^= (word << 15) & 0xEFC60000u;
  return word ^ (word >> 18);
}

double PythonRandom::uniform() {
  const uint32_t high = bits() >> 5, low = bits() >> 6;
  return (high * 0x1.0p26 + low) * 0x1.0p-53;
}

uint32_t PythonRandom::below(uint32_t n) {
  const int shift = std::countl_zero(n);
  uint32_t drawn = bits() >> shift;
  while (drawn >= n) drawn = bits() >> shift;
  return drawn;
}

std::vector<size_t> PythonRandom::sample(size_t n, size_t k) {
  std::vector<size_t> drawn;
  drawn.reserve(k);
  if (n > pool_limit(k)) {
    while (drawn.size() < k) {
      const size_t place = below(static_cast<uint32_t>(n));
      if (std::ranges::find(drawn, place) == drawn.end()) drawn.push_back(place);
    }
    return drawn;
  }
  std::vector<size_t> left(n);
  std::iota(left.begin(), left.end(), size_t{0});
  for (size_t i = 0; i < k; ++i) {
    const size_t place = below(static_cast<uint32_t>(n - i));
    drawn.push_back(left[place]);
    left[place] = left[n - i - 1];
  }
  return drawn;
}

}  // namespace inkstone::evaluate
