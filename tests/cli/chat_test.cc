// `inkstone chat`, from a pipe and on a terminal.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "cli/terminal/clusters.h"
#include "workspace.h"

namespace inkstone::test {
namespace {

class ChatTest : public Workspace {
 protected:
  ChatTest() { make_run(); }

  Outcome chat(const std::string& typed) const {
    return run_well(
        {"chat", "run", "--threads", "1", "--seed", "3", "--max-tokens", "20", "--ignore-eos"},
        typed);
  }

  static void expect_in_order(const std::string& text, const Words& parts) {
    size_t at = 0;
    for (const std::string& part : parts) {
      const size_t found = text.find(part, at);
      ASSERT_NE(found, std::string::npos)
          << "no '" << part << "' behind byte " << at << " of: " << text;
      at = found + part.size();
    }
  }
};

TEST_F(ChatTest, AnswersTheSameForTheSameSeed) {
  const Outcome once = chat("hello\nand then?\n");
  EXPECT_GE(once.out.size(), 40u);
  EXPECT_EQ(once.out, chat("hello\nand then?\n/quit\nnever read\n").out);
  EXPECT_NE(once.out, chat("hallo\nand then?\n").out);
}

TEST_F(ChatTest, RetryWritesAnotherAnswerAndUndoTakesBack) {
  const std::string first = chat("hello\n").out;
  const std::string both = chat("hello\n/retry\n").out;
  ASSERT_EQ(both.find(first), 0u);
  EXPECT_NE(both.substr(first.size()), first);
  const Outcome undone = chat("hello\n/undo\n/undo\nhello\n");
  EXPECT_EQ(undone.out, first + first);
  expect_in_order(undone.err, {"(taken back)", "nothing to take back"});
}

TEST_F(ChatTest, SettingsCanBeChangedAndShown) {
  const Outcome outcome = chat(
      "/set temperature 0\n/set max-tokens 5\n/set   stop  end here\n/settings\n");
  for (const char* part : {"temperature 0,", "max-tokens 5,", "seed 3", "stop 'end here'"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << outcome.out;
  }
  EXPECT_EQ(chat("/set max-tokens 0\nhello\n").out, "\n");
}

TEST_F(ChatTest, BadCommandsAreErrorsAndTheChatGoesOn) {
  const Outcome outcome = chat(
      "/frobnicate\n/set bogus 1\n/set temperature warm\n/set top-p 7\n/set\n/save\n/load\n/load "
      "nowhere.json\n"
      "/load text.txt\n/save nowhere/file.json\n/retry\n/settings\nhello\n");
  expect_in_order(outcome.err,
                  {"'/frobnicate'", "'bogus'", "'warm'", "top-p is 7", "/set needs", "/save needs",
                   "/load needs", "nowhere.json", "text.txt", "nowhere/file.json", "no reply"});
  EXPECT_NE(outcome.out.find("temperature 0.8, top-k 0, top-p 1,"), std::string::npos)
      << "a bad value was taken";
  EXPECT_GE(outcome.out.size(), 20u);
}

TEST_F(ChatTest, SavesAndLoadsAConversation) {
  for (const char* hello : {"hello", "hullo", "holla"}) {
    const std::string first = chat(std::string(hello) + "\n").out;
    const std::string whole = chat(std::string(hello) + "\n/save talk.json\nand then?\n").out;
    ASSERT_EQ(whole.find(first), 0u);
    EXPECT_EQ(chat("/load talk.json\nand then?\n").out, hello + whole)
        << "the conversation did not go on the same";
  }
}

class TextChatTest : public Workspace {
 protected:
  // A model of bytes that has learnt next to nothing of its Chinese.
  TextChatTest() {
    std::string poem;
    for (int i = 0; i < 60; ++i) poem += "春眠不觉晓，处处闻啼鸟🙂。\n";
    make_data(poem, "byte");
    run_well(training("run", {"--steps", "5", "--eval-every", "0"}));
  }

  // The conversation that is saved behind some answers.
  std::string saved(Words more) const {
    Words words = {"chat", "run",          "--threads",     "1",  "--seed", "3", "--max-tokens",
                   "40",   "--ignore-eos", "--temperature", "1.5"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_well(words, "春眠\n/retry\nhello\n处处\n/save talk.json\n");
    shown_ = outcome.out;
    return read("talk.json");
  }
  mutable std::string shown_;
};

TEST_F(TextChatTest, WhatIsShownAndSavedIsText) {
  const std::string text = saved({});
  EXPECT_EQ(text.find("\"reply\": ["), std::string::npos) << text;
  EXPECT_EQ(shown_.find("\uFFFD"), std::string::npos) << shown_;
  EXPECT_NE(saved({"--bytes"}).find("\"reply\": ["), std::string::npos);
  EXPECT_NE(shown_.find("\uFFFD"), std::string::npos) << shown_;
}

TEST_F(TextChatTest, AStopStringMayStay) {
  const auto answer = [&](Words more) {
    Words words = {"chat", "run",          "--threads",     "1",   "--seed", "3", "--max-tokens",
                   "5000", "--ignore-eos", "--temperature", "1.5", "--stop", "e"};
    words.insert(words.end(), more.begin(), more.end());
    return run_well(words, "春眠\n/settings\n").out;
  };
  const std::string cut = answer({}), kept = answer({"--stop-keep"});
  const size_t end = cut.find("\ntemperature");
  EXPECT_EQ(kept.substr(0, end + 1), cut.substr(0, end) + "e");
  EXPECT_NE(kept.find("stop 'e', which is kept"), std::string::npos) << kept;
}

TEST_F(ChatTest, GoesOnPastTheContext) {
  std::string typed;
  for (int i = 0; i < 6; ++i) typed += verses(1);  // each line longer than the context of 16
  const Outcome outcome = chat("/set max-tokens 50\n" + typed);
  EXPECT_EQ(outcome.err.find("(the conversation has "), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find("more than the model's context of 16"), std::string::npos);
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << "told more than once: " << outcome.err;
  EXPECT_GE(outcome.out.size(), 12u * 50);
}

TEST_F(ChatTest, ALineThatEndsInABackslashGoesOn) {
  EXPECT_EQ(chat("/set max-tokens 0\nhello\\\nworld\n/save talk.json\n").out, "\n");
  EXPECT_NE(read("talk.json").find("hello\\nworld"), std::string::npos);
}

TEST_F(ChatTest, HelpFitsFortyColumns) {
  std::string help = chat("/help\n").out;
  EXPECT_EQ(help, chat("／help\n").out) << "with the slash of an input method";
  EXPECT_GT(std::ranges::count(help, '\n'), 10);
  while (!help.empty()) {
    const std::string line = help.substr(0, help.find('\n'));
    int columns = 0;
    for (const cli::Cluster& cluster : cli::clusters_of(line)) columns += cluster.columns;
    EXPECT_LE(columns, 40) << line;
    help.erase(0, line.size() + 1);
  }
}

TEST_F(ChatTest, SettingsInFullWidthLetters) {
  const Outcome outcome = chat(
      "／ｓｅｔ　ｔｏｐ－ｋ　５\n／SET Seed ７\n/set stop　ＡＢ\n/settings\n");
  EXPECT_EQ(outcome.err, "");
  for (const char* part : {"top-k 5,", "seed 7", "stop 'ＡＢ'"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << outcome.out;
}

TEST_F(ChatTest, QuotationMarksHoldATextOfSeveralLines) {
  EXPECT_EQ(chat("/set max-tokens 0\n\"\"\"\n/quit\n\n却说\\\n\"\"\"\n“““宝玉”””\n"
                 "/save talk.json\n")
                .out,
            "\n\n");
  EXPECT_NE(read("talk.json").find(R"("/quit\n\n却说\\")"), std::string::npos) << read("talk.json");
  EXPECT_NE(read("talk.json").find(R"("宝玉")"), std::string::npos) << read("talk.json");
  // Never ended: what is there counts.
  EXPECT_EQ(chat("\"\"\"\none\ntwo").out, chat("one\\\ntwo\n").out);
}

TEST_F(ChatTest, SavesPlainText) {
  const std::string first = chat("hello\n").out;
  const std::string both = chat("hello\n却说\n/save talk.txt\n/save talk.txt\n").out;
  const std::string second = both.substr(first.size());
  EXPECT_EQ(read("talk.txt"), "hello" + first + "却说" + second);
  EXPECT_NE(chat("/load talk.txt\n").err.find("not a saved conversation"), std::string::npos);
}

TEST_F(ChatTest, ASavedConversationTakesTheNameOfNoOtherFile) {
  write("book.txt", "A novel.\n");
  write("book.json", "{\"format\": \"of another\"}\n");
  const Outcome outcome = chat(
      "hello\n/save book.txt\n/save book.json\n/save talk.json\n/save talk.json\n");
  EXPECT_EQ(read("book.txt"), "A novel.\n");
  EXPECT_EQ(read("book.json"), "{\"format\": \"of another\"}\n");
  expect_in_order(outcome.err, {"'book.txt' is there already", "'book.json' is there already",
                                "(saved)", "(saved)"});
  expect_in_order(chat("hallo\n/save talk.json\n").err, {"(saved)"});
  EXPECT_NE(read("talk.json").find("hallo"), std::string::npos);
}

class TerminalChatTest : public ChatTest {
 protected:
  RunningProgram terminal(const std::function<void()>& in_child = {}) const {
    return RunningProgram(
        {"chat", "run", "--threads", "1", "--seed", "3", "--ignore-eos", "--max-tokens", "10"},
        folder(), RunningProgram::Terminal::kPseudo, in_child);
  }

  static void use_locale(const char* name) {
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(variable);
    ::setenv("LC_ALL", name, 1);
  }

  // A locale of GBK in the folder.
  void make_gbk_locale() const {
    if (run_shell("localedef -i zh_CN -f GBK ./zh_CN.GBK", folder()).status != 0)
      GTEST_SKIP() << "there is no localedef, or no zh_CN and GBK for it (package locales)";
  }
  void use_gbk() const {
    ::setenv("LOCPATH", folder().c_str(), 1);
    use_locale("zh_CN.GBK");
  }
};

TEST_F(TerminalChatTest, KeysTypedDuringAnAnswerWait) {
  RunningProgram chat = terminal();
  chat.wait_for_prompt("> ");
  chat.write("/set max-tokens 100000000\n");
  chat.wait_for_prompt("\r\n> ");
  chat.write("hello\n");
  chat.wait_for("hello\r\n");
  chat.write("typed 却说 ahead\n/settings\nhalf");
  ::usleep(300'000);
  chat.write("\x03");
  EXPECT_EQ(chat.wait_for("(stopped)").find("typed"), std::string::npos)
      << "the terminal echoes into the answer";
  chat.wait_for("> typed 却说 ahead\r\n");
  chat.write("\x03");
  chat.wait_for("(stopped)");
  chat.wait_for("> /settings\r\n");
  chat.wait_for("max-tokens 100000000");
  chat.wait_for("> half");
  chat.write("\x15\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

TEST_F(TerminalChatTest, TheTerminalIsGivenBack) {
  for (const int how : {0, SIGTERM, SIGHUP, SIGQUIT}) {
    RunningProgram chat = terminal();
    chat.wait_for_prompt("> ");
    EXPECT_FALSE(chat.terminal_echoes());
    if (how == 0) {
      chat.write("\x04");
    } else {
      chat.signal(how);
    }
    EXPECT_EQ(chat.finish(), how == 0 ? 0 : 128 + how) << chat.output();
    EXPECT_TRUE(chat.terminal_echoes()) << how;
    EXPECT_TRUE(chat.output().ends_with("\x1b[?2004l")) << how << ": pastes stay marked";
  }
}

TEST_F(TerminalChatTest, InAGbkTerminalTextGoesBothWays) {
  make_gbk_locale();
  if (IsSkipped()) return;
  RunningProgram chat = terminal([this] { use_gbk(); });
  chat.wait_for_prompt("> ");
  chat.write("/set stop \xC8\xB4\xCB\xB5\n");  // 却说
  chat.wait_for("/set stop \xC8\xB4\xCB\xB5\r\n");
  chat.write("\xB1\xA6\x7f\xD3\xF1\n");  // 宝, Backspace, 玉
  chat.wait_for("\xD3\xF1\r\n");
  chat.wait_for_prompt("> ");
  chat.write("/settings\n");
  chat.wait_for("stop '\xC8\xB4\xCB\xB5'");
  chat.write("/save \xCC\xB8.json\n");  // 谈
  chat.wait_for("(saved)");
  chat.write("/load \xD3\xF1.json\n");
  chat.wait_for("error: ");
  chat.wait_for("\xD3\xF1.json");
  chat.wait_for_prompt("> ");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
  EXPECT_NE(read("\xCC\xB8.json").find("\"user\": \"玉\""), std::string::npos);
}

TEST_F(TerminalChatTest, WhatAGbkTerminalLacksIsTold) {
  make_gbk_locale();
  if (IsSkipped()) return;
  write("talk.json",
        R"({"format": "inkstone conversation 1", "turns": [{"user": "🙂", "reply": "却"}]})");
  RunningProgram chat = terminal([this] { use_gbk(); });
  chat.wait_for_prompt("> ");
  chat.write("/load talk.json\n");
  chat.wait_for("?\xC8\xB4\r\n");
  chat.wait_for("(GBK lacks some of these characters: they are shown as ?)");
  chat.wait_for_prompt("> ");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

TEST_F(TerminalChatTest, BytesOfAnotherEncodingAreAnError) {
  RunningProgram chat = terminal([] { use_locale("xx_XX.GBK"); });
  chat.wait_for("(the locale xx_XX.GBK is not installed: this terminal is taken to be UTF-8)");
  chat.wait_for_prompt("> ");
  chat.write("\xB1\xA6\xD3\xF1\n");  // 宝玉
  chat.wait_for("\uFFFD");
  chat.wait_for("error: some of that is not UTF-8, and it was not sent");
  chat.wait_for_prompt("> ");
  chat.write("/save talk.json\n");
  chat.wait_for("(saved)");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
  EXPECT_NE(read("talk.json").find("\"turns\": []"), std::string::npos);
}

TEST_F(TerminalChatTest, ATerminalThatIsDumbGetsPlainLines) {
  RunningProgram chat = terminal([] { ::setenv("TERM", "dumb", 1); });
  chat.wait_for("> ");
  EXPECT_TRUE(chat.terminal_echoes());
  chat.write("/set stop 却说\n");
  chat.wait_for("\r\n> ");
  chat.write("\x03");
  chat.wait_for("/quit leaves");
  chat.write("/settings\n");
  chat.wait_for("stop '却说'");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
  EXPECT_EQ(chat.output().find('\x1b'), std::string::npos);
}

TEST_F(TerminalChatTest, ShowsHelpAnswersAndLeavesAtCtrlD) {
  RunningProgram chat = terminal();
  chat.wait_for("Ctrl-C stops an answer.");
  chat.wait_for_prompt("> ");
  chat.write("hello\n");
  chat.wait_for("hello\r\n");
  chat.wait_for_prompt("\r\n> ");
  chat.write("/retry\n");
  chat.wait_for("/retry\r\n");
  chat.wait_for_prompt("\r\n> ");
  chat.write("/undo\n");
  chat.wait_for("(taken back)");
  chat.wait_for_prompt("> ");
  chat.write("/bogus\n");
  chat.wait_for("no command '/bogus'");
  chat.wait_for_prompt("> ");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

TEST_F(TerminalChatTest, CtrlCStopsTheAnswerAndNotTheProgram) {
  RunningProgram chat = terminal();
  chat.wait_for_prompt("> ");
  chat.write("/set max-tokens 100000000\n");
  chat.wait_for_prompt("\r\n> ");
  for (int i = 0; i < 3; ++i) {
    chat.write("hello\n");
    chat.wait_for("hello\r\n");
    chat.write(i == 1 ? "\x03\x03\x03" : "\x03");  // also of an impatient person
    chat.wait_for("(stopped)");
    chat.wait_for_prompt("> ");
  }
  chat.write("half a line");
  chat.wait_for("half a line");
  chat.write("\x03");
  chat.wait_for("/quit leaves");
  chat.wait_for_prompt("> ");
  chat.write("/settings\n");
  chat.wait_for("max-tokens 100000000");
  chat.wait_for_prompt("> ");
  chat.write("/quit\n");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

TEST_F(TerminalChatTest, KeepsAHistoryBetweenRuns) {
  {
    RunningProgram chat = terminal();
    chat.wait_for_prompt("> ");
    chat.write("/set seed 12345\n");
    chat.wait_for_prompt("\r\n> ");
    chat.write("\x04");
    EXPECT_EQ(chat.finish(), 0);
  }
  RunningProgram chat = terminal();
  chat.wait_for_prompt("> ");
  chat.write("\x1b[A");  // the arrow up
  chat.wait_for("/set seed 12345");
  chat.write("\n");
  chat.wait_for_prompt("> ");
  chat.write("/settings\n");
  chat.wait_for("seed 12345\r\n");
  chat.wait_for_prompt("> ");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

TEST_F(TerminalChatTest, TakesCharactersOfSeveralBytes) {
  RunningProgram chat = terminal();
  chat.wait_for_prompt("> ");
  chat.write("/set stop 你好🙂\n");
  chat.wait_for_prompt("\r\n> ");
  chat.write("/settings\n");
  chat.wait_for("stop '你好🙂'");
  chat.wait_for_prompt("> ");
  chat.write("\x04");
  EXPECT_EQ(chat.finish(), 0) << chat.output();
}

}  // namespace
}  // namespace inkstone::test
