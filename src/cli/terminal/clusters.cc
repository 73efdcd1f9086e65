#include "cli/terminal/clusters.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/utf8.h"

namespace inkstone::cli {
namespace {

// The boundaries of a text, by ICU.
class Boundaries {
 public:
  Boundaries(UBreakIteratorType type, std::string_view text) {
    UErrorCode error = U_ZERO_ERROR;
    text_.reset(utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error));
    iterator_.reset(ubrk_open(type, "", nullptr, 0, &error));
    ubrk_setUText(iterator_.get(), text_.get(), &error);
    INK_CHECK(U_SUCCESS(error), "ICU has no boundaries of a text");
  }

  // Calls visit(begin, end, rule status) for each piece.
  template <typename Visit>
  void for_each(Visit&& visit) {
    int32_t begin = ubrk_first(iterator_.get());
    for (int32_t end; (end = ubrk_next(iterator_.get())) != UBRK_DONE; begin = end) {
      visit(static_cast<size_t>(begin), static_cast<size_t>(end),
            ubrk_getRuleStatus(iterator_.get()));
    }
  }

 private:
  std::unique_ptr<UText, decltype(&utext_close)> text_{nullptr, &utext_close};
  std::unique_ptr<UBreakIterator, decltype(&ubrk_close)> iterator_{nullptr, &ubrk_close};
};

constexpr uint32_t kZeroWidthJoiner = 0x200D, kEmojiPresentation = 0xFE0F, kSoftHyphen = 0xAD;

bool is_emoji_part(uint32_t c) {
  return c == kZeroWidthJoiner || c == kEmojiPresentation ||
         u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EMOJI_MODIFIER) != 0 ||
         u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_REGIONAL_INDICATOR) != 0;
}

bool has_no_width(uint32_t c) {
  const int8_t category = u_charType(static_cast<UChar32>(c));
  if (category == U_NON_SPACING_MARK || category == U_ENCLOSING_MARK) return true;
  if (category == U_FORMAT_CHAR) return c != kSoftHyphen;
  // Vowels and final consonants of Hangul that are written in parts.
  return (c >= 0x1160 && c <= 0x11FF) || (c >= 0xD7B0 && c <= 0xD7FF);
}

int east_asian_width(uint32_t c) {
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_EAST_ASIAN_WIDTH);
}

int columns_of(uint32_t c) {
  if (has_no_width(c)) return 0;
  const int width = east_asian_width(c);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

Cluster::Kind kind_of(uint32_t c) {
  constexpr uint32_t kNotShown = U_GC_C_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK;
  if ((U_GET_GC_MASK(static_cast<UChar32>(c)) & kNotShown) != 0) return Cluster::Kind::kUnsure;
  return east_asian_width(c) == U_EA_AMBIGUOUS ? Cluster::Kind::kAmbiguous : Cluster::Kind::kPlain;
}

Cluster measure(std::string_view text, size_t begin, size_t end) {
  Cluster cluster{.begin = begin, .size = end - begin};
  const auto first = decode_utf8(text, begin);
  cluster.kind = first.size_bytes < static_cast<int>(cluster.size) ? Cluster::Kind::kUnsure
                                                                   : kind_of(first.code_point);
  bool picture = false;
  for (size_t at = begin; at < end;) {
    const Utf8Step step = decode_utf8(text, at);
    picture |= at > begin && is_emoji_part(step.code_point);
    cluster.columns += columns_of(step.code_point);
    at += static_cast<size_t>(step.size_bytes);
  }
  if (picture && u_hasBinaryProperty(static_cast<UChar32>(first.code_point), UCHAR_EMOJI) != 0)
    cluster.columns = 2;
  return cluster;
}

}  // namespace

std::vector<Cluster> clusters_of(std::string_view text) {
  std::vector<Cluster> clusters;
  Boundaries(UBRK_CHARACTER, text).for_each([&](size_t begin, size_t end, int32_t) {
    clusters.push_back(measure(text, begin, end));
  });
  return clusters;
}

size_t cluster_before(std::string_view text, size_t at) {
  size_t found = 0;
  Boundaries(UBRK_CHARACTER, text).for_each([&](size_t begin, size_t, int32_t) {
    if (begin < at) found = begin;
  });
  return found;
}

size_t cluster_behind(std::string_view text, size_t at) {
  size_t found = text.size();
  Boundaries(UBRK_CHARACTER, text).for_each([&](size_t, size_t end, int32_t) {
    if (end > at) found = std::min(found, end);
  });
  return found;
}

size_t word_before(std::string_view text, size_t at) {
  size_t found = 0;
  Boundaries(UBRK_WORD, text).for_each([&](size_t begin, size_t, int32_t status) {
    if (status >= UBRK_WORD_NONE_LIMIT && begin < at) found = begin;
  });
  return found;
}

size_t word_behind(std::string_view text, size_t at) {
  size_t found = text.size();
  Boundaries(UBRK_WORD, text).for_each([&](size_t, size_t end, int32_t status) {
    if (status >= UBRK_WORD_NONE_LIMIT && end > at) found = std::min(found, end);
  });
  return found;
}

}  // namespace inkstone::cli
