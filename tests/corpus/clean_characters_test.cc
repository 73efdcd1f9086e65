// Cleaning of characters and lines; the length, script and language filters; cleaning twice is
// cleaning once.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "corpus/clean/cleaner.h"
#include "support.h"

namespace inkstone {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct Cleaned {
  std::string text;
  CleanResult result;
};

Cleaned clean(std::string text, const CleanOptions& options = {}) {
  Cleaner::Scratch scratch;
  const CleanResult result = Cleaner(options).clean(text, scratch);
  return {std::move(text), result};
}

DropReason reason_for(const std::string& text, const CleanOptions& options) {
  return clean(text, options).result.reason;
}

TEST(CleanCharacters, CleanTextStays) {
  for (const std::string text :
       {"plain\tASCII, longer than one block of thirty-two bytes\n", "春眠不觉晓，处处闻啼鸟。",
        "é \u00A0 \u200B \u2027 \u202A \uFFFD 😀 \U0010FFFF \uFEFE"}) {
    EXPECT_EQ(find_unclean_character(text), text.size()) << text;
    EXPECT_EQ(clean(text).text, text);
  }
}

TEST(CleanCharacters, LineEndsBecomeNewlines) {
  const Cleaned all = clean("a\r\nb\rc\vd\fe\u0085f\u2028g\u2029h\n\ri\r");
  EXPECT_EQ(all.text, "a\nb\nc\nd\ne\nf\ng\nh\n\ni\n");
  EXPECT_EQ(all.result.characters.line_ends, 9);
  EXPECT_EQ(all.result.characters.control_characters, 0);
  const std::string kept = "a\r\nb\rc\vd\fe\u0085f\u2028g";
  EXPECT_EQ(clean(kept, {.line_ends = false}).text, kept);
}

TEST(CleanCharacters, ControlCharactersGo) {
  const Cleaned all = clean(
      "\uFEFFa\0b\x1B[0m\x7F"
      "c\u0080\u009F\td\uFEFF"s);
  EXPECT_EQ(all.text, "ab[0mc\td");
  EXPECT_EQ(all.result.characters.control_characters, 7);
  const std::string kept = "a\0b\x7F\u0080\uFEFF"s;
  EXPECT_EQ(clean(kept, {.control_characters = false}).text, kept);
}

// The fast scan and the slow rewriting must agree on every character, wherever it stands in a
// block.
TEST(CleanCharacters, EveryCodePointAtEveryPlace) {
  for (uint32_t c = 0; c < 0x110000; c = c == 0x2FFF ? 0xD700 : c + 1) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (c > 0x10000 && c % 0x1000 > 2 && c % 0x1000 < 0xFFE) continue;
    std::string text(c % 67, 'x');
    append_utf8(text, c);
    text.append(40, 'y');
    const bool newline = (c >= 0x0B && c <= 0x0D) || c == 0x85 || c == 0x2028 || c == 0x2029;
    const bool control = (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c <= 0x9F) ||
                         c == 0xFEFF;
    const bool removed = control && !newline;
    const std::string middle = removed   ? ""
                               : newline ? "\n"
                                         : text.substr(c % 67, text.size() - 40 - c % 67);
    ASSERT_EQ(clean(text).text, std::string(c % 67, 'x') + middle + std::string(40, 'y'))
        << "U+" << std::hex << c;
  }
}

TEST(CleanCharacters, InvalidSequencesAreReplacedKeptOrDropTheDocument) {
  // A stray continuation byte, a cut sequence, overlong forms, a surrogate, beyond U+10FFFF, a cut
  // one at the end.
  const std::string bad =
      "a\x80"
      "b\xE4\xB8"
      "c\xC0\xAF"
      "d\xE0\x80\x80"
      "e\xED\xA0\x80"
      "f\xF4\x90\x80\x80g\xF0\x9F";
  const Cleaned replaced = clean(bad);
  EXPECT_EQ(replaced.text, replace_invalid_utf8(bad));
  EXPECT_EQ(replaced.result.characters.invalid_sequences, 1 + 1 + 2 + 3 + 3 + 4 + 1);
  const Cleaned kept = clean(bad, {.invalid = InvalidText::kKeep});
  EXPECT_EQ(kept.text, bad);
  EXPECT_EQ(kept.result.characters.invalid_sequences, replaced.result.characters.invalid_sequences);
  EXPECT_TRUE(kept.result.kept());
  EXPECT_EQ(reason_for(bad, {.invalid = InvalidText::kDrop}), DropReason::kInvalidUtf8);
  EXPECT_EQ(reason_for("good", {.invalid = InvalidText::kDrop}), DropReason::kNone);
}

