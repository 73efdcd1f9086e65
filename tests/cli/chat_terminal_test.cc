// `inkstone chat` in terminals of several widths and locales, as a person sees it.
#include <gtest/gtest.h>

#include "tmux.h"
#include "workspace.h"

namespace inkstone::test {
namespace {

// A line of 33 characters of two columns, without a repetition.
constexpr const char* kLine = "黛玉听了这话不觉将昨晚的事都忘在九霄云外去了便笑道你这话说得也奇";
constexpr const char* kChat =
    " inkstone chat run --threads 1 --seed 3 --ignore-eos --max-tokens 10";

// What is seen of "> " and a text of wide characters, after `ascii` of one column each.
std::string wrapped(const std::string& ascii, const std::string& wide, int columns) {
  std::string rows = "> " + ascii;
  int used = static_cast<int>(rows.size());
  for (size_t at = 0; at < wide.size(); at += 3, used += 2) {
    if (used + 2 > columns) {
      rows += '\n';
      used = 0;
    }
    rows += wide.substr(at, 3);
  }
  return rows;
}

class ChatScreenTest : public Workspace {
 protected:
  void SetUp() override {
    if (!Tmux::is_there()) GTEST_SKIP() << "tmux is not installed";
    make_run();
  }

  // With a prompt to type at.
  void expect_prompt(const Tmux& tmux) const { tmux.expect_end("\n>"); }
};

TEST_F(ChatScreenTest, WideCharactersInEveryLocaleAndWidth) {
  const std::string locales[] = {"LC_ALL=C", "", "LC_ALL=C.UTF-8", "LANG=zh_CN.UTF-8",
                                 "LC_CTYPE=xx_XX.UTF-8"};
  for (const std::string& locale : locales) {
    for (const int columns : {20, 40, 80}) {
      SCOPED_TRACE(locale + ", " + std::to_string(columns) + " columns");
      const Tmux tmux("env -u LC_ALL -u LC_CTYPE -u LANG " + locale + kChat, folder(), columns);
      expect_prompt(tmux);
      tmux.type(kLine);
      tmux.expect_end("\n" + wrapped("", kLine, columns));
      tmux.press("Home");
      tmux.type("ab");
      tmux.expect_end("\n" + wrapped("ab", kLine, columns));
      EXPECT_TRUE(tmux.cursor().starts_with("4,"));
      tmux.press("BSpace");
      tmux.expect_end("\n" + wrapped("a", kLine, columns));
      tmux.press("End BSpace Home Delete");
      const std::string shorter = std::string(kLine).substr(0, std::string(kLine).size() - 3);
      tmux.expect_end("\n" + wrapped("", shorter, columns));
      tmux.press("Enter");
      expect_prompt(tmux);
      tmux.type("／ｓａｖｅ　talk.txt");
      tmux.press("Enter");
      tmux.wait_for("(saved)");
      EXPECT_EQ(read("talk.txt").find(shorter), 0u) << "not what was typed: " << read("talk.txt");
      EXPECT_EQ(std::filesystem::remove(folder() / "talk.txt"), true);
    }
  }
}

TEST_F(ChatScreenTest, JoinedEmojiAreDrawnAndDeletedAsOne) {
  for (const int columns : {20, 40, 80}) {
    const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), columns);
    expect_prompt(tmux);
    tmux.type("一👨\u200D👩\u200D👧👍\U0001F3FD二");
    tmux.expect_end("二");
    EXPECT_TRUE(tmux.cursor().starts_with("10,")) << tmux.cursor();
    tmux.press("Left BSpace BSpace");
    tmux.expect_end("\n> 一二");
    EXPECT_TRUE(tmux.cursor().starts_with("4,")) << tmux.cursor();
  }
}

TEST_F(ChatScreenTest, AnotherWidthWrapsAnew) {
  const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), 40);
  expect_prompt(tmux);
  tmux.type(std::string("x") + kLine);
  tmux.expect_end("\n" + wrapped("x", kLine, 40));
  for (const int columns : {20, 33, 80, 21, 60}) {
    tmux.resize(columns);
    tmux.press("Home");
    tmux.press("End");
    tmux.expect_end("\n" + wrapped("x", kLine, columns));
    const std::string screen = tmux.screen(), begin = "> x黛玉";
    EXPECT_EQ(screen.find(begin), screen.rfind(begin)) << "twice on the screen:\n" << screen;
  }
}

