#include "base/utf8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <vector>

#include "base/hash.h"

namespace inkstone {
namespace {

using std::string_view_literals::operator""sv;

// Every byte at a boundary of the table of well-formed sequences, and one inside each range.
constexpr std::string_view kBoundaryBytes =
    "\x00\x41\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF"sv;

constexpr uint32_t kCodePoints = 0x110000;
bool is_surrogate(uint32_t c) { return c >= 0xD800 && c < 0xE000; }

// The definition, bit by bit: Unicode 15, table 3-6.
std::string encoded(uint32_t c) {
  std::vector<uint32_t> bytes;
  if (c < 0x80) {
    bytes = {c};
  } else if (c < 0x800) {
    bytes = {0b11000000 + c / 64, 0b10000000 + c % 64};
  } else if (c < 0x10000) {
    bytes = {0b11100000 + c / 4096, 0b10000000 + c / 64 % 64, 0b10000000 + c % 64};
  } else {
    bytes = {0b11110000 + c / 262144, 0b10000000 + c / 4096 % 64, 0b10000000 + c / 64 % 64,
             0b10000000 + c % 64};
  }
  return {bytes.begin(), bytes.end()};
}

TEST(Utf8, EveryCodePointBothWays) {
  for (uint32_t c = 0; c < kCodePoints; ++c) {
    const std::string bytes = encoded(c);
    const Utf8Step step = decode_utf8(bytes, 0);
    if (is_surrogate(c)) {
      ASSERT_FALSE(step.ok) << c;
      ASSERT_EQ(step.size_bytes, 1) << c;
      continue;
    }
    std::string appended = "x";
    append_utf8(appended, c);
    ASSERT_EQ(appended, "x" + bytes) << c;
    ASSERT_TRUE(step.ok) << c;
    ASSERT_EQ(step.code_point, c);
    ASSERT_EQ(step.size_bytes, static_cast<int>(bytes.size()));
  }
}

// As many strings of n bytes must be accepted whole as there are characters of n bytes: with the
// test above, exactly those. Every string of one to three bytes; four bytes below, by their lead
// byte.
TEST(Utf8, NothingElseIsACharacter) {
  int64_t accepted_of_size[4] = {};
  std::string text(3, '\0');
  for (uint32_t i = 0; i < 1u << 24; ++i) {
    for (int k = 0; k < 3; ++k) text[k] = static_cast<char>(i >> (16 - 8 * k));
    const Utf8Step step = decode_utf8(text, 0);
    if (step.ok) ++accepted_of_size[step.size_bytes - 1];
    ASSERT_TRUE(step.ok || step.size_bytes <= 3);
  }
  EXPECT_EQ(accepted_of_size[0], 128 << 16);
  EXPECT_EQ(accepted_of_size[1], (0x800 - 0x80) << 8);
  EXPECT_EQ(accepted_of_size[2], 0x10000 - 0x800 - 0x800);
  EXPECT_EQ(accepted_of_size[3], 0);
}

TEST(Utf8, NothingElseIsACharacterOfFourBytes) {
  int64_t accepted = 0;
  std::string text(4, '\0');
  for (int lead = 0xE0; lead < 0x100; ++lead) {
    for (int second = 0; second < 0x100; ++second) {
      for (int rest = 0; rest < 1 << 12; ++rest) {
        text[0] = static_cast<char>(lead);
        text[1] = static_cast<char>(second);
        text[2] = static_cast<char>(0x80 | (rest >> 6));
        text[3] = static_cast<char>(0x80 | (rest & 63));
        accepted += decode_utf8(text, 0).size_bytes == 4;
      }
    }
  }
  EXPECT_EQ(accepted, 0x110000 - 0x10000);
}

// All strings of `length` boundary bytes.
void for_each_string(int length, const std::function<void(std::string_view)>& f) {
  std::string text(length, kBoundaryBytes[0]);
  std::vector<size_t> digits(length, 0);
  while (true) {
    f(text);
    int at = length - 1;
    while (at >= 0 && digits[at] + 1 == kBoundaryBytes.size()) {
      digits[at] = 0;
      text[at--] = kBoundaryBytes[0];
    }
    if (at < 0) return;
    text[at] = kBoundaryBytes[++digits[at]];
  }
}

TEST(Utf8, ReplacesAsPythonDoes) {
  Hash64 digest;
  for (int length = 1; length <= 4; ++length) {
    for_each_string(length, [&](std::string_view text) {
      digest.add(replace_invalid_utf8(text));
      digest.add("\n");
    });
  }
  EXPECT_EQ(digest.value(), 0x356036173291b75eu);  // tools/make_base_fixtures.py
}

// Unicode 15, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, ReplacesAsUnicodeRecommends) {
  const auto replaced = [](std::string_view text) {
    std::string marks;
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      marks += step.ok ? static_cast<char>(step.code_point) : '?';
      at += step.size_bytes;
    }
    return marks;
  };
  EXPECT_EQ(replaced("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "????????A");  // overlong forms
  EXPECT_EQ(replaced("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "????????A");  // surrogates
  EXPECT_EQ(replaced("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "?????A??B");  // others
  EXPECT_EQ(replaced("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "????A");      // cut short
}

TEST(Utf8, ValidMeansUnchangedByReplacement) {
  for (int length = 1; length <= 4; ++length) {
    for_each_string(length, [](std::string_view text) {
      const std::string replaced = replace_invalid_utf8(text);
      ASSERT_EQ(is_valid_utf8(text), replaced == text);
      ASSERT_TRUE(is_valid_utf8(replaced));
    });
  }
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_EQ(replace_invalid_utf8("墨\xE5\xA2"), "墨\xEF\xBF\xBD");
}

// Beginnings of characters that are not whole characters.
std::set<std::string, std::less<>> proper_prefixes() {
  std::set<std::string, std::less<>> result;
  for (uint32_t c = 0x80; c < kCodePoints; ++c) {
    if (is_surrogate(c)) continue;
    if (c % 64 != 0) continue;  // 64 characters share all but the last byte
    const std::string bytes = encoded(c);
    for (size_t n = 1; n < bytes.size(); ++n) result.insert(bytes.substr(0, n));
  }
  return result;
}

TEST(Utf8, TheIncompleteTailIsWhatMoreBytesCouldComplete) {
  const auto prefixes = proper_prefixes();
  for (int length = 1; length <= 4; ++length) {
    for_each_string(length, [&](std::string_view text) {
      int expected = 0;
      for (size_t n = 1; n <= std::min<size_t>(3, text.size()); ++n) {
        if (prefixes.contains(text.substr(text.size() - n))) expected = static_cast<int>(n);
      }
      ASSERT_EQ(incomplete_utf8_tail(text), expected);
    });
  }
  EXPECT_EQ(incomplete_utf8_tail(""), 0);
}

TEST(Utf8, ABeginningEndsBetweenTwoCharacters) {
  const std::string_view text = "却说abc";
  const size_t expected[] = {0, 0, 0, 3, 3, 3, 6, 7, 8, 9, 9};
  for (size_t most = 0; most < std::size(expected); ++most)
    EXPECT_EQ(utf8_beginning(text, most), text.substr(0, expected[most])) << most;
}

// The state behind every beginning of a character says which bytes may follow: exactly those that
// make a longer beginning or a character.
TEST(Utf8, TheStateTellsWhatMayFollow) {
  const auto prefixes = proper_prefixes();
  std::set<Utf8State> seen;
  const auto check = [&](const std::string& prefix) {
    const Utf8State state = next_utf8_state(Utf8State::kBoundary, prefix);
    seen.insert(state);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string longer = prefix + static_cast<char>(byte);
      const Utf8State next = next_utf8_state(state, static_cast<uint8_t>(byte));
      const bool whole = is_valid_utf8(longer);
      ASSERT_EQ(next == Utf8State::kBoundary, whole);
      ASSERT_EQ(next == Utf8State::kInvalid, !whole && !prefixes.contains(longer));
    }
    ASSERT_EQ(next_utf8_state(Utf8State::kBoundary, "aé墨😀" + prefix), state);
  };
  check("");
  for (const std::string& prefix : prefixes) check(prefix);
  EXPECT_EQ(seen.size(), kUtf8States);
  EXPECT_EQ(next_utf8_state(Utf8State::kInvalid, "a"), Utf8State::kInvalid);
  EXPECT_EQ(next_utf8_state(Utf8State::kBoundary,
                            "\xFF"
                            "a"),
            Utf8State::kInvalid);
}

TEST(Utf8, CharactersAddUpWhereverATextIsCut) {
  const std::string text = "aé墨😀z";
  EXPECT_EQ(count_characters(text), 5);
  for (size_t at = 0; at <= text.size(); ++at) {
    EXPECT_EQ(count_characters(text.substr(0, at)) + count_characters(text.substr(at)), 5) << at;
  }
  EXPECT_EQ(count_characters("\x80\xFF"), 1);
}

// Bytes come one by one; what is not held back must never end in half a character.
TEST(Utf8, HoldingTheTailBackNeverPrintsHalfACharacter) {
  const std::string text = "aé墨😀\xE5\xA2z\xF0\x9F";
  std::string held, printed;
  for (const char c : text) {
    held += c;
    const size_t whole = held.size() - incomplete_utf8_tail(held);
    printed += replace_invalid_utf8(std::string_view(held).substr(0, whole));
    held.erase(0, whole);
  }
  EXPECT_EQ(printed + replace_invalid_utf8(held), replace_invalid_utf8(text));
  EXPECT_EQ(held, "\xF0\x9F");
}

TEST(Utf8, MessagesShowTheBeginningOfATextWithoutControls) {
  EXPECT_EQ(shown_text(""), "");
  EXPECT_EQ(shown_text("plain, \u00A0\u4E2D"), "plain, \u00A0\u4E2D");
  EXPECT_EQ(shown_text("a\n\x1b[2J\x7F\u0085\u009F\0"sv),
            "a\uFFFD\uFFFD[2J\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(shown_text("\xFFz\xE4\xB8"), "\uFFFDz\uFFFD");
  EXPECT_EQ(shown_text(std::string(1000, 'x')), std::string(80, 'x'));
  EXPECT_EQ(shown_text(std::string(79, 'x') + "\u4E2D"), std::string(79, 'x'));
}

}  // namespace
}  // namespace inkstone