TEST(CleanCharacters, RandomBytesAgreeWithTheSlowDecoder) {
  const Random random(1, RandomStream::kDataOrder);
  for (uint64_t n = 0; n < 20000; ++n) {
    std::string text;
    for (uint64_t i = 0; i < 8; ++i)
      text.push_back(static_cast<char>(0x80 | random.below(0x80, n * 8 + i)));
    std::string expected;
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      const uint32_t c = step.code_point;
      if (!step.ok)
        expected += kReplacementCharacter;
      else if (c == 0x85 || c == 0x2028 || c == 0x2029)
        expected += '\n';
      else if (c > 0x9F && c != 0xFEFF)
        append_utf8(expected, c);
      at += static_cast<size_t>(step.size_bytes);
    }
    ASSERT_EQ(clean(text).text, expected);
  }
}

TEST(Normalize, NfkcCjkKeepsEastAsianPunctuation) {
  const std::string text = "“你好，世界！”：？；（ＡＢ１２）……‥ ～　﹏︵﹁，ｶﾞ①㎡ﬁ";
  EXPECT_EQ(clean(text, {.normalization = Normalization::kNfkcCjk}).text,
            "“你好，世界！”：？；（AB12）……‥ ～　﹏︵﹁，ガ1m2fi");
  EXPECT_EQ(clean("你好，世界！：？", {.normalization = Normalization::kNfkc}).text,
            "你好,世界!:?");
  EXPECT_EQ(clean("e\u0301，e\u0301", {.normalization = Normalization::kNfkcCjk}).text, "é，é");
}

TEST(ConvertChinese, WordsAndCharacters) {
  const CleanOptions simplified{.conversion = ChineseConversion::kSimplified},
      traditional{.conversion = ChineseConversion::kTraditional};
  EXPECT_EQ(clean("牀前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。 abc\n", simplified).text,
            "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。 abc\n");
  EXPECT_EQ(clean("举头望明月，皇后的头发，以后干燥的电脑。\n", traditional).text,
            "舉頭望明月，皇后的頭髮，以後乾燥的電腦。\n");
  EXPECT_EQ(clean("ASCII\n\u00E9 あ한\n", simplified).text, "ASCII\n\u00E9 あ한\n");
  const CleanOptions kept{.invalid = InvalidText::kKeep,
                          .conversion = ChineseConversion::kSimplified};
  EXPECT_EQ(clean("舉\xFF\n頭\n", kept).text, "舉\xFF\n头\n");
}

// A long document is cleaned in pieces.
TEST(ConvertChinese, IsOneTextHoweverItIsCut) {
  INK_SHARED_DATA_OR_SKIP(poems, "text/tang_poems.txt");
  const std::string text = read_file(poems).substr(0, 600'000);
  for (const auto conversion : {ChineseConversion::kSimplified, ChineseConversion::kTraditional}) {
    const Cleaner cleaner(CleanOptions{.invalid = InvalidText::kKeep, .conversion = conversion});
    Cleaner::Scratch scratch;
    std::string whole = text, pieces;
    cleaner.clean_piece(whole, scratch);
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', std::min(at + 5000, text.size())), text.size());
      std::string piece = text.substr(at, end - at);
      cleaner.clean_piece(piece, scratch);
      pieces += piece;
      at = end;
    }
    EXPECT_EQ(pieces == whole, true);
  }
}

TEST(Languages, ChineseHasTwoWaysOfWriting) {
  const std::string simplified =
                        "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚汉"
                        "分争，又并入于汉。",
                    traditional =
                        "話說天下大勢，分久必合，合久必分。周末七國分爭，並入於秦。及秦滅之後，楚漢"
                        "分爭，又並入於漢。";
  const auto kept = [](const std::string& text, const std::string& language) {
    return reason_for(text, {.languages = {language}}) == DropReason::kNone;
  };
  EXPECT_TRUE(kept(simplified, "zh") && kept(simplified, "zh-Hans") &&
              !kept(simplified, "zh-Hant"));
  EXPECT_TRUE(kept(traditional, "zh") && kept(traditional, "zh-Hant") &&
              !kept(traditional, "zh-Hans"));
}

TEST(Normalize, ComposesAndKeepsInvalidBytes) {
  const CleanOptions nfc{.invalid = InvalidText::kKeep, .normalization = Normalization::kNfc};
  const CleanOptions nfkc{.normalization = Normalization::kNfkc};
  EXPECT_EQ(clean("e\u0301 \uAC00 \u1112\u1161\u11AB Å \u212B", nfc).text,
            "\u00E9 \uAC00 \uD55C Å \u00C5");
  EXPECT_EQ(clean("\uFB01 Ａ① x²", nfc).text, "\uFB01 Ａ① x²");
  EXPECT_EQ(clean("\uFB01 Ａ① x²", nfkc).text, "fi A1 x2");
  EXPECT_EQ(clean("e\u0301 \xFF e\u0301\xE4\xB8", nfc).text, "\u00E9 \xFF \u00E9\xE4\xB8");
  EXPECT_EQ(clean("e\u0301").text, "e\u0301");  // off by default
}

