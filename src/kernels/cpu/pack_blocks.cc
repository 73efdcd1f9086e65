// Weights in blocks, as files hold them, to the panels of panel.h: once for each weight, when it is
// loaded.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/panel.h"
#include "tensor/block_layout.h"

namespace inkstone::cpu {
namespace {

// A block with all its fields apart. Halves are kept as bits.
struct Fields {
  Codes<kSuperBlock> codes{};
  uint16_t d = 0, m = 0;
  std::array<uint8_t, 16> scales{}, minima{};  // of sub-blocks; signed ones as bits
};

uint16_t half_bits(const uint8_t* from) { return static_cast<uint16_t>(from[0] | (from[1] << 8)); }
uint16_t negated(uint16_t half) { return half ^ 0x8000; }

// Blocks of 32: d, m where there is one, the fifth bits where there are, nibbles.
Fields read_nibbles(const BlockForm& form, const uint8_t* block) {
  Fields f;
  Codes<kBlock> codes{};
  f.d = half_bits(block);
  block += 2;
  if (form.scales == Scales::kDM) f.m = half_bits(block), block += 2;
  if (form.ones) unpack_bits<1, 1>(block, 4, codes), block += 4;
  unpack_bits<4, 16>(block, 0, codes);
  std::copy(codes.begin(), codes.end(), f.codes.begin());
  return f;
}

Fields read_q8_0(const uint8_t* block) {
  Fields f;
  f.d = half_bits(block);
  for (int i = 0; i < kBlock; ++i) f.codes[i] = block[2 + i] ^ 0x80;
  return f;
}

Fields read_q2_k(const uint8_t* block) {
  Fields f;
  unpack_bits<2, 32>(block + 16, 0, f.codes);
  std::copy(block, block + 16, f.scales.begin());
  f.d = half_bits(block + 80);
  f.m = negated(half_bits(block + 82));
  return f;
}

Fields read_q3_k(const uint8_t* block) {
  Fields f;
  unpack_bits<2, 32>(block + 32, 0, f.codes);
  unpack_bits<1, 32>(block, 2, f.codes);
  unpack_bits<4, 8>(block + 96, 0, f.scales);
  unpack_bits<2, 4>(block + 104, 4, f.scales);
  for (uint8_t& scale : f.scales) scale = static_cast<uint8_t>(scale - 32);
  f.d = half_bits(block + 108);
  return f;
}

// q4_k and q5_k.
Fields read_with_mins(const BlockForm& form, const uint8_t* block) {
  Fields f;
  unpack_bits<4, 32>(block + (form.ones ? 48 : 16), 0, f.codes);
  if (form.ones) unpack_bits<1, 32>(block + 16, 4, f.codes);
  const ScalesAndMins sub = unpack_scales_and_mins(block + 4);
  std::copy(sub.scales.begin(), sub.scales.end(), f.scales.begin());
  std::copy(sub.mins.begin(), sub.mins.end(), f.minima.begin());
  f.d = half_bits(block);
  f.m = negated(half_bits(block + 2));
  return f;
}

Fields read_q6_k(const uint8_t* block) {
  Fields f;
  unpack_bits<4, 64>(block, 0, f.codes);
  unpack_bits<2, 32>(block + 128, 4, f.codes);
  std::copy(block + 192, block + 208, f.scales.begin());
  f.d = half_bits(block + 208);
  return f;
}

Fields read(WeightType type, const uint8_t* block) {
  switch (type) {
    case WeightType::kQ8_0: return read_q8_0(block);
    case WeightType::kQ2_K: return read_q2_k(block);
    case WeightType::kQ3_K: return read_q3_k(block);
    case WeightType::kQ4_K:
    case WeightType::kQ5_K: return read_with_mins(form_of(type), block);
    case WeightType::kQ6_K: return read_q6_k(block);
    default: return read_nibbles(form_of(type), block);
  }
}

// ---- Writing ------------------------------------------------------------------------------------

// Bits [bit, bit + kBits) of the codes of a group's lines of one column to a plane at `to` that is
// zero so far; the four codes of a line, which lie together on both sides, at once.
template <int kBits>
void write_plane(const uint8_t* codes, int bit, uint8_t* to) {
  constexpr int kOfByte = 8 / kBits, kPlaneLines = kGroupLines / kOfByte;
  constexpr uint32_t kMask = ((1u << kBits) - 1) * 0x01010101u;
  for (int line = 0; line < kGroupLines; ++line) {
    // 4 bits: lines i and i + 4 share bytes; 2 bits and 1: neighbouring lines do.
    const int plane_line = kBits == 4 ? line % kPlaneLines : line / kOfByte;
    const int place = kBits == 4 ? line / kPlaneLines : line % kOfByte;
    uint32_t four, there;
    std::memcpy(&four, codes + 4 * line, sizeof four);
    std::memcpy(&there, to + plane_line * kLineBytes, sizeof there);
    there |= (four >> bit & kMask) << (place * kBits);
    std::memcpy(to + plane_line * kLineBytes, &there, sizeof there);
  }
}

// Column 0 of a group's lines at `to`.
void write_codes(const BlockForm& form, const uint8_t* codes, uint8_t* to) {
  int bit = 0;
  const auto plane = [&]<int kBits>() {
    write_plane<kBits>(codes, bit, to);
    bit += kBits;
    to += kBits * kLineBytes;
  };
  if (form.bytes) plane.template operator()<8>();
  if (form.nibbles) plane.template operator()<4>();
  if (form.twos) plane.template operator()<2>();
  if (form.ones) plane.template operator()<1>();
}

void write_half(uint16_t half, uint8_t* to) { std::memcpy(to, &half, sizeof half); }

// Where a column's scales of a block go: `to` is the beginning of the block's scales.
void write_scales(const BlockForm& form, const Fields& f, int column, uint8_t* to) {
  write_half(f.d, to + 2 * column);
  if (form.block_scale_bytes() > 2 * kPanelColumns)
    write_half(f.m, to + 2 * kPanelColumns + 2 * column);
  if (form.group_scale_bytes() == 0) return;
  to += form.block_scale_bytes() + column;
  for (int group = 0; group < form.groups_of_block(); ++group, to += form.group_scale_bytes()) {
    const bool halves = form.sub_blocks_of_16();
    to[0] = f.scales[halves ? 2 * group : group];
    to[kPanelColumns] = halves ? f.scales[2 * group + 1] : f.minima[group];
  }
}

// One column of a chunk, from the blocks at `from`.
void pack_chunk(WeightType type, const uint8_t* from, int64_t groups, int column, uint8_t* to) {
  const BlockForm form = form_of(type);
  uint8_t *scales = to, *codes = to + chunk_scale_bytes(form, groups) + 4 * column;
  for (int64_t g = 0; g < groups; g += form.groups_of_block()) {
    const Fields f = read(type, from);
    from += block_of(type).bytes;
    write_scales(form, f, column, scales);
    scales += form.block_scale_bytes() + form.groups_of_block() * form.group_scale_bytes();
    for (int i = 0; i < form.groups_of_block(); ++i, codes += form.code_bytes())
      write_codes(form, &f.codes[i * kGroup], codes);
  }
}

// Columns [first, first + 16) that there are.
void pack_panel(const Weight& from, int64_t first, uint8_t* to) {
  const BlockForm form = form_of(from.type);
  const int64_t groups = from.in / kGroup, bytes = row_bytes(from.type, from.in),
                chunk_bytes = row_bytes(from.type, kChunkGroups * kGroup);
  std::memset(to, 0, panel_bytes(form, groups));
  for (int64_t n = first; n < std::min(from.out, first + kPanelColumns); ++n) {
    const auto* row = static_cast<const uint8_t*>(from.data) + n * bytes;
    uint8_t* chunk = to;
    for (int64_t g = 0; g < groups; g += kChunkGroups, row += chunk_bytes) {
      const int64_t count = std::min<int64_t>(kChunkGroups, groups - g);
      pack_chunk(from.type, row, count, static_cast<int>(n - first), chunk);
      chunk += chunk_scale_bytes(form, count) + count * form.code_bytes();
    }
  }
}

}  // namespace

int64_t packed_bytes(const Weight& weight) {
  if (is_float(weight.type) || weight.layout == WeightLayout::kPacked) return 0;
  INK_CHECK(weight.in % block_of(weight.type).elements == 0, "a row is a whole number of blocks");
  return panels(weight.out) * panel_bytes(form_of(weight.type), weight.in / kGroup);
}

Weight pack(Context& context, const Weight& from, void* to) {
  INK_CHECK(from.layout == WeightLayout::kOutIn && packed_bytes(from) > 0,
            "pack: a weight in blocks, a row for each output");
  const int64_t bytes = panel_bytes(form_of(from.type), from.in / kGroup);
  context.pool.parallel_for(panels(from.out), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t p = begin; p < end; ++p)
      pack_panel(from, p * kPanelColumns, static_cast<uint8_t*>(to) + p * bytes);
  });
  Weight packed = from;
  packed.layout = WeightLayout::kPacked;
  packed.data = to;
  return packed;
}

}  // namespace inkstone::cpu
