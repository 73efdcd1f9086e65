// Every quality rule just inside and just outside its threshold.
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "corpus/clean/cleaner.h"

namespace inkstone {
namespace {

// Word number i: no two are equal, and none is a stop word.
std::string word(int i, int letters = 5) {
  std::string text(static_cast<size_t>(letters), 'z');
  for (int k = 0; k < 5 && k < letters; ++k, i /= 20)
    text[static_cast<size_t>(k)] = static_cast<char>('f' + i % 20);
  return text;
}

// Makes texts of words that never come twice.
class Text {
 public:
  Text& words(int count, int letters = 5) {
    for (int i = 0; i < count; ++i) say(word(next_++, letters));
    return *this;
  }
  Text& say(const std::string& text) {
    if (!text_.empty() && text_.back() != '\n') text_ += ' ';
    text_ += text;
    return *this;
  }
  Text& line(const std::string& end = "\n") {
    text_ += end;
    return *this;
  }
  // Ten characters more than the words "the" and "and": the mean length of words stays 5.
  Text& stop_words() { return say("the").say("and").words(2, 7); }
  operator const std::string&() const { return text_; }

 private:
  std::string text_;
  int next_ = 0;
};

DropReason judge(std::string text, const CleanOptions& options) {
  Cleaner::Scratch scratch;
  return Cleaner(options).clean(text, scratch).reason;
}
DropReason gopher(const std::string& text) {
  return judge(text, {.quality = QualityRules::kGopher});
}
DropReason fineweb(const std::string& text) {
  return judge(text, {.quality = QualityRules::kFineWeb});
}

std::string c4_lines(std::string text) {
  Cleaner::Scratch scratch;
  Cleaner({.quality = QualityRules::kC4}).clean(text, scratch);
  return text;
}

TEST(Words, SpacesAndScriptsWithoutThem) {
  std::vector<Word> words;
  const auto count = [&](std::string_view text) {
    split_words(text, words);
    return words.size();
  };
  EXPECT_EQ(count(""), 0u);
  EXPECT_EQ(count(" \n\u3000"), 0u);
  EXPECT_EQ(count("one, two -- three"), 4u);
  EXPECT_EQ(count("春眠不觉晓，处处闻啼鸟。"), 10u);
  EXPECT_EQ(count("用GPT-2写诗（2023）"), 5u);
  EXPECT_EQ(count("カタカナ ひらがな"), 8u);
  EXPECT_EQ(count("한국어 단어"), 2u);
  EXPECT_EQ(count("\xFF \xE4\xB8"), 2u);
}

TEST(Gopher, WordCount) {
  EXPECT_EQ(gopher(Text().stop_words().words(45)), DropReason::kWordCount);
  EXPECT_EQ(gopher(Text().stop_words().words(46)), DropReason::kNone);
  EXPECT_EQ(gopher(Text().stop_words().words(99'996)), DropReason::kNone);
  EXPECT_EQ(gopher(Text().stop_words().words(99'997)), DropReason::kWordCount);
}

TEST(Gopher, MeanWordLength) {
  EXPECT_EQ(gopher(Text().say("the and").words(48, 3)), DropReason::kNone);
  EXPECT_EQ(gopher(Text().say("the and").words(48, 3).words(1, 2)), DropReason::kMeanWordLength);
  EXPECT_EQ(gopher(Text().say("the and").words(2, 17).words(48, 10)), DropReason::kNone);
  EXPECT_EQ(gopher(Text().say("the and").words(2, 17).words(48, 10).words(1, 11)),
            DropReason::kMeanWordLength);
}

TEST(Gopher, Symbols) {
  const auto with = [](int hashes, const std::string& symbol) {
    Text text;
    text.stop_words().words(46 - hashes);
    for (int i = 0; i < hashes; ++i) text.say(symbol + word(1000 + i));
    return gopher(text);
  };
  for (const std::string symbol : {"#", "...", "…"}) {
    EXPECT_EQ(with(5, symbol), DropReason::kNone) << symbol;
    EXPECT_EQ(with(6, symbol), DropReason::kSymbols) << symbol;
  }
}

std::string lines_with(int special, const std::string& begin, const std::string& end) {
  Text text;
  text.stop_words();
  for (int i = 0; i < 10; ++i) {
    const bool is_special = i < special;
    if (i > 0) text.say(is_special ? begin : "");
    text.words(8).line((is_special ? end : "") + "\n");
  }
  return (special > 0 ? begin + " " : "") + std::string(text);
}

TEST(Gopher, BulletLines) {
  for (const std::string bullet : {"-", "*", "•"}) {
    EXPECT_EQ(gopher(lines_with(9, bullet, "")), DropReason::kNone);
    EXPECT_EQ(gopher(lines_with(10, bullet, "")), DropReason::kBulletLines);
  }
}

TEST(Gopher, EllipsisLines) {
  EXPECT_EQ(gopher(lines_with(3, "", "...")), DropReason::kNone);
  EXPECT_EQ(gopher(lines_with(4, "", "...")), DropReason::kEllipsisLines);
  EXPECT_EQ(gopher(lines_with(4, "", "…")), DropReason::kEllipsisLines);
}

TEST(Gopher, WordsWithLetters) {
  const auto with = [](int numbers) {
    Text text;
    text.stop_words().words(46 - numbers);
    for (int i = 0; i < numbers; ++i) text.say(std::to_string(10000 + i));
    return gopher(text);
  };
  EXPECT_EQ(with(10), DropReason::kNone);
  EXPECT_EQ(with(11), DropReason::kWordsWithoutLetters);
}

TEST(Gopher, StopWords) {
  EXPECT_EQ(gopher(Text().say("The And").words(50)), DropReason::kNone);
  EXPECT_EQ(gopher(Text().say("the the").words(50)), DropReason::kStopWords);
  EXPECT_EQ(gopher(Text().say("the bande").words(50)), DropReason::kStopWords);
  // A language in other letters knows none of them; nor does the user's, if it is not English.
  EXPECT_EQ(gopher("Съешь же ещё этих мягких французских булок, да выпей чаю. "
                   "В чащах юга жил бы цитрус? Да, но фальшивый экземпляр! "
                   "Эх, чужак, общий съём цен шляп (юфть) – вдрызг! Любя, съешь щипцы, – вздохнёт "
                   "мэр, – кайф жгуч. "
                   "Шеф взъярён тчк щипцы с эхом гудбай Жюль. Эй, жлоб! Где туз? Прячь юных "
                   "съёмщиц в шкаф."),
            DropReason::kNone);
}

TEST(Gopher, RepeatedLines) {
  const auto with = [](int short_lines, int long_lines) {
    Text text;
    text.stop_words();
    for (int i = 0; i < long_lines; ++i) text.words(30).line();
    for (int i = 0; i < short_lines; ++i) text.say("so be it").line();
    return gopher(text);
  };
  EXPECT_EQ(with(4, 6), DropReason::kNone);           // 3 of 10 lines
  EXPECT_EQ(with(5, 5), DropReason::kRepeatedLines);  // 4 of 10
  const auto of_equal_length = [](int repeated) {
    Text text;
    text.stop_words().words(6).line();
    for (int i = 0; i < 9 - repeated; ++i) text.words(10).line();
    std::string result = text;
    const std::string last = result.substr(result.size() - 60);
    for (int i = 0; i < repeated; ++i) result += last;
    return gopher(result);
  };
  // 0.2 of the characters: not the lines' rule.
  EXPECT_EQ(of_equal_length(2), DropReason::kRepeatedNgrams);
  EXPECT_EQ(of_equal_length(3), DropReason::kRepeatedLines);
}

TEST(Gopher, RepeatedParagraphs) {
  const auto with = [](int short_ones, int long_ones) {
    Text text;
    text.stop_words();
    for (int i = 0; i < long_ones; ++i)
      text.words(10).line().words(10).line().words(10).line("\n\n");
    for (int i = 0; i < short_ones; ++i) text.say("so be it").line(i % 2 == 0 ? "\n\n" : "\n \n\n");
    return gopher(text);
  };
  EXPECT_EQ(with(4, 6), DropReason::kNone);
  EXPECT_EQ(with(5, 5), DropReason::kRepeatedParagraphs);
}

// 100 words of 5 letters, in which `phrase` stands `times` times.
DropReason with_phrase(int phrase_words, int times, int words = 100) {
  std::string phrase;
  for (int i = 0; i < phrase_words; ++i) phrase += (i == 0 ? "" : " ") + word(100'000 + i);
  Text text;
  text.stop_words();
  for (int i = 0; i < times; ++i) text.say(phrase).words(1);
  return gopher(text.words(words - 4 - times * (phrase_words + 1)));
}

TEST(Gopher, FrequentNgrams) {
  EXPECT_EQ(with_phrase(2, 10), DropReason::kNone);  // 0.20
  EXPECT_EQ(with_phrase(2, 11), DropReason::kFrequentNgram);
  EXPECT_EQ(with_phrase(3, 6), DropReason::kNone);  // 0.18
  EXPECT_EQ(with_phrase(3, 7), DropReason::kFrequentNgram);
  EXPECT_EQ(with_phrase(4, 4), DropReason::kNone);  // 0.16
  EXPECT_EQ(with_phrase(4, 5), DropReason::kFrequentNgram);
}

TEST(Gopher, RepeatedNgrams) {
  // Often, so that what is repeated outweighs the most frequent 4-gram.
  EXPECT_EQ(with_phrase(5, 10, 300), DropReason::kNone);  // 45 words of 300
  EXPECT_EQ(with_phrase(5, 10, 299), DropReason::kRepeatedNgrams);
  EXPECT_EQ(with_phrase(6, 10, 386), DropReason::kNone);  // 54 of 386
  EXPECT_EQ(with_phrase(6, 10, 385), DropReason::kRepeatedNgrams);
  struct Case {
    int words, total_inside, total_outside;  // the phrase, repeated once, is this part of the text
  };
  for (const Case& c : {Case{10, 100, 99}, {9, 82, 81}, {8, 67, 66}, {7, 54, 53}}) {
    EXPECT_EQ(with_phrase(c.words, 2, c.total_inside), DropReason::kNone) << c.words;
    EXPECT_EQ(with_phrase(c.words, 2, c.total_outside), DropReason::kRepeatedNgrams) << c.words;
  }
}

// Han characters, none of which comes twice.
std::string han(int count, int first) {
  std::string text;
  for (int i = 0; i < count; ++i) append_utf8(text, static_cast<uint32_t>(0x4E00 + first + i));
  return text;
}

TEST(Gopher, ChineseIsJudgedByCharacters) {
  EXPECT_EQ(gopher(han(49, 0)), DropReason::kWordCount);
  EXPECT_EQ(gopher(han(50, 0)), DropReason::kNone);
  // A phrase of two words of two characters, repeated as often as English may repeat one of two
  // words.
  const auto with = [](int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += han(4, 5000) + "，" + han(6, 10 * i);
    return gopher(text + han(100 - 10 * times, 2000));
  };
  EXPECT_EQ(with(5), DropReason::kNone);
  EXPECT_EQ(with(6), DropReason::kFrequentNgram);
}

std::string page(int sentences) {
  Text text;
  for (int i = 0; i < sentences; ++i) text.words(6).line(".\n");
  return text;
}

TEST(C4, Pages) {
  const CleanOptions c4{.quality = QualityRules::kC4};
  EXPECT_EQ(judge(page(3), c4), DropReason::kNone);
  EXPECT_EQ(judge(page(2), c4), DropReason::kFewSentences);
  EXPECT_EQ(judge("One has many words, and 3.14. Two has many words! Has three many words?", c4),
            DropReason::kNone);
  EXPECT_EQ(judge("One has many words, and 3.14 too. Two has many words?!", c4),
            DropReason::kFewSentences);
  EXPECT_EQ(judge("春眠不觉晓。处处闻啼鸟！夜来风雨声？", c4), DropReason::kNone);
  EXPECT_EQ(judge("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。", c4),
            DropReason::kFewSentences);
  EXPECT_EQ(judge(page(3) + "So this is a Lorem Ipsum.", c4), DropReason::kLoremIpsum);
  EXPECT_EQ(judge(page(3) + "So this is a { of code.", c4), DropReason::kCurlyBracket);
}

TEST(C4, Lines) {
  const std::string rest = page(3);
  for (const std::string kept : {"This has just five words.", "Has this now five words?",
                                 "“He said it to me.”", "他说：「春眠不觉晓。」"}) {
    EXPECT_EQ(c4_lines(kept + "\n" + rest), kept + "\n" + rest);
  }
  for (const std::string dropped :
       {"This has four words.", "This line has no last mark", "This line has an end...",
        "You need Javascript for this page.", "We say that this uses cookies here."}) {
    EXPECT_EQ(c4_lines(dropped + "\n" + rest), rest) << dropped;
  }
}

TEST(FineWeb, LinesWithPunctuation) {
  const auto with = [](int marked) {
    Text text;
    text.stop_words();
    for (int i = 0; i < 100; ++i) text.words(8).line(i < marked ? ".\n" : "\n");
    return fineweb(text);
  };
  EXPECT_EQ(with(12), DropReason::kLinesWithoutPunctuation);
  EXPECT_EQ(with(13), DropReason::kNone);
}

TEST(FineWeb, ShortLines) {
  const auto with = [](int short_lines, int letters_of_last) {
    Text text;
    text.say("the and").words(8, 5).line(".\n");
    for (int i = 1; i < 100; ++i) {
      if (i <= short_lines)
        text.words(4, 5).words(1, letters_of_last).line(".\n");
      else
        text.words(8).line(".\n");
    }
    return fineweb(text);
  };
  EXPECT_EQ(with(66, 4), DropReason::kNone);
  EXPECT_EQ(with(67, 4), DropReason::kShortLines);  // 4 * 6 + 4 + 1: 29 characters
  EXPECT_EQ(with(67, 5), DropReason::kNone);        // 30
}

TEST(FineWeb, RepeatedLines) {
  const auto with = [](int lines) {
    Text text;
    text.stop_words().words(6).line(".\n");
    for (int i = 1; i < lines - 1; ++i) text.words(10).line(".\n");
    std::string result = text;
    return fineweb(result + result.substr(result.size() - 61));
  };
  EXPECT_EQ(with(10), DropReason::kRepeatedLineCharacters);
  EXPECT_EQ(with(11), DropReason::kNone);
}

TEST(FineWeb, IncludesGopherAndC4ButNotTheLastMark) {
  EXPECT_EQ(fineweb(Text().stop_words().words(30).line(". A b c d e. F g h i j.")),
            DropReason::kWordCount);
  EXPECT_EQ(fineweb(Text().stop_words().words(60).line(". {")), DropReason::kCurlyBracket);
  std::string text = Text().stop_words().words(60).line(".\n").words(20).line("\n").words(20).line(
      "!\n");
  text += "Javascript is off.";
  Cleaner::Scratch scratch;
  const CleanResult result = Cleaner({.quality = QualityRules::kFineWeb}).clean(text, scratch);
  EXPECT_TRUE(result.kept()) << name(result.reason);
  EXPECT_EQ(result.lines_removed, 1);
}

}  // namespace
}  // namespace inkstone
