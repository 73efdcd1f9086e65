// The three classes of characters that GPT-2's pre-tokenizer tells apart.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace inkstone {

enum class CharClass : uint8_t {
  kOther,       // everything else: punctuation, symbols, marks, controls, unassigned
  kLetter,      // \p{L}
  kNumber,      // \p{N}
  kWhiteSpace,  // \s: the property White_Space, 25 code points
  kInvalid,     // bytes that are not UTF-8; no code point has it
};

// Class of every code point in two look-ups and about 35 KB: a block number per 256 code points,
// and the distinct blocks. Letters and numbers are those of the Unicode version of the ICU that is
// linked (72 has Unicode 15.0); versions differ in newly assigned characters only.
class UnicodeClasses {
 public:
  static const UnicodeClasses& instance();

  // code_point <= 0x10FFFF.
  CharClass operator[](uint32_t code_point) const {
    return blocks_[block_of_[code_point >> 8]][code_point & 0xFF];
  }

 private:
  static constexpr uint32_t kCodePoints = 0x110000;
  using Block = std::array<CharClass, 256>;

  UnicodeClasses();

  std::array<uint16_t, kCodePoints / 256> block_of_{};
  std::vector<Block> blocks_;
};

}  // namespace inkstone
