// Python's `random`, drawn number by number: lm-eval chooses its examples and resamples with it,
// and the same seed must give the same ones here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace inkstone::evaluate {

// random.Random(seed) of CPython 3: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998),
// seeded by its authors' init_by_array with the seed's 32-bit words. One thread's.
class PythonRandom {
 public:
  explicit PythonRandom(uint32_t seed);

  // random.random(): uniform in [0, 1) with 53 bits, of two draws.
  double uniform();
  // random.randrange(n), n > 0: draws of as many bits as n has, until one is below it.
  uint32_t below(uint32_t n);
  // random.sample(range(n), k), k <= n: distinct places in the order drawn.
  std::vector<size_t> sample(size_t n, size_t k);
  // One place of random.choices(xs) for n of them, n > 0.
  size_t choice(size_t n) { return static_cast<size_t>(uniform() * static_cast<double>(n)); }

 private:
  static constexpr size_t kWords = 624;

  uint32_t bits();
  void refill();

  std::array<uint32_t, kWords> state_;
  size_t at_ = kWords;
};

}  // namespace inkstone::evaluate