TEST(CleanLines, BoilerplateGoes) {
  const CleanOptions options{.strip_boilerplate = true};
  for (const std::string line :
       {"Please enable JavaScript.", "We make use of cookies.", "Home | About us | Contact",
        "首页 » 新闻 » 体育", "© 2020 All rights reserved.", "京ICP备12345678号",
        "版权所有 某公司"}) {
    const Cleaned cleaned = clean("Before.\n" + line + "\nAfter.", options);
    EXPECT_EQ(cleaned.text, "Before.\nAfter.") << line;
    EXPECT_EQ(cleaned.result.lines_removed, 1);
    EXPECT_EQ(clean("Before.\n" + line).text, "Before.\n" + line);  // off by default
  }
  for (const std::string line : {"Home | About", "Cookies are baked.", "A | B | C and so on and on",
                                 "a | b | c.", "Java and scripts"}) {
    EXPECT_EQ(clean(line, options).text, line);
  }
}

TEST(CleanLines, RepeatedLinesGoButBlankOnes) {
  const CleanOptions options{.repeated_lines = true};
  const Cleaned cleaned = clean("one\n\ntwo\n one \n\n\nthree\ntwo", options);
  EXPECT_EQ(cleaned.text, "one\n\ntwo\n\n\nthree\n");
  EXPECT_EQ(cleaned.result.lines_removed, 2);
}

TEST(Clean, LengthIsInCharacters) {
  const CleanOptions options{.min_characters = 3, .max_characters = 4};
  EXPECT_EQ(reason_for("春眠", options), DropReason::kTooShort);
  EXPECT_EQ(reason_for("春眠不", options), DropReason::kNone);
  EXPECT_EQ(reason_for("春眠不觉", options), DropReason::kNone);
  EXPECT_EQ(reason_for("春眠不觉晓", options), DropReason::kTooLong);
}

TEST(Clean, BlankAfterCleaningIsDropped) {
  EXPECT_EQ(reason_for("\0\uFEFF \n"s, {}), DropReason::kBlank);
  EXPECT_EQ(reason_for("Home | About | Contact", {.strip_boilerplate = true}), DropReason::kBlank);
}

TEST(Clean, ScriptsByTheirShareOfLetters) {
  const CleanOptions han{.keep_scripts = {"Han"}};
  EXPECT_EQ(reason_for("春眠 ab 12345 ，。", han), DropReason::kNone);  // half
  EXPECT_EQ(reason_for("春眠 abc", han), DropReason::kScript);
  EXPECT_EQ(reason_for("12345", han), DropReason::kScript);
  EXPECT_EQ(reason_for("Привет", {.keep_scripts = {"latn", "Cyrillic"}}), DropReason::kNone);
  EXPECT_EQ(reason_for("春眠 abc", {.keep_scripts = {"Han"}, .script_fraction = 0.4}),
            DropReason::kNone);
}

TEST(Clean, LanguagesByTheirShareOfText) {
  const std::string english =
      "It was the best of times, it was the worst of times, it was the age of wisdom.";
  const std::string german =
      "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Pflicht.";
  const std::string simplified = "学习是一件很重要的事情，我们应该每天都认真地读书和写字。";
  const std::string traditional = "學習是一件很重要的事情，我們應該每天都認真地讀書和寫字。";
  const CleanOptions options{.languages = {"en", "zh"}};
  EXPECT_EQ(reason_for(english, options), DropReason::kNone);
  EXPECT_EQ(reason_for(simplified, options), DropReason::kNone);
  EXPECT_EQ(reason_for(traditional, options), DropReason::kNone);
  EXPECT_EQ(reason_for(german, options), DropReason::kLanguage);
  EXPECT_EQ(reason_for(german, {.languages = {"de"}}), DropReason::kNone);
  EXPECT_EQ(
      reason_for("\x01\x02 \uFFFF " + english, {.control_characters = false, .languages = {"en"}}),
      DropReason::kNone);
  EXPECT_EQ(reason_for("1234", options), DropReason::kLanguage);
}

TEST(Clean, RefusesWhatMakesNoSense) {
  const auto error = [](const CleanOptions& options) {
    return test::thrown_by([&] { Cleaner{options}; });
  };
  EXPECT_TRUE(test::mentions(error({.keep_scripts = {"Klingonese"}}), "Klingonese"));
  EXPECT_TRUE(test::mentions(error({.languages = {"xxx"}}), "xxx"));
  EXPECT_TRUE(test::mentions(error({.min_characters = 5, .max_characters = 4}), "at least 5"));
  EXPECT_TRUE(test::mentions(error({.min_characters = -1}), "-1"));
  EXPECT_TRUE(test::mentions(error({.keep_scripts = {"Han"}, .script_fraction = 1.5}), "1.5"));
  EXPECT_EQ(error({.languages = {"xxx"}}).code(), ErrorCode::kUsage);
}

