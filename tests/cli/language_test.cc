// What the program says to people, in Chinese; and that what programs read stays what it was.
#include <cstdlib>
#include <set>
#include <sstream>

#include "base/utf8.h"
#include "cli/terminal/columns.h"
#include "workspace.h"

namespace inkstone::test {
namespace {

bool has_chinese(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = decode_utf8(text, at);
    if (step.ok && step.code_point >= 0x4E00 && step.code_point <= 0x9FFF) return true;
    at += static_cast<size_t>(step.size_bytes);
  }
  return false;
}

void clear_language() {
  for (const char* name : {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LANG"})
    ::unsetenv(name);
}

// As on a system without any locale.
void speak_chinese() {
  clear_language();
  ::setenv("LANG", "zh_CN.UTF-8", 1);
}

class LanguageTest : public Workspace {
 protected:
  Outcome run_chinese(Words arguments, const std::string& input = "") const {
    return run_inkstone({.arguments = std::move(arguments),
                         .folder = folder(),
                         .input = input,
                         .in_child = speak_chinese});
  }
};

// Lines of a help text that describe something, and have no Chinese in them. Those of the examples
// are commands; "cpu 或 cuda" and its like have some.
std::vector<std::string> english_lines(const std::string& help) {
  std::vector<std::string> found;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    const bool is_command = line.starts_with("  inkstone ") || line.starts_with("  echo ") ||
                            line.starts_with("用法: ");
    if (line.empty() || is_command || has_chinese(line)) continue;
    // An option whose description stands below it, behind 30 blanks.
    const bool is_name = line.starts_with("  -") || line.starts_with("  [") ||
                         (line.starts_with("  ") && line[2] >= 'A' && line[2] <= 'Z');
    if (is_name && line.find("  ", 3) == std::string::npos) continue;
    // log P(completion | context): letters of mathematics.
    found.push_back(line);
  }
  return found;
}

TEST_F(LanguageTest, EveryHelpTextIsInChinese) {
  std::vector<Words> texts = commands();
  texts.push_back({});
  texts.push_back({"tokenizer"});
  for (Words words : texts) {
    words.push_back("--help");
    for (const Outcome& outcome : {run_chinese(words), run([&] {
                                     Words with = words;
                                     with.insert(with.begin(), {"--lang", "zh"});
                                     return with;
                                   }())}) {
      EXPECT_EQ(outcome.status, 0) << outcome.err;
      EXPECT_EQ(english_lines(outcome.out), std::vector<std::string>()) << words.front();
      EXPECT_TRUE(is_valid_utf8(outcome.out));
    }
  }
}

TEST_F(LanguageTest, TheOptionComesBeforeTheEnvironment) {
  EXPECT_FALSE(has_chinese(run_chinese({"--help", "--lang", "en"}).out));
  EXPECT_FALSE(has_chinese(run_chinese({"--lang=en", "train", "--help"}).out));
  EXPECT_TRUE(has_chinese(run({"train", "--lang=zh", "--help"}).out));
  EXPECT_FALSE(has_chinese(run({"--help"}).out));
  const Outcome c = run_inkstone({.arguments = {"--help"}, .in_child = [] {
                                    speak_chinese();
                                    ::setenv("LC_ALL", "C", 1);
                                  }});
  EXPECT_FALSE(has_chinese(c.out));
}

TEST_F(LanguageTest, AnUnknownLanguageIsRefused) {
  expect_refused(2, {"--lang", "tlh", "info", "x"}, {"'tlh'", "en, zh"});
  expect_refused(2, {"info", "x", "--lang"}, {"--lang", "en, zh"});
}

TEST_F(LanguageTest, ErrorsAreInChineseWithTheSameStatus) {
  make_data();
  write("bad.jsonl", "{\"a\": 1}\n");
  write("book.xlsx", std::string("PK\x03\x04") + "x");
  const std::vector<Words> cases = {
      {},
      {"trian"},
      {"--threads", "2"},
      {"tokenizer"},
      {"train"},
      {"generate"},
      {"info", "absent"},
      {"info", "data", "--frobnicate"},
      {"train", "--data", "data", "-o", "new", "--steps", "-5"},
      {"train", "--data", "data", "-o", "new", "--lr", "abc"},
      {"train", "--data", "data", "-o", "new", "--minutes", "-1"},
      {"train", "--data", "data", "-o", "new", "--dtype", "f64"},
      {"train", "--data", "data", "-o", "new", "--seed"},
      {"train", "--data", "data", "-o", "new", "--lr", "-1"},
      {"train", "--data", "data", "-o", "new", "--device", "cuda"},
      {"generate", "absent", "--prompt", "a"},
      {"prepare", "bad.jsonl", "--tokenizer", "vocabulary", "-o", "n"},
      {"prepare", "book.xlsx", "--tokenizer", "vocabulary", "-o", "n"},
      {"prepare", "absent", "--tokenizer", "vocabulary", "-o", "n"},
      {"logits", "absent", "--tokens", "x", "-o", "l.npy"},
      {"info", "data", "--tokenizer", "vocabulary"}};
  for (const Words& words : cases) {
    const Outcome english = run(words), chinese = run_chinese(words);
    SCOPED_TRACE(english.err);
    EXPECT_FALSE(has_chinese(english.err));
    EXPECT_EQ(chinese.status, english.status);
    EXPECT_EQ(chinese.out, english.out);
    const size_t at = chinese.err.find("inkstone：错误：");
    ASSERT_NE(at, std::string::npos) << chinese.err;
    EXPECT_TRUE(has_chinese(chinese.err.substr(at + std::string("inkstone：错误：").size())))
        << chinese.err;
    for (const char* part : {"expected", "found", " is ", " not "})
      EXPECT_EQ(chinese.err.find(part), std::string::npos) << chinese.err;
  }
}

TEST_F(LanguageTest, WhatProgramsReadIsTheSame) {
  make_data();
  write("records.jsonl",
        "{\"text\": \"Four little ducks went out\"}\n{\"a\": 1}\n\n[1]\n{\"text\": \" \"}\n");
  write("small.txt", "One.\n");
  const Words prepare = {"prepare",    "records.jsonl", "small.txt", "--tokenizer",
                         "vocabulary", "--json",        "-o"};
  const auto in = [](Words words, const std::string& output) {
    words.push_back(output);
    return words;
  };
  const Outcome english = run(in(prepare, "en")), chinese = run_chinese(in(prepare, "zh"));
  EXPECT_EQ(chinese.out, english.out);
  EXPECT_EQ(read("zh/report.json"), read("en/report.json"));
  EXPECT_NE(english.out.find("no field"), std::string::npos) << "there is a reason in it";
  const Words info = {"info", "data", "--json"};
  EXPECT_EQ(run_chinese(info).out, run(info).out);
  const Words training = {"--steps", "4", "--json", "--seed", "1", "--save-every", "4"};
  const auto events = [&](const Outcome& outcome) {
    // Of each event its keys and its name: times differ.
    std::set<std::string> names;
    for (size_t at = 0; (at = outcome.out.find("\"event\":", at)) != std::string::npos; ++at)
      names.insert(outcome.out.substr(at, 20));
    return names;
  };
  const Outcome a = run(this->training("run-en", training)),
                b = run_chinese(this->training("run-zh", training));
  EXPECT_EQ(a.status, 0) << a.err;
  EXPECT_EQ(events(a), events(b));
  EXPECT_FALSE(has_chinese(b.out));
  EXPECT_FALSE(has_chinese(read("run-zh/run.json")));
  EXPECT_FALSE(has_chinese(read("run-zh/metrics.jsonl")));
}

TEST_F(LanguageTest, AReportAndATrainingAreInChinese) {
  write("records.jsonl", "{\"text\": \"Four little ducks went out\"}\n{\"a\": 1}\n");
  make_data();
  const Outcome prepared = run_chinese(
      {"prepare", "records.jsonl", "text.txt", "--tokenizer", "vocabulary", "-o", "new"});
  EXPECT_EQ(prepared.status, 0);
  EXPECT_NE(prepared.err.find("第 2 行：没有字段“text”"), std::string::npos) << prepared.err;
  const Outcome trained = run_chinese(training("run", {"--steps", "4", "--eval-every", "2"}));
  EXPECT_EQ(trained.status, 0) << trained.err;
  std::istringstream lines(prepared.err + trained.err);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("  inkstone ") || has_chinese(line)) << line;
  }
  EXPECT_NE(trained.err.find("  inkstone generate run"), std::string::npos);
  EXPECT_TRUE(has_chinese(run_chinese({"info", "run"}).out));
  const Outcome evaluated = run_chinese({"eval", "run", "text.txt"});
  EXPECT_NE(evaluated.out.find("困惑度"), std::string::npos) << evaluated.out << evaluated.err;
}

