// What a terminal shows of a text that is edited.
#include "cli/terminal/screen.h"

#include <gtest/gtest.h>

#include <random>

#include "cli/terminal/edit_buffer.h"
#include "fake_terminal.h"

namespace inkstone::cli {
namespace {

using test::FakeTerminal;

constexpr const char* kLine = "黛玉听了这话不觉将昨晚的事都忘在九霄云外去了便笑道你这话说得也奇";

// A buffer, and a terminal that shows it.
class Editing {
 public:
  Editing(int columns, int rows, FakeTerminal::Manners manners = FakeTerminal::Manners())
      : terminal(columns, rows, manners), screen({columns, rows}, [this](std::string_view text) {
          terminal.write(text);
          last_written = text;
        }) {
    draw();
  }

  void press(Key key, int times = 1) {
    for (int i = 0; i < times; ++i) buffer.apply({key});
    draw();
  }
  void type(const std::string& text) {
    buffer.apply({Key::kText, text});
    draw();
  }
  EditedText edited() const { return {"> ", ". ", buffer.text(), buffer.cursor()}; }
  void draw() { screen.draw(edited()); }

  EditBuffer buffer;
  FakeTerminal terminal;
  Screen screen;
  std::string last_written;
};

TEST(ScreenTest, AWrappedLineOfWideCharacters) {
  Editing e(40, 24);
  e.type(kLine);
  const std::string wrapped =
      "> 黛玉听了这话不觉将昨晚的事都忘在九霄云\n外去了便笑道你这话说得也奇";
  EXPECT_EQ(e.terminal.seen(), wrapped);
  EXPECT_EQ(e.terminal.row(), 1);
  EXPECT_EQ(e.terminal.column(), 26);
  e.press(Key::kHome);
  EXPECT_EQ(e.terminal.row(), 0);
  EXPECT_EQ(e.terminal.column(), 2);
  e.type("a");  // the last character of the row has no room now
  EXPECT_EQ(e.terminal.seen(),
            "> a黛玉听了这话不觉将昨晚的事都忘在九霄\n云外去了便笑道你这话说得也奇");
  e.type("b");
  EXPECT_EQ(e.terminal.seen(),
            "> ab黛玉听了这话不觉将昨晚的事都忘在九霄\n云外去了便笑道你这话说得也奇");
  e.press(Key::kBackspace, 2);
  EXPECT_EQ(e.terminal.seen(), wrapped);
  EXPECT_EQ(e.terminal.wrapped_rows(), 1) << "copied text would have a break";
}

TEST(ScreenTest, OnlyWhatChangesIsWritten) {
  Editing e(80, 24);
  e.type("却说宝玉");
  e.type("道");
  EXPECT_EQ(e.last_written, "道");
  e.press(Key::kLeft, 2);
  EXPECT_EQ(e.last_written, "\x1b[9G");
  e.last_written = "nothing";
  e.draw();
  EXPECT_EQ(e.last_written, "nothing");
}

TEST(ScreenTest, ARowThatIsJustFull) {
  Editing e(10, 5);
  e.type("一二三四");
  EXPECT_EQ(e.terminal.seen(), "> 一二三四");
  EXPECT_EQ(e.terminal.row(), 1) << "the cursor has no place behind the last column";
  EXPECT_EQ(e.terminal.column(), 0);
  e.type("五");
  EXPECT_EQ(e.terminal.seen(), "> 一二三四\n五");
  e.press(Key::kBackspace, 2);
  EXPECT_EQ(e.terminal.seen(), "> 一二三");
  e.type("四\n");
  EXPECT_EQ(e.terminal.seen(), "> 一二三四\n.");
  EXPECT_EQ(e.terminal.row(), 1);
  EXPECT_EQ(e.terminal.column(), 2);
  e.press(Key::kBackspace);
  EXPECT_EQ(e.terminal.seen(), "> 一二三四");
}

TEST(ScreenTest, FinishedTheTextStaysAndANewRowBegins) {
  for (const auto& [text, seen] : {std::pair("却说", "> 却说\nX"),
                                   {"一二三四", "> 一二三四\nX"},
                                   {"一二三四五", "> 一二三四\n五\nX"},
                                   {"", ">\nX"}}) {
    Editing e(10, 5);
    e.type(text);
    e.press(Key::kHome);
    e.screen.finish(e.edited());
    e.terminal.write("X");
    EXPECT_EQ(e.terminal.seen(), seen);
    EXPECT_EQ(e.terminal.column(), 1);
  }
}

TEST(ScreenTest, JoinedEmojiHaveTwoColumnsOnEveryTerminal) {
  const std::string family = "👨\u200D👩\u200D👧";
  for (const bool joins : {true, false}) {
    Editing e(40, 5, {.joins = joins});
    e.type("一" + family + "二");
    EXPECT_EQ(e.terminal.column(), 2 + 6) << joins;
    EXPECT_EQ(e.terminal.seen().ends_with("二"), true) << e.terminal.seen();
    e.press(Key::kLeft, 2);
    EXPECT_EQ(e.terminal.column(), 2 + 2);
    e.press(Key::kBackspace);
    EXPECT_EQ(e.terminal.column(), 2);
    EXPECT_TRUE(e.terminal.seen().ends_with("二")) << e.terminal.seen();
    e.press(Key::kDelete);
    EXPECT_EQ(e.terminal.seen(), "> 二") << "a picture stays behind";
  }
}

TEST(ScreenTest, AClusterWiderThanTheTerminalIsCutOff) {
  std::string syllables;
  for (int i = 0; i < 6; ++i) syllables += "\u1100";  // leading consonants, all one cluster
  Editing e(8, 5);
  e.type("a" + syllables + "b");
  EXPECT_EQ(e.terminal.seen(), "> a\n\u1100\u1100\u1100 b");
  EXPECT_EQ(e.terminal.row(), 2);
  e.press(Key::kBackspace, 2);
  EXPECT_EQ(e.terminal.seen(), "> a");
}

TEST(ScreenTest, ControlCharactersAreShownAndNotObeyed) {
  Editing e(40, 5);
  e.type("a\x1b[2Jb\tc\x07\u009Bd\u200Be");
  EXPECT_EQ(e.terminal.seen(), "> a^[[2Jb    c^G\uFFFDde");
}

TEST(ScreenTest, OfATextTallerThanTheTerminalTheRowsAroundTheCursorAreShown) {
  Editing e(20, 3);
  e.terminal.write("");
  e.type("一\n二\n三\n四\n五");
  EXPECT_EQ(e.terminal.on_screen(), ". 三\n. 四\n. 五");
  e.press(Key::kUp);
  EXPECT_EQ(e.terminal.on_screen(), ". 三\n. 四\n. 五");
  e.press(Key::kUp, 2);
  EXPECT_EQ(e.terminal.on_screen(), ". 二\n. 三\n. 四");
  e.press(Key::kUp);
  e.press(Key::kHome);
  EXPECT_EQ(e.terminal.on_screen(), "> 一\n. 二\n. 三");
  e.type("x");
  EXPECT_EQ(e.terminal.on_screen(), "> x一\n. 二\n. 三");
  e.screen.finish(e.edited());
  EXPECT_TRUE(e.terminal.seen().ends_with("> x一\n. 二\n. 三\n. 四\n. 五")) << e.terminal.seen();
  EXPECT_EQ(e.terminal.on_screen(), ". 四\n. 五");
}

TEST(ScreenTest, ClearedItBeginsAtTheTop) {
  Editing e(20, 5);
  e.type("one\ntwo");
  e.terminal.write("\r\nnoise");
  e.screen.clear(e.edited());
  EXPECT_EQ(e.terminal.on_screen(), "> one\n. two");
  EXPECT_EQ(e.terminal.row(), 1);
}

// Law: whatever the keys were, what is seen is what is drawn at once on a fresh terminal; on
// terminals of all manners.
TEST(ScreenTest, StepByStepItIsAsAtOnce) {
  const std::vector<std::string> pieces = {"a",
                                           "却",
                                           "，",
                                           "“",
                                           "👨\u200D👩\u200D👧",
                                           "e\u0301",
                                           "\U0001F1E8\U0001F1F3",
                                           "\u2764\uFE0F",
                                           "\n",
                                           "\t",
                                           "\x1b",
                                           "\u200B",
                                           "\u0E19\u0E49\u0E33",
                                           "word ",
                                           "一二三四五六七八"};
  const std::vector<Key> keys = {Key::kLeft,   Key::kRight,     Key::kWordLeft,  Key::kWordRight,
                                 Key::kHome,   Key::kEnd,       Key::kUp,        Key::kDown,
                                 Key::kDelete, Key::kBackspace, Key::kBackspace, Key::kTranspose,
                                 Key::kYank,   Key::kKillToEnd};
  std::mt19937 random(5);
  const auto below = [&](size_t n) { return random() % n; };
  for (int run = 0; run < 100; ++run) {
    const int columns = static_cast<int>(8 + below(20)), rows = static_cast<int>(2 + below(8));
    const FakeTerminal::Manners manners{.joins = below(2) == 0, .ambiguous_wide = below(4) == 0};
    Editing e(columns, rows, manners);
    for (int step = 0; step < 60; ++step) {
      if (below(2) == 0) {
        e.type(pieces[below(pieces.size())]);
      } else {
        e.press(keys[below(keys.size())]);
      }
      Editing fresh(columns, rows, manners);
      fresh.buffer.set(e.buffer.text());
      while (fresh.buffer.cursor() > e.buffer.cursor()) fresh.buffer.apply({Key::kLeft});
      ASSERT_EQ(fresh.buffer.cursor(), e.buffer.cursor());
      if (manners.ambiguous_wide) continue;  // the last column of a row may differ
      Screen drawn({columns, 400}, [&](std::string_view text) { fresh.last_written += text; });
      FakeTerminal whole(columns, 400, manners);
      fresh.last_written.clear();
      drawn.draw(fresh.edited());
      whole.write(fresh.last_written);
      const std::string all = whole.on_screen() + "\n", shown = e.terminal.on_screen() + "\n";
      ASSERT_NE(all.find(shown), std::string::npos)
          << "run " << run << " step " << step << ": shown\n"
          << shown << "of\n"
          << all;
      ASSERT_EQ(e.terminal.column(), whole.column()) << "run " << run << " step " << step;
    }
    e.screen.finish(e.edited());
  }
}

}  // namespace
}  // namespace inkstone::cli
