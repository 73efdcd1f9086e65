// What is typed and shown in terminals of other encodings than UTF-8.
#include "cli/terminal/encoding.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cstdlib>
#include <string>
#include <tuple>

#include "inkstone/error.h"

namespace inkstone::cli {
namespace {

constexpr const char* kGbkText = "\xC8\xB4\xCB\xB5";  // 却说

TEST(EncodingTest, Utf8StaysAsItIs) {
  Encoding encoding("UTF-8");
  EXPECT_EQ(encoding.encode("却说🙂"), "却说🙂");
  EXPECT_EQ(encoding.decode("却说🙂"), "却说🙂");
  EXPECT_FALSE(encoding.take_undecodable());
}

TEST(EncodingTest, GbkBothWays) {
  for (const char* name : {"GBK", "GB2312", "GB18030"}) {
    Encoding encoding(name);
    EXPECT_EQ(encoding.encode("却说a"), std::string(kGbkText) + "a") << name;
    EXPECT_EQ(encoding.decode(std::string(kGbkText) + "a"), "却说a") << name;
    EXPECT_FALSE(encoding.take_unencodable());
    EXPECT_FALSE(encoding.take_undecodable());
  }
}

TEST(EncodingTest, ACharacterInPiecesWaitsForItsRest) {
  for (const auto& [name, bytes, text] :
       {std::tuple("GBK", kGbkText, "却说"), std::tuple("UTF-8", "却🙂", "却🙂"),
        std::tuple("EUC-JP", "\xC6\xFC\xCB\xDC", "日本")}) {
    Encoding encoding(name);
    std::string decoded;
    for (const char* byte = bytes; *byte != '\0'; ++byte)
      decoded += encoding.decode(std::string(1, *byte));
    EXPECT_EQ(decoded, text) << name;
  }
}

TEST(EncodingTest, WhatAnEncodingLacksIsShownAndTold) {
  Encoding gbk("GBK");
  EXPECT_EQ(gbk.encode("a🙂b"), "a?b");
  EXPECT_TRUE(gbk.take_unencodable());
  EXPECT_FALSE(gbk.take_unencodable());
  Encoding utf8("UTF-8");
  EXPECT_EQ(utf8.decode(std::string("a") + kGbkText[2] + "b"), "a\uFFFDb");
  EXPECT_TRUE(utf8.take_undecodable());
  EXPECT_FALSE(utf8.take_undecodable());
}

TEST(EncodingTest, LongTextsAreWhole) {
  Encoding gbk("GBK");
  std::string text, bytes;
  for (int i = 0; i < 3001; ++i) {
    text += "却说";
    bytes += kGbkText;
  }
  EXPECT_EQ(gbk.encode(text), bytes);
  EXPECT_EQ(gbk.decode(bytes), text);
  std::string emoji = "a";
  for (int i = 0; i < 2000; ++i) emoji += "🙂";
  EXPECT_EQ(Encoding("UTF-8").decode(emoji), emoji);
}

TEST(EncodingTest, AnUnknownEncodingIsAnError) { EXPECT_THROW(Encoding("KLINGON-8"), Error); }

// Of the environment and the process's locale: put back afterwards.
class LocaleTest : public ::testing::Test {
 protected:
  LocaleTest() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(name);
  }
  ~LocaleTest() override { std::setlocale(LC_CTYPE, "C"); }

  static void take(const char* name) {
    ::setenv("LC_ALL", name, 1);
    std::setlocale(LC_CTYPE, "C");
    use_locale();
  }
};

TEST_F(LocaleTest, WhereThereIsNoneItIsUtf8) {
  use_locale();
  EXPECT_EQ(locale_encoding(), "UTF-8");
  EXPECT_EQ(missing_locale(), std::nullopt);
  for (const char* name : {"C", "POSIX", "C.UTF-8", "xx_XX.UTF-8", "xx_XX.utf8", "xx_XX"}) {
    take(name);
    EXPECT_EQ(locale_encoding(), "UTF-8") << name;
    EXPECT_EQ(missing_locale(), std::nullopt) << name;
    EXPECT_EQ(std::string(std::setlocale(LC_CTYPE, nullptr)), "C.UTF-8") << name;
  }
}

TEST_F(LocaleTest, AMissingOneOfAnotherEncodingIsNamed) {
  take("xx_XX.GBK");
  EXPECT_EQ(locale_encoding(), "UTF-8");
  EXPECT_EQ(missing_locale(), "xx_XX.GBK");
}

}  // namespace
}  // namespace inkstone::cli
