// Encodings: detection and conversion.
#include "corpus/read/charset.h"

#include "base/file.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::compress;
using test::content_of;
using test::encoded;
using Texts = std::vector<std::string>;

std::string decode(std::string_view bytes, const std::string& encoding) {
  Utf8Stream stream(read_from(bytes), encoding);
  std::string text(bytes.size() * 4 + 16, '\0');
  text.resize(stream.read(text.data(), text.size()));
  return text;
}

const std::string kJapanese =
    "\u543E\u8F29\u306F\u732B\u3067\u3042\u308B\u3002\u540D\u524D\u306F\u307E\u3060\u7121\u3044"
    "\u3002\u3069\u3053\u3067"
    "\u751F\u308C\u305F\u304B\u3068\u3093\u3068\u898B\u5F53\u304C\u3064\u304B\u306C\u3002\n";
const std::string kKorean =
    "\uB098\uB294 \uD559\uAD50\uC5D0 \uAC04\uB2E4. \uC624\uB298\uC740 \uB0A0\uC528\uAC00 "
    "\uC88B\uB2E4. \uC6B0\uB9AC\uB294 "
    "\uCC45\uC744 \uC77D\uB294\uB2E4.\n";
const std::string kArabic = "كان يا ما كان في قديم الزمان ملك له ثلاثة أبناء.\n";
const std::string kHindi = "एक गाँव में एक बूढ़ा किसान रहता था और उसके तीन बेटे थे।\n";
const std::string kThai = "กาลครั้งหนึ่งนานมาแล้ว มีชายชราคนหนึ่ง อาศัยอยู่ในเมือง\n";
const std::string kRussian =
    "\u0412\u0441\u0435 \u0441\u0447\u0430\u0441\u0442\u043B\u0438\u0432\u044B\u0435 "
    "\u0441\u0435\u043C\u044C\u0438 "
    "\u043F\u043E\u0445\u043E\u0436\u0438 \u0434\u0440\u0443\u0433 \u043D\u0430 "
    "\u0434\u0440\u0443\u0433\u0430, "
    "\u043A\u0430\u0436\u0434\u0430\u044F "
    "\u043D\u0435\u0441\u0447\u0430\u0441\u0442\u043B\u0438\u0432\u0430\u044F "
    "\u0441\u0435\u043C\u044C\u044F "
    "\u043D\u0435\u0441\u0447\u0430\u0441\u0442\u043B\u0438\u0432\u0430 "
    "\u043F\u043E-\u0441\u0432\u043E\u0435\u043C\u0443.\n";
const std::string kGerman =
    "Die W\u00FCrde des Menschen ist unantastbar. Sie zu achten und zu sch\u00FCtzen ist "
    "Verpflichtung aller staatlichen "
    "Gewalt. F\u00FCr die K\u00F6nigin m\u00FCssen wir gr\u00F6\u00DFere \u00C4pfel "
    "pfl\u00FCcken.\n";
const std::string kChinese =
    "\u8BDD\u8BF4\u5929\u4E0B\u5927\u52BF\uFF0C\u5206\u4E45\u5FC5\u5408\uFF0C\u5408\u4E45\u5FC5"
    "\u5206\u3002\u5468\u672B"
    "\u4E03\u56FD\u5206\u4E89\uFF0C\u5E76\u5165\u4E8E\u79E6\u3002\u53CA\u79E6\u706D\u4E4B\u540E"
    "\uFF0C\u695A\u6C49\u5206"
    "\u4E89\uFF0C\u53C8\u5E76\u5165\u4E8E\u6C49\u3002\n";
const std::string kTaiwanese =
    "\u8A71\u8AAA\u5929\u4E0B\u5927\u52E2\uFF0C\u5206\u4E45\u5FC5\u5408\uFF0C\u5408\u4E45\u5FC5"
    "\u5206\u3002\u5468\u672B"
    "\u4E03\u570B\u5206\u722D\uFF0C\u4E26\u5165\u65BC\u79E6\u3002\u53CA\u79E6\u6EC5\u4E4B\u5F8C"
    "\uFF0C\u695A\u6F22\u5206"
    "\u722D\uFF0C\u53C8\u4E26\u5165\u65BC\u6F22\u3002\n";

