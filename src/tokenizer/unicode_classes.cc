#include "tokenizer/unicode_classes.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace inkstone {
namespace {

// Unicode 15, PropList.txt, White_Space. Fixed here because \s of GPT-2's regular expression is
// this set, while ICU's own \s and Python's re are not.
constexpr std::pair<uint32_t, uint32_t> kWhiteSpaceRanges[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

CharClass class_of_category(UCharCategory category) {
  const uint32_t mask = U_MASK(category);
  if ((mask & U_GC_L_MASK) != 0) return CharClass::kLetter;
  if ((mask & U_GC_N_MASK) != 0) return CharClass::kNumber;
  return CharClass::kOther;
}

std::vector<CharClass> classes_from_icu(uint32_t code_points) {
  std::vector<CharClass> classes(code_points, CharClass::kOther);
  const auto fill = [](const void* context, UChar32 start, UChar32 limit,
                       UCharCategory category) -> UBool {
    CharClass* all = static_cast<CharClass*>(const_cast<void*>(context));
    std::fill(all + start, all + limit, class_of_category(category));
    return true;
  };
  u_enumCharTypes(fill, classes.data());
  for (const auto& [first, last] : kWhiteSpaceRanges) {
    std::fill(classes.begin() + first, classes.begin() + last + 1, CharClass::kWhiteSpace);
  }
  return classes;
}

}  // namespace

const UnicodeClasses& UnicodeClasses::instance() {
  static const UnicodeClasses classes;
  return classes;
}

UnicodeClasses::UnicodeClasses() {
  const std::vector<CharClass> classes = classes_from_icu(kCodePoints);
  std::unordered_map<std::string_view, uint16_t> known;
  std::string_view before;
  for (size_t i = 0; i < block_of_.size(); ++i) {
    const CharClass* first = &classes[i * sizeof(Block)];
    const std::string_view block(reinterpret_cast<const char*>(first), sizeof(Block));
    if (std::exchange(before, block) == block) {  // four in five
      block_of_[i] = block_of_[i - 1];
      continue;
    }
    const auto [at, is_new] = known.emplace(block, static_cast<uint16_t>(blocks_.size()));
    if (is_new) std::copy_n(first, sizeof(Block), blocks_.emplace_back().begin());
    block_of_[i] = at->second;
  }
}

}  // namespace inkstone
