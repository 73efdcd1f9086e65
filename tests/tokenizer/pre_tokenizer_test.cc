#include "tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "base/utf8.h"
#include "pieces.h"
#include "samples.h"
#include "tokenizer/byte_alphabet.h"

namespace inkstone {
namespace {

using test::Pieces;

Pieces cut(std::string_view text) { return test::cut(Gpt2PreTokenizer(), text); }

// The regular expression itself, matched by ICU. \s is spelt out, for ICU's own is another set.
Pieces cut_by_regex(const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto pattern = icu::UnicodeString::fromUTF8(
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|"
      "\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+");
  const auto input = icu::UnicodeString::fromUTF8(text);
  icu::RegexMatcher matcher(pattern, input, 0, status);
  Pieces pieces;
  while (matcher.find(status) && U_SUCCESS(status)) {
    std::string piece;
    matcher.group(status).toUTF8String(piece);
    pieces.push_back(piece);
  }
  EXPECT_TRUE(U_SUCCESS(status)) << u_errorName(status);
  return pieces;
}

TEST(UnicodeClasses, AreTheUnicodeProperties) {
  const UnicodeClasses& classes = UnicodeClasses::instance();
  int white_space = 0;
  for (UChar32 c = 0; c <= 0x10FFFF; ++c) {
    CharClass expected = CharClass::kOther;
    if ((U_GET_GC_MASK(c) & U_GC_L_MASK) != 0) expected = CharClass::kLetter;
    if ((U_GET_GC_MASK(c) & U_GC_N_MASK) != 0) expected = CharClass::kNumber;
    if (u_hasBinaryProperty(c, UCHAR_WHITE_SPACE)) expected = CharClass::kWhiteSpace;
    white_space += expected == CharClass::kWhiteSpace ? 1 : 0;
    ASSERT_EQ(classes[static_cast<uint32_t>(c)], expected) << "U+" << std::hex << c;
  }
  EXPECT_EQ(white_space, 25);
}

TEST(ByteAlphabet, MapsEveryByteToItsOwnCharacterAndBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(all)), all);
  EXPECT_EQ(to_byte_alphabet(" the\n"), "ĠtheĊ");
  EXPECT_EQ(byte_to_code_point(0xAD), 0x143u);
  EXPECT_EQ(byte_to_code_point(0x7F), 0x121u);
  EXPECT_EQ(from_byte_alphabet("a b"), std::nullopt);
  EXPECT_EQ(from_byte_alphabet("中"), std::nullopt);
  EXPECT_EQ(from_byte_alphabet("\u0144"), std::nullopt);
  EXPECT_EQ(from_byte_alphabet("a\xFF"), std::nullopt);
  const auto& order = bytes_in_alphabet_order();
  EXPECT_EQ(order[0], '!');
  EXPECT_EQ(order[187], 0xFF);
  EXPECT_EQ(order[188], 0x00);
  EXPECT_EQ(order[198], '\n');
  EXPECT_EQ(order[220], ' ');
  EXPECT_EQ(order[255], 0xAD);
}

TEST(PreTokenizer, CutsAsTheRulesSay) {
  EXPECT_EQ(cut("Hello world's end"), (Pieces{"Hello", " world", "'s", " end"}));
  EXPECT_EQ(cut("'sword"), (Pieces{"'s", "word"}));
  EXPECT_EQ(cut("DON'T"), (Pieces{"DON", "'", "T"}));
  EXPECT_EQ(cut("a 's"), (Pieces{"a", " '", "s"}));
  EXPECT_EQ(cut("'"), (Pieces{"'"}));
  EXPECT_EQ(cut("'r"), (Pieces{"'", "r"}));
  EXPECT_EQ(cut("'ll'"), (Pieces{"'ll", "'"}));
  EXPECT_EQ(cut("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(cut("a \n b"), (Pieces{"a", " \n", " b"}));
  EXPECT_EQ(cut("a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
  EXPECT_EQ(cut("a \t"), (Pieces{"a", " \t"}));
  EXPECT_EQ(cut(" "), (Pieces{" "}));
  EXPECT_EQ(cut("1a2"), (Pieces{"1", "a", "2"}));
  EXPECT_EQ(cut(" 1 ."), (Pieces{" 1", " ."}));
  EXPECT_EQ(cut("e\u0301"), (Pieces{"e", "\u0301"}));
  EXPECT_EQ(cut("中文，字"), (Pieces{"中文", "，", "字"}));
  EXPECT_EQ(cut("a\u3000b"), (Pieces{"a", "\u3000", "b"}));
}

TEST(PreTokenizer, AgreesWithTheRegularExpression) {
  std::mt19937 random(20241);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = test::random_text(random, 1 + random() % 24);
    ASSERT_EQ(cut(text), cut_by_regex(text)) << text;
  }
  const std::string text = test::fixture_text("text.txt");
  EXPECT_EQ(cut(text), cut_by_regex(text));
}

TEST(PreTokenizer, InvalidBytesAreARunOfTheirOwn) {
  EXPECT_EQ(cut("a\xFF\x80z"), (Pieces{"a", "\xFF\x80", "z"}));
  EXPECT_EQ(cut("a \xFF z"), (Pieces{"a", " ", "\xFF", " z"}));
  EXPECT_EQ(cut("\xE4\xB8"), (Pieces{"\xE4\xB8"}));
  EXPECT_EQ(cut("\xE4\xB8\xAD\xE4\xB8"), (Pieces{"中", "\xE4\xB8"}));
  EXPECT_EQ(cut("a \n \xFF"), (Pieces{"a", " \n ", "\xFF"}));
  EXPECT_EQ(cut("'\xFFs"), (Pieces{"'", "\xFF", "s"}));
}

// The stretches between runs of invalid bytes are cut as texts of their own.
TEST(PreTokenizer, InvalidBytesCutTheText) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = test::random_text(random, random() % 6) +
                             test::random_bytes(random, random() % 12);
    Pieces expected;
    std::string valid, invalid;
    const auto flush = [&] {
      for (const std::string& piece : cut_by_regex(valid)) expected.push_back(piece);
      if (!invalid.empty()) expected.push_back(invalid);
      valid.clear(), invalid.clear();
    };
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      if (step.ok && !invalid.empty()) flush();
      (step.ok ? valid : invalid) += text.substr(at, static_cast<size_t>(step.size_bytes));
      at += static_cast<size_t>(step.size_bytes);
    }
    flush();
    ASSERT_EQ(cut(text), expected);
  }
}

}  // namespace
}  // namespace inkstone