TEST(DetectEncoding, FindsTheUsualOnesInASentence) {
  const std::tuple<std::string, const char*> kSamples[] = {
      {kChinese, "GB18030"},      {kTaiwanese, "Big5"},      {kJapanese, "Shift_JIS"},
      {kJapanese, "EUC-JP"},      {kKorean, "EUC-KR"},       {kRussian, "KOI8-R"},
      {kRussian, "windows-1251"}, {kGerman, "windows-1252"}, {kGerman, "UTF-8"},
      {kChinese, "UTF-8"}};
  for (const auto& [text, encoding] : kSamples) {
    for (const int times : {1, 20}) {
      std::string repeated;
      for (int i = 0; i < times; ++i) repeated += text;
      const std::string bytes = encoded(repeated, encoding);
      EXPECT_EQ(decode(bytes, detect_encoding(bytes).encoding), repeated)
          << encoding << " x " << times << " taken for " << detect_encoding(bytes).encoding;
      EXPECT_EQ(content_of("a", bytes).documents, Texts{repeated}) << encoding;
    }
  }
}

// Files of the kind that were guessed wrong: one in each encoding that people still have.
TEST(DetectEncoding, FindsOneOfEachAlphabet) {
  const std::tuple<const char*, std::string> kSamples[] = {
      {"windows-874", kThai},
      {"windows-874", "สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่นที่สวนสาธารณะกันเถอะ\n"},
      {"windows-1250", "Byl jednou jeden král a ten měl tři syny. Nejstarší byl chytrý.\n"},
      {"windows-1250", "Zażółć gęślą jaźń, rzekł król i wyszedł.\n"},
      {"windows-1250",
       "Volt egyszer egy öreg király, akinek három fia született, mind erősnek tűnt.\n"},
      {"ISO-8859-2", "Příliš žluťoučký kůň úpěl ďábelské ódy.\n"},
      {"windows-1253", "Μια φορά κι έναν καιρό ήταν ένας βασιλιάς με τρεις γιους.\n"},
      {"windows-1254", "Bir varmış bir yokmuş, güneşli bir ülkede üç kardeş yaşarmış.\n"},
      {"windows-1255", "היה היה פעם מלך זקן ולו שלושה בנים.\n"},
      {"windows-1256", kArabic},
      {"windows-1257", "Vieną kartą gyveno karalius, kuris turėjo tris sūnus ir gražią dukterį.\n"},
      {"windows-1251", "Жили-были старик со старухой у самого синего моря.\n"},
      {"KOI8-R", "Жили-были старик со старухой у самого синего моря.\n"},
      {"ibm-866", "Жили-были старик со старухой у самого синего моря.\n"},
      {"KOI8-U", "Жили собі дід і баба, їли хліб із сіллю, і її всі любили, їхню курочку.\n"}};
  for (const auto& [encoding, text] : kSamples) {
    const std::string bytes = encoded(text, encoding);
    const EncodingGuess guess = detect_encoding(bytes);
    EXPECT_EQ(decode(bytes, guess.encoding), text) << encoding << " for " << guess.encoding;
    EXPECT_GE(guess.certainty, kSureEncoding) << encoding << text;
  }
}

TEST(DetectEncoding, FindsChineseInElevenBytes) {
  const std::string text = "你好，世界\n";
  const std::string bytes = encoded(text, "GB18030");
  EXPECT_EQ(decode(bytes, detect_encoding(bytes).encoding), text);
}

TEST(DetectEncoding, IsUnsureOfWhatMayBeAnything) {
  EXPECT_LT(detect_encoding("caf\xE9 \xBE").certainty, kSureEncoding);
  EXPECT_EQ(detect_encoding(kGerman).certainty, 1);
  const auto facts = content_of("a", "caf\xE9 \xBE").facts;
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_TRUE(facts[0].is_unsure());
  EXPECT_EQ(facts[0].source, "a");
  EXPECT_FALSE(content_of("a", "ASCII").facts.at(0).is_unsure());
  EXPECT_EQ(content_of("a", "ASCII").facts.at(0).encoding, "UTF-8");
}

// One letter at the very end could also be the beginning of one in UTF-8.
TEST(DetectEncoding, TheLastByteAloneIsNoUtf8) {
  const auto content = content_of("a", "Un caf\xE9");
  EXPECT_NE(content.documents, Texts{"Un caf\uFFFD"});
  EXPECT_TRUE(content.facts.at(0).is_unsure());
  EXPECT_EQ(detect_encoding("ein sch\xC3\xB6ner caf\xC3").encoding, "UTF-8");
}

// A few bytes, or what no text has in the best encoding, make no sure guess.
TEST(DetectEncoding, IsUnsureOfLittleAndOfWhatDoesNotFit) {
  for (const auto& [text, encoding] :
       {std::pair{"李白\n", "GB18030"},
        {"東京\n", "EUC-JP"},
        {"桜\n", "Shift_JIS"},
        {"one ÿþ and ÿ\n", "windows-1252"},
        {"Die Straße war lang und die Bäume grün. Über den Wolken\n", "ibm-850"}}) {
    const EncodingGuess guess = detect_encoding(encoded(text, encoding));
    EXPECT_LT(guess.certainty, kSureEncoding) << text << guess.encoding;
  }
}