TEST_F(ChatScreenTest, WhatIsPastedWaitsForEnter) {
  const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), 40);
  expect_prompt(tmux);
  tmux.paste("却说宝玉\n/quit\n\tabc");
  tmux.expect_end("\n> 却说宝玉\n. /quit\n.     abc");
  tmux.press("Enter");
  expect_prompt(tmux);
  tmux.type("/save talk.json");
  tmux.press("Enter");
  tmux.wait_for("(saved)");
  EXPECT_NE(read("talk.json").find("却说宝玉\\n/quit\\n\\tabc"), std::string::npos);
  tmux.press("Up Up");  // the whole text again
  tmux.expect_end("\n> 却说宝玉\n. /quit\n.     abc");
  tmux.press("C-c");
  tmux.wait_for("/quit leaves");
}

TEST_F(ChatScreenTest, ATextLongerThanTheTerminalCanBeEdited) {
  const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), 20, 5);
  expect_prompt(tmux);
  std::string text = "begin";
  for (int i = 1; i <= 9; ++i) text += "\n" + std::to_string(i);
  tmux.paste(text);
  tmux.expect_end(". 5\n. 6\n. 7\n. 8\n. 9");
  tmux.press("Up Up Up Up Up Up Up Up Up");
  tmux.press("Home");
  tmux.type("x");
  tmux.expect_end("> xbegin\n. 1\n. 2\n. 3\n. 4");
  tmux.press("Enter");
  expect_prompt(tmux);
  EXPECT_NE(tmux.lines().find("> xbegin\n. 1\n. 2\n. 3\n. 4\n. 5\n. 6\n. 7\n. 8\n. 9\n"),
            std::string::npos)
      << tmux.lines();
}

TEST_F(ChatScreenTest, StoppedAndContinuedTheLineIsThere) {
  const Tmux tmux("LC_ALL=C.UTF-8 PS1='shell: ' bash --norc --noprofile -i", folder(), 80);
  tmux.wait_for("shell:");
  tmux.type(std::string("clear;") + kChat);
  tmux.press("Enter");
  expect_prompt(tmux);
  tmux.type("却说宝玉");
  tmux.expect_end("> 却说宝玉");
  tmux.press("Home");
  tmux.type("x");
  tmux.expect_end("> x却说宝玉");
  tmux.press("C-z");
  tmux.wait_for("Stopped");
  tmux.type("clear; stty -a | grep -o ' echo '; fg");
  tmux.press("Enter");
  const std::string continued = std::string(kChat + 1) + "\n> ";
  tmux.expect_end("echo\n" + continued + "x却说宝玉");
  tmux.type("y");
  tmux.expect_end(continued + "xy却说宝玉");
  tmux.press("Right C-z");  // the first is for us or, quicker than we are, for the shell
  tmux.wait_for("Stopped");
  tmux.type("clear; fg");
  tmux.press("Enter");
  tmux.expect_end(continued + "xy却说宝玉");
}

TEST_F(ChatScreenTest, SearchesTheHistory) {
  const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), 80);
  expect_prompt(tmux);
  for (const char* line : {"/set stop 却说", "/set stop 宝玉", "/settings"}) {
    tmux.type(line);
    tmux.press("Enter");
    expect_prompt(tmux);
  }
  tmux.press("C-r");
  tmux.type("stop");
  tmux.expect_end("\n('stop') /set stop 宝玉");
  tmux.press("C-r");
  tmux.expect_end("\n('stop') /set stop 却说");
  tmux.press("C-r");
  tmux.expect_end("\n(no 'stop') /set stop 却说");
  tmux.press("End BSpace");
  tmux.expect_end("\n> /set stop 却");
  tmux.press("C-u C-r");
  tmux.type("宝");
  tmux.press("C-g");
  tmux.expect_end("\n>");
}

TEST_F(ChatScreenTest, CtrlLClearsTheScreenAndNotTheLine) {
  const Tmux tmux(std::string("LC_ALL=C.UTF-8") + kChat, folder(), 40);
  expect_prompt(tmux);
  tmux.type("却说");
  tmux.press("C-l");
  tmux.expect_end("> 却说");
  EXPECT_EQ(tmux.screen(), "> 却说");
}

}  // namespace
}  // namespace inkstone::test
