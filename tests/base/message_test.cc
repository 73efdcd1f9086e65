#include "base/message.h"

#include "base/error.h"
#include "support.h"

namespace inkstone {
namespace {

using test::mentions;
using test::thrown_by;

// The language is the process's: each test leaves it as it was.
class MessageTest : public ::testing::Test {
 protected:
  void SetUp() override { set_language("zh"); }
  void TearDown() override { set_language("en"); }
};

TEST_F(MessageTest, SpeaksEnglishUntilALanguageIsSet) {
  set_language("en");
  EXPECT_EQ(message("'{}' is missing", "a").shown(), "'a' is missing");
  EXPECT_EQ(translated("empty"), "empty");
}

TEST_F(MessageTest, ShowsTheLanguageAndKeepsTheEnglish) {
  const Message m = message("'{}' is missing", "a");
  EXPECT_EQ(m.english(), "'a' is missing");
  EXPECT_EQ(m.shown(), "缺少“a”");
  EXPECT_EQ(localized("'{}' is missing", "a"), "缺少“a”");
  EXPECT_EQ(translated("empty"), "空");
  EXPECT_EQ(Message("empty").shown(), "空");
}

TEST_F(MessageTest, WhatTheCatalogueLacksStaysEnglish) {
  EXPECT_EQ(translated("no such message"), "no such message");
  EXPECT_EQ(translated(""), "") << "not the catalogue's header";
  EXPECT_EQ(message("no such {} either", 7).shown(), "no such 7 either");
}

TEST_F(MessageTest, AnArgumentThatIsAMessageIsInTheLanguageOfTheWhole) {
  const Message m = message("line {}: {}", 3, message("'{}' is missing", "a"));
  EXPECT_EQ(m.english(), "line 3: 'a' is missing");
  EXPECT_EQ(m.shown(), "第 3 行：缺少“a”");
  // Also of a whole that is in no catalogue.
  EXPECT_EQ(message("<{}>", Message("empty")).shown(), "<空>");
}

TEST_F(MessageTest, AWordOfTheUsersIsNotTranslated) {
  EXPECT_EQ(message("'{}' is missing", "empty").shown(), "缺少“empty”");
}

TEST_F(MessageTest, FieldsMayStandInAnotherOrder) {
  EXPECT_EQ(message("this run is finished: it did {} of {} steps; to train longer, resume with "
                    "--steps N",
                    3, 9)
                .shown(),
            "这次训练已经完成：9 步中做了 3 步；要训练得更久，请用 --steps N 继续");
}

TEST_F(MessageTest, ATranslationWhoseFieldsDoNotFitIsTheEnglish) {
  EXPECT_EQ(detail::format_translation("{} {}", "english", 1), "english");
  EXPECT_EQ(detail::format_translation("{:d}", "english", "text"), "english");
  EXPECT_EQ(detail::format_translation("{", "english", 1), "english");
  EXPECT_EQ(detail::format_translation("<{}>", "english", 1), "<1>");
}

TEST_F(MessageTest, AnErrorIsEnglishForProgramsAndShownToPeople) {
  const Error error = thrown_by([] {
    with_context(message("reading '{}'", "f"),
                 [] { fail(ErrorCode::kInvalidData, "'{}' is missing", "a"); });
  });
  EXPECT_STREQ(error.what(), "reading 'f': 'a' is missing");
  EXPECT_EQ(error.message().shown(), "读取“f”时：缺少“a”");
}

TEST_F(MessageTest, AnUnknownLanguageIsRefusedWithThoseThereAre) {
  const Error error = thrown_by([] { set_language("tlh"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(mentions(error, "'tlh'"));
  EXPECT_TRUE(mentions(error, "en, zh"));
  EXPECT_EQ(translated("empty"), "空") << "the language is as it was";
}

TEST_F(MessageTest, TwoOfTheSameEnglishAreTheSame) {
  EXPECT_EQ(Message("empty"), Message("empty", "leer"));
  EXPECT_TRUE(Message("a") < Message("b"));
  EXPECT_EQ(message("'{}' is missing", "a"), "'a' is missing");
}

}  // namespace
}  // namespace inkstone
