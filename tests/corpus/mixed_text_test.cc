// Texts of two encodings.
#include "base/json.h"
#include "corpus/read/mixed_text.h"

#include "base/file.h"
#include "corpus/read/charset.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::content_of;
using test::encoded;
using Texts = std::vector<std::string>;

const std::string kKingdoms =
    "话说天下大势，分久必合，合久必分。\n周末七国分争，并入于秦。\n及秦灭之后，楚汉分争，又并入于汉"
    "。\n";
const std::string kMoon = "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡\n";
const std::string kCat = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n";
const std::string kFamilies =
    "Все счастливые семьи похожи друг на друга.\nКаждая несчастлива по-своему.\n";

TEST(MixedText, EachPartIsReadInItsOwn) {
  const std::tuple<std::string, const char*> kSamples[] = {
      {kKingdoms, "GB18030"}, {kCat, "Shift_JIS"}, {kFamilies, "windows-1251"}};
  for (const auto& [text, encoding] : kSamples) {
    const std::string other = encoded(text + text, encoding);
    for (const bool utf8_first : {false, true}) {
      const std::string utf8 = "Chapter\n" + text;
      const std::string bytes = utf8_first ? utf8 + other : other + utf8;
      const auto content = content_of("a", bytes);
      EXPECT_EQ(content.documents, Texts{utf8_first ? utf8 + text + text : text + text + utf8})
          << encoding << utf8_first;
      ASSERT_EQ(content.facts.size(), 1u);
      ASSERT_EQ(content.facts[0].notes.size(), 1u) << encoding << utf8_first;
      EXPECT_TRUE(content.facts[0].notes[0].english().starts_with("in two encodings: "));
    }
  }
}

TEST(MixedText, TheNoteSaysWhere) {
  const auto content = content_of("a", "\n" + encoded(kKingdoms, "GB18030") + kKingdoms);
  ASSERT_EQ(content.facts.size(), 1u);
  EXPECT_EQ(in_english(content.facts[0].notes),
            Texts{"in two encodings: GB18030, from line 5 on UTF-8"});
  EXPECT_EQ(content.facts[0].encoding, "GB18030");
}

TEST(MixedText, ShortLinesGoWithWhatFollows) {
  const std::string gbk = encoded(kKingdoms, "GB18030");
  EXPECT_EQ(content_of("a", gbk + "第二回\n\n" + kKingdoms + gbk).documents,
            Texts{kKingdoms + "第二回\n\n" + kKingdoms + kKingdoms});
}

TEST(MixedText, ShortLinesThatAreNothingElseAreUtf8) {
  const std::string gbk = encoded(kKingdoms, "GB18030");
  EXPECT_EQ(content_of("a", "第一章\n" + gbk).documents, Texts{"第一章\n" + kKingdoms});
  EXPECT_EQ(content_of("a", kKingdoms + gbk + "第二章").documents,
            Texts{kKingdoms + kKingdoms + "第二章"});
}

TEST(MixedText, AMarkSaysHowATextBegins) {
  const std::string gbk = encoded(kKingdoms, "GB18030");
  EXPECT_EQ(content_of("a", "\xEF\xBB\xBF" + kKingdoms + gbk).documents,
            Texts{kKingdoms + kKingdoms});
  EXPECT_EQ(content_of("a", gbk + "\xEF\xBB\xBF" + kKingdoms).documents,
            Texts{kKingdoms + "\xEF\xBB\xBF" + kKingdoms});
}

TEST(MixedText, ALineMayHaveTwo) {
  const std::string gbk = encoded("周末七国分争，并入于秦。", "GB18030");
  EXPECT_EQ(content_of("a", encoded(kKingdoms, "GB18030") + gbk + kKingdoms).documents,
            Texts{kKingdoms + "周末七国分争，并入于秦。" + kKingdoms});
  // Though it is all there is: as a whole it was Thai.
  const std::string first =
      "却说宝玉听了这话，不觉将昨晚的事都忘在九霄云外去了，便笑道：“你这话说得也奇！”";
  const std::string second = "黛玉道：“我不过是随口一说，你倒当真了。”说着，便往潇湘馆去了。";
  EXPECT_EQ(content_of("a", encoded(first, "GB18030") + second).documents, Texts{first + second});
}

