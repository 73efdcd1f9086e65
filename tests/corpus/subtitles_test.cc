// Subtitles, and where texts are divided.
#include "corpus/read/subtitles.h"

#include "base/file.h"
#include "corpus/read/separators.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

std::string all_of(const ReadBytes& read) {
  std::string text;
  for (size_t got = 5; got == 5;) got = read_more(read, 5, text);
  return text;
}

std::string speech(std::string_view subtitles) {
  return all_of(speech_of_subtitles(read_from(subtitles)));
}

TEST(Subtitles, SubRipIsWhatIsSaid) {
  EXPECT_EQ(
      speech("1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>你好吗？</i>\r\n- 好 &amp; 谢谢\r\n\r\n"
             "2\r\n00:00:03,000 --> 00:00:04,000  X1:10 X2:20\r\n"
             "<font color=\"#fff\">a</font> {\\an8}<3 1 < 2 > 0\r\n"),
      "你好吗？\n- 好 & 谢谢\na <3 1 < 2 > 0\n");
  // Numbers that are said, that are missing, blank lines that are missing or too many.
  EXPECT_EQ(speech("00:00:01.000 --> 00:00:02.000\n42\n\n0:00:03,0 --> 0:00:04,0\n\nlate\n7\n"
                   "00:00:05,000-->00:00:06,000\none\n\n2\n\ntwo\n"),
            "42\nlate\none\n2\ntwo\n");
}

TEST(Subtitles, ACutEndSaysNothing) {
  const std::string begin = "48\n00:00:47,120 --> 00:00:47,900\na\n\n";
  for (const char* end : {"49\n00:00:48,120", "49\n00:00:48,120 --", "49\n00:0", "49", "49\n",
                          "49\n00:00:48,120 --> 00:00:49,000"}) {
    EXPECT_EQ(speech(begin + end), "a\n") << end;
  }
  EXPECT_EQ(speech(begin + "1984"), "a\n1984\n");
}

TEST(Subtitles, WebVttIsItsCues) {
  EXPECT_EQ(
      speech("WEBVTT - title\nKind: captions\n\nNOTE\nno\nno --\n\nSTYLE\n::cue { color: red }\n\n"
             "REGION\nid:x\n\nname of a cue\n00:01.000 --> 00:02.500 align:start line:0%\n"
             "<v.loud 宝玉>来 &lt;了&gt;</v>\n<00:01.500><c.a>么</c>\n\n12\n"
             "00:00:03.000 --> 00:00:04.000\n<ruby>字<rt>zi</rt></ruby> 12\n\nno cue\nno cue\n"),
      "来 <了>\n么\n字 12\n");
}

TEST(Subtitles, AreKnownByTheirContentInAnyEncoding) {
  const std::string srt = "1\n00:00:01,000 --> 00:00:02,000\n你好，谢谢你们来这里看我。\n";
  EXPECT_TRUE(looks_like_subtitles(srt));
  EXPECT_TRUE(looks_like_subtitles("WEBVTT\n"));
  EXPECT_TRUE(looks_like_subtitles("\n00:01 --> 00:02\n"));
  for (const char* text : {"WEBVTTX\n", "1\n\ntext", "宝玉: 好\n", "1 --> 2", "", "12:30 tea\n"})
    EXPECT_FALSE(looks_like_subtitles(text)) << text;
  const std::string gbk =
      "1\n00:00:01,000 --> "
      "00:00:02,000\n\xC4\xE3\xBA\xC3\xA3\xAC\xD0\xBB\xD0\xBB\xC4\xE3\xC3\xC7\xC0"
      "\xB4\xD5\xE2\xC0\xEF\xBF\xB4\xCE\xD2\xA1\xA3\n";
  for (const std::string& bytes : {srt, "\xEF\xBB\xBF" + srt, gbk}) {
    const auto content = content_of("a.txt", bytes);
    EXPECT_EQ(content.documents, Texts{"你好，谢谢你们来这里看我。\n"});
  }
  std::string utf16 = "\xFF\xFE";
  for (const char c : std::string("1\n00:01:00 --> 00:02:00\nhello\n"))
    utf16 += std::string{c, '\0'};
  EXPECT_EQ(content_of("a.srt", utf16).documents, Texts{"hello\n"});
  EXPECT_EQ(content_of("a.srt", srt, {.format = InputFormat::kText}).documents, Texts{srt});
  EXPECT_EQ(content_of("a.srt", "1\n00:01 --> 00:02\n").dropped, Texts{"a.srt#0: empty"});
}