TEST_F(LanguageTest, TheHelpOfChatFitsFortyColumns) {
  make_run();
  const Outcome chat = run_chinese({"chat", "run", "--threads", "1"},
                                   "/help\n/frobnicate\n/quit\n");
  EXPECT_EQ(chat.status, 0) << chat.err;
  EXPECT_NE(chat.out.find("/retry"), std::string::npos);
  EXPECT_TRUE(has_chinese(chat.out));
  EXPECT_EQ(chat.err, "错误：没有命令“/frobnicate”；/help 列出全部命令\n");
  std::istringstream lines(chat.out);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(cli::text_columns(line), 40u) << line;
}

TEST_F(LanguageTest, AGbkTerminalGetsItsOwnEncodingAndAPipeUtf8) {
  if (run_shell("localedef -i zh_CN -f GBK ./zh_CN.GBK", folder()).status != 0)
    GTEST_SKIP() << "there is no localedef, or no zh_CN and GBK for it (package locales)";
  const auto use_gbk = [this] {
    clear_language();
    ::setenv("LOCPATH", folder().c_str(), 1);
    ::setenv("LC_ALL", "zh_CN.GBK", 1);
  };
  // 红楼梦却说, some of whose bytes are UTF-8 too.
  RunningProgram shown({"info", "\xBA\xEC\xC2\xA5\xC3\xCE\xC8\xB4\xCB\xB5"}, folder(),
                       RunningProgram::Terminal::kPseudo, use_gbk);
  shown.wait_for("\xB4\xED\xCE\xF3");  // 错误, in GBK
  shown.wait_for(
      "\xA1\xB0\xBA\xEC\xC2\xA5\xC3\xCE\xC8\xB4\xCB\xB5\xA1\xB1");  // “却说”: as it was typed
  EXPECT_EQ(shown.finish(), 1);
  const Outcome piped = run_inkstone(
      {.arguments = {"info", "absent"}, .folder = folder(), .in_child = use_gbk});
  EXPECT_TRUE(piped.err.starts_with("inkstone：错误：")) << piped.err;
}