// Neighbours count only where a text does not tell.
TEST(DetectEncoding, AsksTheNeighboursOfShortTexts) {
  const std::string czech = encoded(
      "Příliš žluťoučký kůň úpěl ďábelské ódy. Nejstarší byl chytrý.\n", "windows-1250");
  const std::string name = encoded("Šíma\n", "windows-1250");
  const EncodingGuess with = detect_encoding(name, [&] { return evidence_of(czech); });
  EXPECT_EQ(decode(name, with.encoding), "Šíma\n");
  EXPECT_GE(with.certainty, kSureEncoding);
  const std::string chinese = encoded(kChinese, "GB18030");
  EXPECT_EQ(decode(chinese, detect_encoding(chinese, [&] { return evidence_of(czech); }).encoding),
            kChinese);
  EXPECT_EQ(evidence_of(kChinese), "");
  EXPECT_EQ(evidence_of(compress(&archive_write_add_filter_gzip, kChinese)), "");
  EXPECT_EQ(evidence_of(encoded(kChinese, "UTF-16")), "");
}

// Verses of a dozen characters, of which each alone may be Arabic or Hebrew.
TEST(DetectEncoding, ReadsAFolderOfVersesAsItsNeighboursAre) {
  INK_SHARED_DATA_OR_SKIP(poems, "text/tang_poems.txt");
  const std::string text = read_file(poems);
  std::vector<std::string> verses;
  for (size_t at = 0; at < text.size() && verses.size() < 800;) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.size() >= 24 && line.size() <= 48) verses.push_back(line);
  }
  ASSERT_EQ(verses.size(), 800u);
  const std::pair<const char*, size_t> kAllowed[] = {{"GB18030", 4}, {"Big5", 8}};
  for (const auto& [encoding, most_wrong] : kAllowed) {
    std::string evidence;
    for (size_t i = 0; i < 64; ++i) evidence += evidence_of(encoded(verses[i], encoding));
    size_t wrong = 0, wrong_alone = 0, sure_and_wrong = 0;
    for (const std::string& verse : verses) {
      const std::string bytes = encoded(verse, encoding);
      const std::string right = decode(bytes, encoding);
      const auto with = detect_encoding(bytes, [&] { return evidence; });
      const auto alone = detect_encoding(bytes);
      wrong += decode(bytes, with.encoding) != right ? 1 : 0;
      wrong_alone += decode(bytes, alone.encoding) != right ? 1 : 0;
      sure_and_wrong += decode(bytes, alone.encoding) != right && alone.certainty >= kSureEncoding;
    }
    std::printf("%s: %zu of 800 wrong with neighbours, %zu alone, %zu of these sure\n", encoding,
                wrong, wrong_alone, sure_and_wrong);
    EXPECT_LE(wrong, most_wrong) << encoding;
  }
}

// A file that tells clearly is not overruled by its folder.
TEST(DetectEncoding, NeighboursDoNotOverruleAClearText) {
  std::string chinese;
  for (int i = 0; i < 40; ++i) chinese += evidence_of(encoded(kChinese, "GB18030"));
  for (const auto& [text, encoding] :
       {std::pair{kRussian, "windows-1251"}, {kJapanese, "Shift_JIS"}, {kGerman, "windows-1252"}}) {
    const std::string bytes = encoded(text, encoding);
    EXPECT_EQ(decode(bytes, detect_encoding(bytes, [&] { return chinese; }).encoding), text);
  }
}

// Parts of real texts: how many are taken for something else?
TEST(DetectEncoding, FindsChineseInItsEncodings) {
  INK_SHARED_DATA_OR_SKIP(novel, "text/\u7EA2\u697C\u68A6.txt");
  INK_SHARED_DATA_OR_SKIP(poems, "text/tang_poems.txt");
  struct Case {
    std::filesystem::path path;
    const char* encoding;
  };
  for (const auto& [path, encoding] : {Case{novel, "GB18030"}, Case{poems, "Big5"}}) {
    const std::string bytes = encoded(read_file(path).substr(0, 2'000'000), encoding);
    for (const auto& [size, most_wrong_percent] :
         {std::pair<size_t, int>{65536, 0}, {4096, 0}, {400, 2}, {100, 10}}) {
      int wrong = 0, all = 0;
      for (size_t at = 0; at + size < bytes.size() && all < 200; at += bytes.size() / 200) {
        const size_t line = bytes.find('\n', at) + 1;  // where no character is cut
        if (line == 0 || line + size > bytes.size()) break;
        const std::string_view part = std::string_view(bytes).substr(line, size);
        ++all;
        wrong += decode(part, detect_encoding(part).encoding) != decode(part, encoding) ? 1 : 0;
      }
      RecordProperty(
          std::string(encoding) + "_" + std::to_string(size) + "_wrong_of_" + std::to_string(all),
          wrong);
      std::printf("%s %zu: %d of %d wrong\n", encoding, size, wrong, all);
      EXPECT_LE(100 * wrong, most_wrong_percent * all) << encoding << " in " << size << " bytes";
    }
  }
}