TEST(Subtitles, ReadsTheExample) {
  INK_SHARED_DATA_OR_SKIP(srt, "faults/zh/电影.srt");
  const auto content = content_of("a", read_file(srt));
  ASSERT_EQ(content.documents.size(), 1u);
  EXPECT_TRUE(content.documents[0].starts_with("我很好，谢谢你。0\n你好吗？1\n"));
  EXPECT_TRUE(content.documents[0].ends_with("你好吗？47\n"));
  EXPECT_EQ(content.documents[0].find(':'), std::string::npos);
}

TEST(Subtitles, AChatLogStaysText) {
  const std::string log = "宝玉: 你来了\n黛玉: 12:30 --> 来\n\n<b>: {x}\n";
  EXPECT_EQ(content_of("a.txt", log).documents, Texts{log});
}

Texts divided(const std::string& text, const std::string& separator) {
  return content_of("a.txt", text, {.separator = separator}).documents;
}

TEST(Separators, BlankLines) {
  EXPECT_EQ(divided("\n\n一\n二\n\n \u3000\r\n\n三\r\n\t\n四", "blank"),
            (Texts{"一\n二\n", "三\r\n", "四"}));
  for (const std::string end : {"\r", "\v", "\f", "\u0085", "\u2028", "\u2029"}) {
    EXPECT_EQ(divided("a" + end + "b" + end + end + "c", "blank"),
              (Texts{"a" + end + "b" + end, "c"}));
  }
  EXPECT_EQ(divided("a\n\nb", ""), Texts{"a\n\nb"});
}

TEST(Separators, EachLine) {
  EXPECT_EQ(divided("一\n\n二\n三", "line"), (Texts{"一\n", "二\n", "三"}));
  EXPECT_EQ(divided("一\u2028二\u0085三", "line"), (Texts{"一\u2028", "二\u0085", "三"}));
  const auto content = content_of("a", "x\n\n \ny\n", {.separator = "line"});
  EXPECT_EQ(content.places, (Texts{"a#1", "a#2"}));
  EXPECT_EQ(content.dropped, Texts{});
}

TEST(Separators, AnExpression) {
  EXPECT_EQ(divided("其一\n一\n***\n***\n二\n* no\n三\n***\n", "^\\*+$"),
            (Texts{"其一\n一\n", "二\n* no\n三\n"}));
  EXPECT_EQ(divided("序\n第一首\n一\n第二首\n二\n", "(?=^第.首)"),
            (Texts{"序\n", "第一首\n一\n", "第二首\n二\n"}));
  EXPECT_EQ(divided("a\n<|endoftext|>\nb\n---\nc\n", "---"), (Texts{"a\n", "b\n", "c\n"}));
  const Error error = test::thrown_by([] { content_of("a", "x", {.separator = "("}); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "the separator '(' is no regular expression"));
}

TEST(Separators, ALineOfAnyLengthIsOne) {
  const std::string line(3'000'000, 'x');
  EXPECT_EQ(divided(line + "\n" + line + "\nend", "line"),
            (Texts{line + "\n", line + "\n", "end"}));
  EXPECT_EQ(divided("a\n\n" + line + "\n\nb", "blank"), (Texts{"a\n", line + "\n", "b"}));
}

}  // namespace
}  // namespace inkstone
