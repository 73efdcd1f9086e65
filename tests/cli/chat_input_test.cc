// Texts and commands as people type them in `chat`.
#include "cli/chat_input.h"

#include <gtest/gtest.h>

#include <vector>

namespace inkstone::cli {
namespace {

TypedText typed(const std::vector<std::string>& lines) {
  TypedText text;
  for (const std::string& line : lines) text.add(line);
  return text;
}

TEST(ChatInputTest, ALineIsAText) {
  const TypedText text = typed({"却说"});
  EXPECT_TRUE(text.is_whole());
  EXPECT_EQ(text.meaning(), "却说");
  EXPECT_EQ(typed({"a\nb"}).meaning(), "a\nb");
  EXPECT_TRUE(typed({""}).is_whole());
}

TEST(ChatInputTest, ABackslashGoesOn) {
  EXPECT_FALSE(typed({"a\\"}).is_whole());
  EXPECT_EQ(typed({"a\\"}).meaning(), "a\n");
  const TypedText text = typed({"a\\", "b\\", "c"});
  EXPECT_TRUE(text.is_whole());
  EXPECT_EQ(text.meaning(), "a\nb\nc");
  EXPECT_EQ(text.typed(), "a\nb\nc");
  EXPECT_EQ(typed({"pasted \\\nlines"}).meaning(), "pasted \\\nlines");
}

TEST(ChatInputTest, ThreeQuotationMarksHoldSeveralLines) {
  const TypedText text = typed({"\"\"\"", "/not a command\\", "", "却说", "\"\"\""});
  EXPECT_TRUE(text.is_whole());
  EXPECT_TRUE(text.is_quoted());
  EXPECT_EQ(text.meaning(), "/not a command\\\n\n却说");
  EXPECT_EQ(typed({text.typed()}).meaning(), text.meaning()) << "from the history";
  EXPECT_EQ(typed({"\"\"\"one", "two\"\"\""}).meaning(), "one\ntwo");
  EXPECT_EQ(typed({"\"\"\"one\"\"\" "}).meaning(), "one");
  EXPECT_EQ(typed({"\"\"\"\none\n\"\"\""}).meaning(), "one") << "pasted";
  EXPECT_EQ(typed({"\"\"\"\"\"\""}).meaning(), "");
  EXPECT_FALSE(typed({"\"\"\""}).is_whole());
  EXPECT_FALSE(typed({"\"\"\"\"\""}).is_whole());
  EXPECT_FALSE(typed({"\"\"\"one", "two \"\"\" three"}).is_whole());
  EXPECT_EQ(typed({"\"\"\"one", "two"}).meaning(), "one\ntwo") << "the input ended";
  EXPECT_FALSE(typed({"\"\"two\"\""}).is_quoted());
}

TEST(ChatInputTest, TheQuotationMarksOfInputMethods) {
  EXPECT_EQ(typed({"“”“", "却说", "“”“"}).meaning(), "却说");
  EXPECT_EQ(typed({"＂＂＂却说＂＂＂　"}).meaning(), "却说");
  EXPECT_EQ(typed({"“却说”"}).meaning(), "“却说”");
}

TEST(ChatInputTest, CommandsWithEitherSlash) {
  EXPECT_EQ(parse_command("却说"), std::nullopt);
  EXPECT_EQ(parse_command(""), std::nullopt);
  for (const char* text : {"/help", "／help", "／ＨＥＬＰ", "/Help", "／help　", "/help "}) {
    const auto command = parse_command(text);
    ASSERT_TRUE(command) << text;
    EXPECT_EQ(command->name, "help") << text;
    EXPECT_EQ(command->rest, "") << text;
  }
  const auto save = parse_command("／ｓａｖｅ　我的 Ｔalk.txt");
  EXPECT_EQ(save->name, "save");
  EXPECT_EQ(save->rest, "我的 Ｔalk.txt") << "a name is left as it is";
  EXPECT_EQ(parse_command("/")->name, "");
}

TEST(ChatInputTest, Words) {
  EXPECT_EQ(split_word("one  two three"), std::pair(std::string("one"), std::string("two three")));
  EXPECT_EQ(split_word("one　two"), std::pair(std::string("one"), std::string("two")));
  EXPECT_EQ(split_word(""), std::pair(std::string(), std::string()));
  EXPECT_EQ(in_plain_letters("Ｔｏｐ－Ｋ ０．７"), "top-k 0.7");
}

}  // namespace
}  // namespace inkstone::cli