TEST(DetectEncoding, DamagedUtf8StaysUtf8) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += kChinese;
  EXPECT_EQ(detect_encoding(text + "\xFF\xD6\xD0").encoding, "UTF-8");
  // The last character is cut.
  EXPECT_EQ(detect_encoding(text.substr(0, text.size() - 3)).encoding, "UTF-8");
  EXPECT_EQ(content_of("a", text + "\xFF").documents, Texts{text + "\xFF"});
  EXPECT_EQ(content_of("a", text + "\xFF").replaced, std::vector<int64_t>{0});
}

TEST(Utf8Stream, DecidesAtTheFirstByteBeyondAscii) {
  for (const size_t before :
       {size_t{0}, size_t{1}, size_t{65535}, size_t{65536}, size_t{1'048'575}, size_t{3'000'000}}) {
    const std::string ascii(before, 'x');
    const std::string tail(200'000, 'y');
    EXPECT_EQ(content_of("a", ascii + encoded(kChinese, "GB18030") + tail).documents,
              Texts{ascii + kChinese + tail});
    EXPECT_EQ(content_of("a", ascii + kChinese + tail).documents, Texts{ascii + kChinese + tail});
  }
}

TEST(Utf8Stream, ConvertsAcrossBlocks) {
  std::string text;
  for (int i = 0; i < 9000; ++i)
    text += kChinese + "\U0001F600" + std::string(static_cast<size_t>(i % 7), 'x');
  for (const char* encoding : {"GB18030", "UTF-16LE", "UTF-16BE", "UTF-32LE"}) {
    const std::string bytes = encoded(text, encoding);
    for (const size_t step : {size_t{1} << 20, size_t{777}}) {
      Utf8Stream stream(read_from(bytes), encoding);
      std::string decoded, part(step, '\0');
      for (size_t got = step; got == step;) {
        got = stream.read(part.data(), step);
        decoded.append(part, 0, got);
      }
      EXPECT_EQ(decoded, text) << encoding << " in steps of " << step;
      EXPECT_EQ(stream.replaced(), 0);
    }
  }
}

TEST(Utf8Stream, ReplacesAndCountsWhatCannotBeDecoded) {
  const std::string bytes = encoded(kChinese, "GB18030") + "<|endoftext|>\n\xFF\xFF" +
                            encoded(kChinese, "GB18030") + "\xD6";
  const auto content = content_of("a", bytes, {.encoding = "GB18030"});
  EXPECT_EQ(content.documents, (Texts{kChinese, "\uFFFD\uFFFD" + kChinese + "\uFFFD"}));
  EXPECT_EQ(content.replaced, (std::vector<int64_t>{0, 3}));
}

TEST(Encodings, MarksAndNulsTellUtf16) {
  for (const char* encoding :
       {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "GB18030", "UTF-8"}) {
    EXPECT_EQ(content_of("a", encoded("\uFEFF" + kChinese, encoding)).documents, Texts{kChinese})
        << encoding;
    EXPECT_EQ(
        content_of("a", encoded("\uFEFF" + kChinese, encoding), {.encoding = encoding}).documents,
        Texts{kChinese});
  }
  for (const char* encoding : {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"}) {
    for (const std::string& text :
         {kGerman, kChinese, kJapanese + "\U0001F600\n", kRussian, kArabic, kHindi, kThai,
          std::string("без_пробелов"), std::string("Все пробелы"), std::string("你好\n")}) {
      EXPECT_EQ(content_of("a", encoded(text, encoding)).documents, Texts{text}) << encoding;
    }
  }
  EXPECT_EQ(content_of("a", "\xFF\xFE").dropped, Texts{"a#0: empty"});
  EXPECT_EQ(content_of("a", std::string_view("%PDF-1.7\0\xFF", 10)).dropped,
            Texts{"a#0: no text (PDF; convert it to text first, for example by pdftotext)"});
}

TEST(Encodings, AStrayNulMakesNoUtf16) {
  // With the NUL an even number of bytes, and each pair of them a Chinese character.
  for (const std::string& text :
       {std::string(101, 'x'), "A line of a log.\n" + kChinese + kChinese}) {
    for (const size_t at : {size_t{0}, size_t{31}, text.size()}) {
      const std::string with_nul = std::string(text).insert(at, 1, '\0');
      EXPECT_EQ(content_of("a", with_nul).documents, Texts{with_nul}) << text << at;
    }
  }
  const std::string gbk = encoded(kChinese, "GB18030").insert(40, 1, '\0');
  EXPECT_EQ(content_of("a", gbk).documents, Texts{decode(gbk, "GB18030")});
}

// Too many NULs for a text, which as pairs of bytes would be Chinese.
TEST(Encodings, AsciiWithNulsIsNoUtf16) {
  for (const std::string& text :
       {std::string("hi\0there", 8), std::string("a\0b\nc\n", 6),
        std::string("so\0so\0so\0so\0", 12), "Это\1 строка\1" + std::string("\0\n", 2)}) {
    for (int times : {1, 50}) {
      std::string repeated;
      for (int i = 0; i < times; ++i) repeated += text;
      EXPECT_EQ(content_of("a", repeated).dropped,
                Texts{"a#0: binary (--encoding NAME takes it as text)"})
          << text << times;
    }
  }
}

TEST(Encodings, EscapesTellTheEncodingsOfMail) {
  EXPECT_EQ(content_of("a", "mail: " + encoded(kJapanese, "ISO-2022-JP")).documents,
            Texts{"mail: " + kJapanese});
  const std::string korean = encoded(kKorean, "ISO-2022-KR");
  EXPECT_EQ(content_of("a", korean).documents, Texts{kKorean});
  EXPECT_EQ(content_of("a", korean).facts.at(0).encoding, "ISO-2022-KR");
  const std::string colours = "\x1B[31mred\x1B[0m $B\n";
  EXPECT_EQ(content_of("a", colours).documents, Texts{colours});
  const std::string mixed = "\x1B$B " + kGerman;
  EXPECT_EQ(content_of("a", mixed).documents, Texts{mixed});
}

TEST(Encodings, TheGivenOneMakesTextOfWhatLooksBinary) {
  const std::string nuls = std::string("a\0b\0\0\0", 6);
  EXPECT_EQ(content_of("a", nuls).dropped, Texts{"a#0: binary (--encoding NAME takes it as text)"});
  EXPECT_EQ(content_of("a", nuls, {.encoding = "UTF-8"}).documents, Texts{nuls});
}

TEST(Encodings, TheGivenOneIsTaken) {
  EXPECT_EQ(content_of("a", "\xE4\xF6", {.encoding = "windows-1251"}).documents,
            Texts{"\u0434\u0446"});
  EXPECT_EQ(content_of("a.csv", encoded("id,text\n1," + kChinese, "GB18030"), {.encoding = "gbk"})
                .documents,
            Texts{kChinese.substr(0, kChinese.size() - 1)});
  EXPECT_EQ(
      content_of("a.jsonl", encoded("{\"text\": \"" + kChinese.substr(0, 30) + "\"}", "UTF-16"))
          .documents,
      Texts{kChinese.substr(0, 30)});
  // What browsers read under these names, whichever of them is used.
  const std::pair<const char*, const char*> kNames[] = {{"iso-8859-1", "\x93\x80\x94"},
                                                        {"latin1", "\x93\x80\x94"},
                                                        {"ascii", "\x93\x80\x94"},
                                                        {"latin5", "\x93\x80\x94"}};
  for (const auto& [name, bytes] : kNames)
    EXPECT_EQ(content_of("a", bytes, {.encoding = name}).documents, Texts{"“€”"}) << name;
  EXPECT_EQ(content_of("a", "\x8C\x63", {.encoding = "cp949"}).documents, Texts{"똠"});
  const Error error = test::thrown_by([] { content_of("a", "x", {.encoding = "klingon"}); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "no encoding 'klingon'"));
}

TEST(Encodings, WithoutAMarkTheTextTellsTheOrderOfItsBytes) {
  for (const std::string family : {"UTF-16", "UTF-32"}) {
    for (const char* order : {"LE", "BE"}) {
      for (const std::string mark : {"", "\uFEFF"}) {
        const std::string bytes = encoded(mark + kGerman, (family + order).c_str());
        EXPECT_EQ(content_of("a", bytes, {.encoding = family}).documents, Texts{kGerman})
            << family << order << mark;
      }
    }
  }
}

}  // namespace
}  // namespace inkstone
