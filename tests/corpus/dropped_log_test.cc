#include "corpus/prepare/dropped_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/message.h"

namespace inkstone {
namespace {

class DroppedLogTest : public ::testing::Test {
 protected:
  void TearDown() override { set_language("en"); }
};

DroppedDocument bad_line(int64_t line) {
  return {"a.jsonl", message("line {}: {}", line, message("no field '{}'; there is none", "text")),
          line};
}

// What is shown of the only reason.
std::string shown(const DroppedLog& log) {
  EXPECT_EQ(log.reasons().size(), 1u);
  return log.reasons().begin()->first.shown();
}

TEST_F(DroppedLogTest, LinesWithTheSameFaultAreOneReasonInEveryLanguage) {
  for (const char* language : {"en", "zh"}) {
    set_language(language);
    DroppedLog log("", nullptr);
    log.add(bad_line(2));
    log.add(bad_line(17));
    EXPECT_EQ(log.reasons().at("no field 'text'; there is none").documents, 2);
    EXPECT_EQ(shown(log), localized("no field '{}'; there is none", "text"));
    EXPECT_EQ(to_json(log.examples()[1])["reason"], "line 17: no field 'text'; there is none");
  }
}

TEST_F(DroppedLogTest, WhatWasShownIsKeptInItsState) {
  set_language("zh");
  DroppedLog before("", nullptr);
  before.add(bad_line(2));
  const Json state = before.state();
  set_language("en");
  const DroppedLog after("", state);
  EXPECT_EQ(after.reasons().begin()->first, "no field 'text'; there is none");
  EXPECT_EQ(shown(after), shown(before));
  EXPECT_EQ(after.examples()[0].reason.english(), "line 2: no field 'text'; there is none");
  EXPECT_EQ(after.examples()[0].document, 2);
}

TEST_F(DroppedLogTest, AReasonThatIsInTheCatalogueFollowsTheLanguage) {
  DroppedLog before("", nullptr);
  before.add({"a.txt", marked("empty")});
  const Json state = before.state();
  set_language("zh");
  EXPECT_EQ(shown(DroppedLog("", state)), "空");
}

}  // namespace
}  // namespace inkstone