TEST(Clean, EveryReasonHasAName) {
  for (int i = 0; i < static_cast<int>(DropReason::kCount_); ++i) {
    EXPECT_FALSE(name(static_cast<DropReason>(i)).empty());
  }
}

// Text of everything that a step looks at.
std::string random_text(uint64_t n, bool with_invalid) {
  const Random random(2, RandomStream::kDataOrder, n);
  const std::string_view kParts[] = {"a",          "b ",
                                     " ",          "\n",
                                     "\r",         "\r\n",
                                     "\u0085",     "\u2028",
                                     "\0"sv,       "\x1B",
                                     "\uFEFF",     "e\u0301",
                                     "\u0301",     "\u1112\u1161",
                                     "\u11AB",     "春",
                                     "，",         "ﬁ",
                                     "Å",          "|",
                                     " | ",        "javascript",
                                     "java",       "script",
                                     "one line\n", "two lines\n",
                                     ".",          "\t",
                                     "ｊava",      "\x80",
                                     "\xE4",       "\xB8\xAD",
                                     "\xEF",       "\xBB",
                                     "\xBF",       "\xED\xA0\x80",
                                     "\xF0\x9F"};
  const uint64_t parts = std::size(kParts) - (with_invalid ? 0 : 8);
  std::string text;
  for (uint64_t i = 0; i < 40; ++i) {
    if (random.below(5, 2 * i) != 0)
      text += kParts[random.below(parts, 2 * i + 1)];
    else
      append_utf8(text, static_cast<uint32_t>(random.below(0xD800, 2 * i + 1)));
  }
  return text;
}

std::vector<CleanOptions> all_kinds_of_options() {
  std::vector<CleanOptions> all;
  for (int bits = 0; bits < 48; ++bits) {
    all.push_back({.line_ends = (bits & 1) != 0,
                   .control_characters = (bits & 2) != 0,
                   .normalization = static_cast<Normalization>(bits / 16),
                   .strip_boilerplate = (bits & 4) != 0,
                   .repeated_lines = (bits & 8) != 0});
  }
  return all;
}

TEST(Clean, TwiceIsOnce) {
  for (const CleanOptions& options : all_kinds_of_options()) {
    const Cleaner cleaner(options);
    Cleaner::Scratch scratch;
    for (uint64_t n = 0; n < 500; ++n) {
      std::string once = random_text(n, true);
      const CleanResult first = cleaner.clean(once, scratch);
      ASSERT_TRUE(is_valid_utf8(once));
      std::string twice = once;
      const CleanResult second = cleaner.clean(twice, scratch);
      ASSERT_EQ(once, twice) << n;
      ASSERT_EQ(first.reason, second.reason);
      ASSERT_EQ(second.lines_removed, 0);
      ASSERT_EQ(second.characters.invalid_sequences, 0);
    }
  }
}

TEST(Clean, PiecesGiveWhatTheWholeGives) {
  for (const CleanOptions& options : all_kinds_of_options()) {
    if (options.strip_boilerplate || options.repeated_lines) continue;
    const Cleaner cleaner(options);
    EXPECT_FALSE(cleaner.needs_whole_documents());
    Cleaner::Scratch scratch;
    for (uint64_t n = 0; n < 500; ++n) {
      const std::string text = random_text(n, true);
      const auto is_space = [&](size_t i) {
        return text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r');
      };
      std::string whole = text, joined;
      cleaner.clean_piece(whole, scratch);
      for (size_t begin = 0, i = 1; i <= text.size(); ++i) {
        if (i < text.size() && !(is_space(i) && !is_space(i - 1))) continue;
        std::string piece = text.substr(begin, i - begin);
        cleaner.clean_piece(piece, scratch);
        joined += piece;
        begin = i;
      }
      ASSERT_EQ(joined, whole) << n;
    }
  }
}

TEST(Clean, KeepingInvalidBytesNeverFails) {
  const Cleaner cleaner({.invalid = InvalidText::kKeep,
                         .normalization = Normalization::kNfkc,
                         .strip_boilerplate = true,
                         .repeated_lines = true,
                         .keep_scripts = {"Latin"},
                         .script_fraction = 0,
                         .languages = {"en"},
                         .language_fraction = 0,
                         .quality = QualityRules::kFineWeb});
  Cleaner::Scratch scratch;
  for (uint64_t n = 0; n < 2000; ++n) {
    std::string text = random_text(n, true);
    cleaner.clean(text, scratch);
  }
}

}  // namespace
}  // namespace inkstone
