// What keys do to a text.
#include "cli/terminal/edit_buffer.h"

#include <gtest/gtest.h>

namespace inkstone::cli {
namespace {

// A buffer with the cursor where the bar is, and the same notation back.
class EditBufferTest : public ::testing::Test {
 protected:
  void begin(const std::string& text) {
    const size_t bar = text.find('|');
    buffer_.set(text.substr(bar + 1));
    while (buffer_.cursor() > 0) buffer_.apply({Key::kLeft});
    if (bar > 0) buffer_.apply({Key::kText, text.substr(0, bar)});
    ASSERT_EQ(now(), text);
  }

  std::string now() const {
    std::string text = buffer_.text();
    return text.insert(buffer_.cursor(), "|");
  }

  void expect(const std::string& before, Key key, const std::string& after) {
    begin(before);
    buffer_.apply({key});
    EXPECT_EQ(now(), after) << "key " << static_cast<int>(key);
  }

  EditBuffer buffer_;
};

TEST_F(EditBufferTest, MovesByWholeCharacters) {
  expect("a👨‍👩‍👧|却", Key::kLeft, "a|👨‍👩‍👧却");
  expect("a|👨‍👩‍👧却", Key::kRight, "a👨‍👩‍👧|却");
  expect("|a", Key::kLeft, "|a");
  expect("a|", Key::kRight, "a|");
  expect("一\n二|三\n四", Key::kHome, "一\n|二三\n四");
  expect("一\n|二三\n四", Key::kEnd, "一\n二三|\n四");
  expect("one two| three", Key::kWordLeft, "one |two three");
  expect("one| two three", Key::kWordRight, "one two| three");
}

TEST_F(EditBufferTest, DeletesWholeCharacters) {
  expect("a👨‍👩‍👧|却", Key::kBackspace, "a|却");
  expect("a|e\u0301却", Key::kDelete, "a|却");
  expect("a|却", Key::kDeleteOrEnd, "a|");
  expect("|a", Key::kBackspace, "|a");
  expect("a|", Key::kDelete, "a|");
}

TEST_F(EditBufferTest, KillsAndYanks) {
  expect("一\n二|三\n四", Key::kKillToEnd, "一\n二|\n四");
  buffer_.apply({Key::kEnd});
  buffer_.apply({Key::kYank});
  EXPECT_EQ(now(), "一\n二三|\n四");
  expect("一\n二|三", Key::kKillToHome, "一\n|三");
  expect("one two| three", Key::kKillWordLeft, "one | three");
  expect("one| two three", Key::kKillWordRight, "one| three");
  buffer_.apply({Key::kKillToEnd});
  buffer_.apply({Key::kKillToEnd});  // nothing: what was killed before stays
  buffer_.apply({Key::kYank});
  EXPECT_EQ(now(), "one three|");
}

TEST_F(EditBufferTest, ChangesPlaces) {
  expect("ab|", Key::kTranspose, "ba|");
  expect("a|却b", Key::kTranspose, "却a|b");
  expect("a|", Key::kTranspose, "a|");
  expect("|ab", Key::kTranspose, "|ab");
}

TEST_F(EditBufferTest, GoesUpAndDownByColumnsUntilThereIsNoLine) {
  expect("一二三\nab|cd", Key::kUp, "一|二三\nabcd");
  expect("一二三\nabc|d", Key::kUp, "一|二三\nabcd");  // not into the middle of 二
  expect("一|二三\nabcd", Key::kDown, "一二三\nab|cd");
  expect("abcdef|\n一\n三四五", Key::kDown, "abcdef\n一|\n三四五");
  begin("ab|c\nd");
  EXPECT_FALSE(buffer_.apply({Key::kUp}));
  begin("abc\n|d");
  EXPECT_FALSE(buffer_.apply({Key::kDown}));
  EXPECT_EQ(now(), "abc\n|d");
}

TEST_F(EditBufferTest, TheCursorNeverStandsInACharacter) {
  begin("👨|");
  buffer_.apply({Key::kText, "\u200D👩"});  // joins what stands before
  EXPECT_EQ(now(), "👨\u200D👩|");
  begin("e|x");
  buffer_.apply({Key::kPaste, "\u0301"});
  EXPECT_EQ(now(), "e\u0301|x");
  // Between the halves of a flag something is deleted, and they are one.
  begin("\U0001F1E8x|\U0001F1F3!");
  buffer_.apply({Key::kBackspace});
  EXPECT_EQ(now(), "\U0001F1E8\U0001F1F3|!");
}

TEST_F(EditBufferTest, TakenItIsEmpty) {
  begin("却|说");
  EXPECT_EQ(buffer_.take(), "却说");
  EXPECT_EQ(now(), "|");
}

}  // namespace
}  // namespace inkstone::cli
