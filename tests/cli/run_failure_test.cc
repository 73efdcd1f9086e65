// Why a run was left out: what is written of it, read again and told.
#include "cli/run_failure.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support.h"

namespace inkstone::cli {
namespace {

using Kind = RunFailure::Kind;

TEST(RunFailure, WrittenAndReadAgainItIsTheSame) {
  const std::pair<RunFailure, const char*> cases[] = {
      {{.kind = Kind::kExit, .number = 1, .text = "diverged"}, "exit status 1: diverged"},
      {{.kind = Kind::kExit, .number = 127}, "exit status 127"},
      {{.kind = Kind::kSignal, .number = 9}, "ended by signal 9"},
      {{.kind = Kind::kEarly}, "it ended before its time"},
      {{.text = "of an earlier version"}, "of an earlier version"},
  };
  for (const auto& [failure, text] : cases) {
    EXPECT_EQ(message_of(failure).english(), text);
    EXPECT_EQ(run_failure_from_json(to_json(failure)), failure) << text;
  }
}

TEST(RunFailure, WhatIsNoneIsRefused) {
  for (const char* text : {"[]", "3", R"({"signal": 0})", R"({"exit_status": 256})",
                           R"({"exit_status": 1, "said": 3})"}) {
    const Error error = test::thrown_by([&] { run_failure_from_json(Json::parse(text)); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << text;
  }
}

}  // namespace
}  // namespace inkstone::cli
