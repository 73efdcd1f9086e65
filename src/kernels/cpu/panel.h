// How this backend keeps a weight in blocks for products: panels of 16 columns (the last one is
// filled up with zeros), each a whole number of 64-byte lines.
//
// A panel is read from its beginning to its end. It consists of chunks of 256 inputs (the last one
// may be shorter), each the scales and then the codes of its groups, 32 inputs each. A code is a
// small number that is not negative: a weight is scale * (code - zero), or scale * code + minimum.
// The unit of codes is a line: 16 columns x 4 consecutive inputs, one byte each, as one dot product
// of 8-bit integers takes them; line i of a group holds inputs 4i to 4i + 3. Lines are kept in
// planes:
//   8 bits  8 lines
//   4 bits  4 lines: line i in the low halves of the bytes of the i-th, line i + 4 in the high ones
//   2 bits  2 lines: line 4j + i in bits 2i and 2i + 1 of the j-th
//   1 bit   1 line: line i in bit i
// Halves of scales and integer sub-scales stand side by side for the 16 columns: what belongs to a
// block (32 or 256 inputs) first, then what belongs to each group of it. Sizes are the file's, but
// for the K types up to 5 % more: their sub-scales of 6 bits take a byte each, and chunks are
// whole lines.
#pragma once

#include <cstdint>

#include "tensor/weight_type.h"

namespace inkstone::cpu {

constexpr int kPanelColumns = 16, kGroup = 32;
constexpr int kLineBytes = 4 * kPanelColumns, kGroupLines = kGroup / 4;
constexpr int kChunkGroups = 8;

// What a block's scales are, each for 16 columns.
enum class Scales : uint8_t {
  kD,         // d f16
  kDM,        // d, m f16: the minimum is added
  kSub32,     // d, -dmin f16; per group a scale and a minimum (u8 each)
  kSub16,     // d f16; per group two scales (i8), of 16 inputs each
  kSub16Min,  // d, -dmin f16; per group two bytes, scale | minimum << 4, of 16 inputs each
};

// What is known of a type at compile time. Of codes, `nibbles` are bits 0 to 3, or a place in the
// table of iq4_nl; `twos` are bits 0 and 1, or 4 and 5 above nibbles; `ones` are the next bit.
struct BlockForm {
  bool bytes = false, nibbles = false, table = false, twos = false, ones = false;
  int zero = 0;  // the code that stands for 0
  Scales scales = Scales::kD;

  constexpr int code_bits() const {
    return bytes || table ? 8 : (nibbles ? 4 : 0) + (twos ? 2 : 0) + (ones ? 1 : 0);
  }
  // Of a group.
  constexpr int code_bytes() const {
    return kLineBytes * ((bytes ? 8 : 0) + (nibbles ? 4 : 0) + (twos ? 2 : 0) + (ones ? 1 : 0));
  }
  constexpr bool sub_blocks_of_16() const {
    return scales == Scales::kSub16 || scales == Scales::kSub16Min;
  }
  // Of a block, and besides of each of its groups.
  constexpr int block_scale_bytes() const {
    return scales == Scales::kD || scales == Scales::kSub16 ? 2 * kPanelColumns : 4 * kPanelColumns;
  }
  constexpr int group_scale_bytes() const {
    return scales == Scales::kD || scales == Scales::kDM ? 0 : 2 * kPanelColumns;
  }
  constexpr int groups_of_block() const { return group_scale_bytes() == 0 ? 1 : 8; }
};

constexpr BlockForm form_of(WeightType type) {
  switch (type) {
    case WeightType::kQ8_0: return {.bytes = true, .zero = 128};
    case WeightType::kQ4_0: return {.nibbles = true, .zero = 8};
    case WeightType::kQ4_1: return {.nibbles = true, .scales = Scales::kDM};
    case WeightType::kQ5_0: return {.nibbles = true, .ones = true, .zero = 16};
    case WeightType::kQ5_1: return {.nibbles = true, .ones = true, .scales = Scales::kDM};
    case WeightType::kIQ4_NL: return {.nibbles = true, .table = true, .zero = 128};
    case WeightType::kQ2_K: return {.twos = true, .scales = Scales::kSub16Min};
    case WeightType::kQ3_K:
      return {.twos = true, .ones = true, .zero = 4, .scales = Scales::kSub16};
    case WeightType::kQ4_K: return {.nibbles = true, .scales = Scales::kSub32};
    case WeightType::kQ5_K: return {.nibbles = true, .ones = true, .scales = Scales::kSub32};
    case WeightType::kQ6_K:
      return {.nibbles = true, .twos = true, .zero = 32, .scales = Scales::kSub16};
    case WeightType::kF32:
    case WeightType::kF16:
    case WeightType::kBF16: break;
  }
  return {};
}

// Of a chunk's scales and of a panel, for a number of groups (of whole blocks).
constexpr int64_t chunk_scale_bytes(const BlockForm& form, int64_t groups) {
  const int64_t bytes = groups / form.groups_of_block() * form.block_scale_bytes() +
                        groups * form.group_scale_bytes();
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}
constexpr int64_t panel_bytes(const BlockForm& form, int64_t groups) {
  return groups / kChunkGroups * chunk_scale_bytes(form, kChunkGroups) +
         chunk_scale_bytes(form, groups % kChunkGroups) + groups * form.code_bytes();
}
constexpr int64_t panels(int64_t out) { return (out + kPanelColumns - 1) / kPanelColumns; }

}  // namespace inkstone::cpu