TEST_F(LanguageTest, TextInTheCommandIsInTheLocalesEncoding) {
  if (run_shell("localedef -i zh_CN -f GBK ./zh_CN.GBK", folder()).status != 0)
    GTEST_SKIP() << "there is no localedef, or no zh_CN and GBK for it (package locales)";
  make_run();
  const auto use_gbk = [this] {
    clear_language();
    ::setenv("LOCPATH", folder().c_str(), 1);
    ::setenv("LC_ALL", "zh_CN.GBK", 1);
  };
  const Outcome written = run_inkstone(
      {.arguments = {"generate", "run", "--prompt", "\xC8\xB4\xCB\xB5", "--max-tokens", "0"},
       .folder = folder(),
       .in_child = use_gbk});
  EXPECT_EQ(written.out, "却说\n") << "the bytes of 却说 in GBK are valid UTF-8 too";
  RunningProgram shown({"generate", "run", "--prompt", "\xBA\xEC\xC2\xA5", "--max-tokens", "0"},
                       folder(), RunningProgram::Terminal::kPseudo, use_gbk);
  shown.wait_for("\xBA\xEC\xC2\xA5\r\n");  // 红楼, as it was typed
  EXPECT_EQ(shown.finish(), 0) << shown.output();
}

TEST_F(LanguageTest, AStatusLineIsCutBetweenCharacters) {
  make_data();
  Words words = training("run", {"--steps", "200"});
  RunningProgram program(words, folder(), RunningProgram::Terminal::kPseudo, speak_chinese);
  program.wait_for("步  损失");
  EXPECT_EQ(program.finish(), 0);
  EXPECT_TRUE(is_valid_utf8(program.output())) << "a character is cut";
}

}  // namespace
}  // namespace inkstone::test
