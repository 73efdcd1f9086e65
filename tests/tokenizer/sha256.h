// SHA-256 (FIPS 180-4), for the hashes of the golden files.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace inkstone::test {

namespace detail {

// The first 32 bits of the fractional parts of a root of the first primes, which is where the
// standard takes its constants from; 64 bits of long double mantissa are enough for roots below 8.
template <size_t N, typename Root>
std::array<uint32_t, N> fractional_roots(Root root) {
  std::array<uint32_t, N> words{};
  size_t found = 0;
  for (uint32_t n = 2; found < N; ++n) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    const long double value = root(static_cast<long double>(n));
    words[found++] = static_cast<uint32_t>(
        static_cast<uint64_t>((value - std::floor(value)) * 4294967296.0L));
  }
  return words;
}

inline void compress(std::array<uint32_t, 8>& state, const unsigned char* block) {
  static const auto kRound = fractional_roots<64>([](long double x) { return std::cbrt(x); });
  std::array<uint32_t, 64> w{};
  for (size_t i = 0; i < 16; ++i) {
    for (size_t b = 0; b < 4; ++b) w[i] = (w[i] << 8) | block[4 * i + b];
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<uint32_t, 8> add = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += add[i];
}

}  // namespace detail

// 64 hexadecimal digits.
inline std::string sha256_hex(std::string message) {
  auto state = detail::fractional_roots<8>([](long double x) { return std::sqrt(x); });
  const uint64_t bits = 8 * static_cast<uint64_t>(message.size());
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(bits >> shift);
  for (size_t at = 0; at < message.size(); at += 64) {
    detail::compress(state, reinterpret_cast<const unsigned char*>(message.data()) + at);
  }
  std::string hex;
  for (const uint32_t word : state) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", word);
    hex += digits;
  }
  return hex;
}

}  // namespace inkstone::test
