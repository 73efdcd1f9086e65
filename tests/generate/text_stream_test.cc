// What a reader sees while a text is written byte by byte.
#include "generate/text_stream.h"

#include <random>

#include "base/utf8.h"
#include "support.h"

namespace inkstone {
namespace {

// Everything that was shown, when the text comes one byte at a time.
std::vector<std::string> shown_bytewise(TextStream& stream, const std::string& text) {
  std::vector<std::string> shown;
  for (const char c : text) {
    if (const auto part = stream.push(std::string_view(&c, 1)); !part.empty())
      shown.emplace_back(part);
  }
  if (const auto rest = stream.finish(); !rest.empty()) shown.emplace_back(rest);
  return shown;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

TEST(TextStream, ShowsWholeCharactersOnly) {
  const std::string text = "a红楼梦🙂é!";
  TextStream stream({});
  const auto shown = shown_bytewise(stream, text);
  EXPECT_EQ(joined(shown), text);
  for (const std::string& part : shown) EXPECT_TRUE(is_valid_utf8(part));
  EXPECT_EQ(shown.size(), 7u);  // one per character: nothing is held longer than needed
}

TEST(TextStream, PassesOnBytesThatNeverBecomeACharacter) {
  const std::string text = "x\xFF\x80y";
  TextStream stream({});
  EXPECT_EQ(joined(shown_bytewise(stream, text)), text);
}

TEST(TextStream, EndsWithAWholeCharacter) {
  for (const char* end : {"\xE7", "\xE7\xBA", "\xF0\x9F\x99"}) {
    const std::string text = std::string("红E") + end;
    TextStream stream({"END"});
    EXPECT_EQ(joined(shown_bytewise(stream, text)), "红E");
    EXPECT_EQ(stream.text(), text);
  }
}

TEST(TextStream, StopsBeforeAStopString) {
  TextStream stream({"END", "\n\n"});
  EXPECT_EQ(joined(shown_bytewise(stream, "one ENough EN\nEND two")), "one ENough EN\n");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.text(), "one ENough EN\n");
}

TEST(TextStream, HoldsBackAPossibleBeginning) {
  TextStream stream({"END"});
  EXPECT_EQ(stream.push("an EN"), "an ");
  EXPECT_EQ(stream.push("t"), "ENt");
  EXPECT_EQ(stream.push("E"), "");
  EXPECT_EQ(stream.finish(), "E");
}

TEST(TextStream, FindsAStopStringAcrossAndInsideTokens) {
  TextStream inside({"b"});
  EXPECT_EQ(inside.push("abc"), "a");
  EXPECT_TRUE(inside.stopped());
  EXPECT_EQ(inside.push("more"), "");
  TextStream self({"aab"});
  EXPECT_EQ(joined(shown_bytewise(self, "aaab")), "a");
  TextStream chinese({"梦"});
  EXPECT_EQ(joined(shown_bytewise(chinese, "红楼梦里")), "红楼");
}

TEST(TextStream, KeepsTheStopStringWhereAsked) {
  TextStream full_stop({"。"}, true);
  EXPECT_EQ(joined(shown_bytewise(full_stop, "红楼。梦。")), "红楼。");
  EXPECT_TRUE(full_stop.stopped());
  EXPECT_EQ(full_stop.text(), "红楼。");
  TextStream inside({"END"}, true);
  EXPECT_EQ(inside.push("an EN"), "an EN");  // it would be shown in any case
  EXPECT_EQ(inside.push("D and more"), "D");
  EXPECT_EQ(inside.push("more"), "");
  EXPECT_EQ(inside.finish(), "");
}

TEST(TextStream, TheStopStringThatIsCompleteFirstCounts) {
  for (const bool keep : {false, true}) {
    TextStream shorter({"bcde", "c"}, keep);
    shorter.push("abcdef");
    EXPECT_EQ(shorter.text(), keep ? "abc" : "ab");
    TextStream together({"c", "abc", "bc"}, keep);  // of those complete at once the longest
    together.push("xabcd");
    EXPECT_EQ(together.text(), keep ? "xabc" : "x");
  }
}

// A law: what of a text is there does not depend on how it is cut into tokens, whatever stop
// strings overlap.
TEST(TextStream, OverlappingStopStringsDoNotDependOnTheCuts) {
  std::mt19937 random(4);
  const std::vector<std::string> stop = {"abca", "bc", "cab", "红b"};
  for (int trial = 0; trial < 2000; ++trial) {
    std::string text;
    for (int i = 0; i < 10; ++i)
      text += std::vector<std::string>{"a", "b", "c", "红"}[random() % 4];
    const bool keep = random() % 2 == 0;
    TextStream bytewise(stop, keep), cut(stop, keep);
    const std::string expected = joined(shown_bytewise(bytewise, text));
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random() % 6;
      shown += cut.push(std::string_view(text).substr(at, length));
      at += length;
    }
    shown += cut.finish();
    ASSERT_EQ(shown, expected) << text;
    ASSERT_EQ(cut.text(), bytewise.text()) << text;
  }
}

// A law: however a text is cut into tokens, what is shown is the text up to the first stop string,
// and without one but for an unfinished character at the end.
TEST(TextStream, DoesNotDependOnTheCuts) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string text;
    for (int i = 0; i < 12; ++i)
      text += std::vector<std::string>{"a", "b", "红", "\n", "🙂", "\xE7"}[random() % 6];
    const std::vector<std::string> stop = {"ab", "\n红"};
    size_t cut = text.size();
    for (const auto& s : stop) cut = std::min(cut, text.find(s));
    TextStream stream(stop);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random() % 5;
      shown += stream.push(std::string_view(text).substr(at, length));
      at += length;
    }
    shown += stream.finish();
    if (cut == text.size()) cut -= static_cast<size_t>(incomplete_utf8_tail(text));
    ASSERT_EQ(shown, text.substr(0, cut)) << trial;
  }
}

}  // namespace
}  // namespace inkstone
