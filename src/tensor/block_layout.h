// How the blocks of weight_type.h lie in bytes: where small integers, halves and sub-scales stand.
// Nothing here knows what they mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace inkstone {

constexpr int kBlock = 32;        // elements of a block of q8_0, q4_0, q4_1, q5_0, q5_1, iq4_nl
constexpr int kSuperBlock = 256;  // elements of a block of the K types

// Codes of a block, one a byte, as the packed fields give them: not negative.
template <size_t count>
using Codes = std::array<uint8_t, count>;

// The values of iq4_nl's codes, times the block's scale.
constexpr std::array<int8_t, 16> kIq4NlValues = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                 1,    13,   25,  38,  53,  69,  89,  113};

// Every field of codes is laid out alike: `width` bytes hold width * 8 / bits elements, and element
// k * width + l is `bits` bits of byte l from bit k * bits on; then the next `width` bytes.
// Sets bits [shift, shift + bits) of all codes, which must be 0 there.
template <int bits, int width, size_t count>
void unpack_bits(const uint8_t* from, int shift, Codes<count>& codes) {
  constexpr int kParts = 8 / bits, kMask = (1 << bits) - 1;
  static_assert(count % (width * kParts) == 0);
  uint8_t* to = codes.data();
  for (size_t group = 0; group < count / (width * kParts); ++group, from += width) {
    for (int k = 0; k < kParts; ++k, to += width) {
      for (int l = 0; l < width; ++l)
        to[l] = static_cast<uint8_t>(to[l] | (((from[l] >> (k * bits)) & kMask) << shift));
    }
  }
}

// The other way: bits [shift, shift + bits) of the codes to count * bits / 8 bytes at `to`.
template <int bits, int width, size_t count>
void pack_bits(const Codes<count>& codes, int shift, uint8_t* to) {
  constexpr int kParts = 8 / bits, kMask = (1 << bits) - 1;
  static_assert(count % (width * kParts) == 0);
  const uint8_t* from = codes.data();
  for (size_t group = 0; group < count / (width * kParts); ++group, from += width * kParts) {
    for (int l = 0; l < width; ++l) {
      int byte = 0;
      for (int k = 0; k < kParts; ++k)
        byte |= ((from[k * width + l] >> shift) & kMask) << (k * bits);
      *to++ = static_cast<uint8_t>(byte);
    }
  }
}

// Halves are little-endian and lie at any address.
inline float load_half(const uint8_t* from) {
  return half_to_float(static_cast<uint16_t>(from[0] | (from[1] << 8)));
}
inline void store_half(uint16_t half, uint8_t* to) {
  to[0] = static_cast<uint8_t>(half);
  to[1] = static_cast<uint8_t>(half >> 8);
}

// Scales and mins of the 8 sub-blocks of q4_k and q5_k, 6 bits each: 12 bytes.
struct ScalesAndMins {
  std::array<uint8_t, 8> scales, mins;
};

// Bytes 0 to 7 hold in their low 6 bits the scales and the mins of sub-blocks 0 to 3, and above
// them the upper 2 bits of those of 4 to 7, whose lower 4 bits are the nibbles of bytes 8 to 11.
inline ScalesAndMins unpack_scales_and_mins(const uint8_t* from) {
  ScalesAndMins to;
  for (int j = 0; j < 4; ++j) {
    to.scales[j] = from[j] & 63;
    to.mins[j] = from[j + 4] & 63;
    to.scales[j + 4] = static_cast<uint8_t>((from[j + 8] & 15) | ((from[j] >> 6) << 4));
    to.mins[j + 4] = static_cast<uint8_t>((from[j + 8] >> 4) | ((from[j + 4] >> 6) << 4));
  }
  return to;
}
inline void pack_scales_and_mins(const ScalesAndMins& from, uint8_t* to) {
  for (int j = 0; j < 4; ++j) {
    to[j] = static_cast<uint8_t>(from.scales[j] | ((from.scales[j + 4] >> 4) << 6));
    to[j + 4] = static_cast<uint8_t>(from.mins[j] | ((from.mins[j + 4] >> 4) << 6));
    to[j + 8] = static_cast<uint8_t>((from.scales[j + 4] & 15) | ((from.mins[j + 4] & 15) << 4));
  }
}

}  // namespace inkstone