TEST(MixedText, OneEncodingStaysOne) {
  // Lines that are valid UTF-8 by chance; damage; and text that is all in one.
  const std::string chance = encoded("联通\n", "GB18030") + encoded(kKingdoms + kMoon, "GB18030");
  EXPECT_EQ(content_of("a", chance).documents, Texts{"联通\n" + kKingdoms + kMoon});
  EXPECT_EQ(in_english(content_of("a", chance).facts.at(0).notes), Texts{});
  std::string damaged;
  for (int i = 0; i < 20; ++i) damaged += kKingdoms;
  damaged += "\xFF\xFE\xFD\xFC\xFF\xFE\xFD\xFC\xFF\xFE\xFD\xFC\xFF\xFE\xFD\xFC\xFF\xFE\n" +
             kKingdoms;
  EXPECT_EQ(content_of("a", damaged).documents, Texts{damaged});
  EXPECT_EQ(in_english(content_of("a", damaged).facts.at(0).notes), Texts{});
}

TEST(MixedText, IsTheSameWhateverTheSizeOfTheReads) {
  std::string bytes;
  for (int i = 0; i < 3000; ++i) {
    bytes += i / 100 % 2 == 0 ? kKingdoms : encoded(kKingdoms, "GB18030");
    if (i % 7 == 0) bytes += "\xFF\n";
  }
  const auto read_in = [&](size_t step) {
    Utf8Stream stream(read_from(bytes), "");
    std::string text, part(step, '\0');
    for (size_t got = step; got == step;) {
      got = stream.read(part.data(), step);
      text.append(part, 0, got);
    }
    return text;
  };
  const std::string whole = read_in(size_t{1} << 20);
  EXPECT_EQ(read_in(4093), whole);
  EXPECT_EQ(read_in(70'001), whole);
  size_t found = 0;
  for (size_t at = whole.find(kKingdoms); at != whole.npos; at = whole.find(kKingdoms, at + 1))
    ++found;
  EXPECT_EQ(found, 3000u);
}

TEST(MixedText, ReadsTheExample) {
  INK_SHARED_DATA_OR_SKIP(path, "faults/zh/gbk_then_utf8.txt");
  const auto content = content_of("a", read_file(path));
  ASSERT_EQ(content.documents.size(), 1u);
  EXPECT_NE(content.documents[0].find("虽无十分姿色，却\n亦有动人之处"), std::string::npos);
  EXPECT_EQ(content.documents[0].find("\uFFFD"), std::string::npos);
}

TEST(Converter, PrivateUseIsNoText) {
  INK_SHARED_DATA_OR_SKIP(path, "faults/zh/big5hkscs.txt");
  for (const char* encoding : {"", "Big5", "Big5-HKSCS", "cp950", "windows-950"}) {
    const auto content = content_of("a", read_file(path), {.encoding = encoding});
    ASSERT_EQ(content.documents.size(), 1u);
    const std::string& text = content.documents[0];
    EXPECT_NE(text.find("風煙出綺疎。"), std::string::npos) << encoding;
    for (size_t at = 0; at + 2 < text.size(); ++at) {
      const auto a = static_cast<uint8_t>(text[at]), b = static_cast<uint8_t>(text[at + 1]);
      ASSERT_FALSE(a == 0xEE || (a == 0xEF && b < 0xA4)) << encoding << " at " << at;
    }
  }
}

TEST(Converter, LaterEditionsOfTheStandards) {
  const auto decoded = [](const std::string& bytes, const char* encoding) {
    Converter converter(encoding);
    std::string text;
    converter.add(bytes, true, text);
    return text + std::to_string(converter.replaced());
  };
  EXPECT_EQ(decoded("\x88\x62\x8C\x43\x88\x40", "Big5-HKSCS"), "\u00CA\u0304\u9FA6\u31C00");
  EXPECT_EQ(decoded("\x81\x40x", "Big5-HKSCS"), "\uFFFDx1");
  EXPECT_EQ(decoded("\xA6\xD9\xFE\x59", "GB18030"), "\uFE10\u9FB40");
  EXPECT_EQ(decoded("\xAA\xA1", "GB18030"), "\uFFFD1");
  EXPECT_EQ(decoded(std::string("\0\xE0", 2), "UTF-16LE"), "\uE0000");
}

}  // namespace
}  // namespace inkstone
