// Random numbers as pure functions of (key, counter): no state to save, the same on every machine
// and for every thread count.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace inkstone {

// Philox4x32-10. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011.
inline std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t counter_low,
                                          uint64_t counter_high) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  std::array<uint32_t, 4> c = {
      static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
      static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

// What a random number is for. Each use has its own stream, so that adding one changes no other.
enum class RandomStream : uint64_t {
  kInitialisation = 1,
  kDropout = 2,
  kDataOrder = 3,
  kSampling = 4,
  kInputMask = 5,
  kDataMixture = 6,
  kPrefix = 16,
  kFillInMiddle = 17,
  kRecordOrder = 24,
};

// A stream of random numbers addressed by (seed, stream, substream). Cheap to make; copyable.
class Random {
 public:
  Random(uint64_t seed, RandomStream stream, uint64_t substream = 0)
      : key_(seed), high_((static_cast<uint64_t>(stream) << 56) ^ substream) {}

  // The 128 bits at position `index`.
  std::array<uint32_t, 4> block(uint64_t index) const { return philox4x32(key_, index, high_); }

  // 64 uniform bits at position `index`.
  uint64_t bits(uint64_t index) const {
    const auto b = block(index);
    return b[0] | (uint64_t{b[1]} << 32);
  }

  // Uniform in [0, 1) with 53 bits.
  double uniform(uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }

  // Uniform in [0, n), n > 0. The bias is below n / 2^64.
  uint64_t below(uint64_t n, uint64_t index) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((static_cast<Wide>(bits(index)) * n) >> 64);
  }

  // Standard normal by Box and Muller.
  double normal(uint64_t index) const {
    const auto b = block(index);
    const uint64_t u = b[0] | (uint64_t{b[1]} << 32), v = b[2] | (uint64_t{b[3]} << 32);
    const double radius = std::sqrt(-2.0 *
                                    std::log((static_cast<double>(u >> 11) + 1.0) * 0x1.0p-53));
    return radius * std::cos(6.283185307179586 * (static_cast<double>(v >> 11) * 0x1.0p-53));
  }

 private:
  uint64_t key_;
  uint64_t high_;
};

}  // namespace inkstone
