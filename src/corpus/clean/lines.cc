#include "corpus/clean/lines.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

constexpr std::string_view kC4Phrases[] = {"javascript",    "terms of use", "privacy policy",
                                           "cookie policy", "uses cookies", "use of cookies",
                                           "use cookies"};
constexpr std::string_view kOtherPhrases[] = {
    "lorem ipsum",     "terms of service", "all rights reserved",
    "skip to content", "版权所有",         "icp备",
    "icp证",           "隐私政策",         "使用条款"};
constexpr std::string_view kMenuSeparators[] = {"|", "»", "›", "·"};
constexpr int64_t kMenuSeparators_min = 2;
constexpr size_t kMenuItemWords_max = 3;
constexpr size_t kC4LineWords_min = 5;

template <typename Phrases>
bool has_any(std::string_view lower_line, const Phrases& phrases) {
  return std::any_of(std::begin(phrases), std::end(phrases), [&](std::string_view phrase) {
    return lower_line.find(phrase) != std::string_view::npos;
  });
}

void lower_ascii(std::string_view line, std::string& lower) {
  lower.assign(line);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
}

// Where the next menu separator begins and ends; both npos when there is none.
struct Range {
  size_t begin, end;
};
Range find_separator(std::string_view line) {
  Range first{std::string_view::npos, std::string_view::npos};
  for (const std::string_view separator : kMenuSeparators) {
    const size_t at = line.find(separator);
    if (at < first.begin) first = {at, at + separator.size()};
  }
  return first;
}

bool is_menu(std::string_view line, std::vector<Word>& words) {
  if (find_separator(line).begin == std::string_view::npos || ends_sentence(line)) return false;
  int64_t separators = 0;
  for (bool last = false; !last;) {
    const Range separator = find_separator(line);
    last = separator.begin == std::string_view::npos;
    split_words(line.substr(0, separator.begin), words);
    if (words.size() > kMenuItemWords_max) return false;
    if (last) break;
    ++separators;
    line.remove_prefix(separator.end);
  }
  return separators >= kMenuSeparators_min;
}

// A line that is not blank, trimmed.
bool is_dropped(std::string_view line, const LineRules& rules, LineScratch& scratch) {
  if (rules.boilerplate || rules.c4) {
    lower_ascii(line, scratch.line);
    if (has_any(scratch.line, kC4Phrases)) return true;
  }
  if (rules.boilerplate && (has_any(scratch.line, kOtherPhrases) || is_menu(line, scratch.words)))
    return true;
  if (rules.c4_terminal_punctuation && (!ends_sentence(line) || ends_with_ellipsis(line)))
    return true;
  if (rules.c4) {
    split_words(line, scratch.words);
    if (scratch.words.size() < kC4LineWords_min) return true;
  }
  return rules.repeated && scratch.seen.add(hash64(line)) != 0;
}

// The last character of `line` and its size; {0, 0} if there is none.
struct LastCharacter {
  uint32_t code_point;
  size_t size_bytes;
};
LastCharacter last_character(std::string_view line) {
  for (size_t size_bytes = 1; size_bytes <= std::min<size_t>(4, line.size()); ++size_bytes) {
    const Utf8Step step = decode_utf8(line, line.size() - size_bytes);
    if (step.ok && static_cast<size_t>(step.size_bytes) == size_bytes)
      return {step.code_point, size_bytes};
  }
  return {0, 0};
}

bool is_closing_quote(uint32_t c) {
  constexpr std::array<uint32_t, 8> kQuotes = {'"',    0x300D, 0x300F, 0x301E,
                                               0xFF02, 0xFF63, 0x201D, 0x2019};
  return std::find(kQuotes.begin(), kQuotes.end(), c) != kQuotes.end() ||
         u_charType(static_cast<UChar32>(c)) == U_FINAL_PUNCTUATION;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

bool ends_sentence(std::string_view line) {
  const LastCharacter last = last_character(line);
  const auto c = static_cast<UChar32>(last.code_point);
  return is_closing_quote(last.code_point) || u_hasBinaryProperty(c, UCHAR_S_TERM);
}

bool ends_with_ellipsis(std::string_view line) {
  return line.ends_with("...") || line.ends_with("…");
}

int64_t drop_lines(std::string& text, const LineRules& rules, LineScratch& scratch) {
  if (!rules.any()) return 0;
  if (rules.repeated)
    scratch.seen.reset(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  int64_t dropped = 0;
  size_t kept_end = 0;
  for_each_line(std::string_view(text), [&](std::string_view line) {
    const std::string_view content = trimmed(line);
    if (!content.empty() && is_dropped(content, rules, scratch)) {
      ++dropped;
      return;
    }
    const size_t begin = static_cast<size_t>(line.data() - text.data());
    const size_t end = std::min(text.size(), begin + line.size() + 1);
    std::copy(text.begin() + static_cast<std::ptrdiff_t>(begin),
              text.begin() + static_cast<std::ptrdiff_t>(end),
              text.begin() + static_cast<std::ptrdiff_t>(kept_end));
    kept_end += end - begin;
  });
  text.resize(kept_end);
  return dropped;
}

}  // namespace inkstone
