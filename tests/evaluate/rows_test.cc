// Rows of JSON lines: what is taken, and what is said of what is not.
#include "evaluate/rows.h"

#include <gtest/gtest.h>

#include "support.h"

namespace inkstone::evaluate {
namespace {

using test::mentions;
using test::thrown_by;

Row row_of(const std::string& json) { return parse_rows(json, "rows.jsonl").at(0); }

Error error_of(const std::string& bytes) {
  return thrown_by([&] { parse_rows(bytes, "rows.jsonl"); });
}

TEST(Rows, LinesAreObjectsAndBlankOnesNothing) {
  const auto rows = parse_rows("{\"a\": \"x\"}\r\n\n  \t\n{\"a\": \"\\ud83d\"}", "rows.jsonl");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].text("a"), "x");
  EXPECT_EQ(rows[1].text("a"), "\uFFFD");  // half a surrogate, as Python writes it
  EXPECT_EQ(rows[1].line(), 4);
  EXPECT_EQ(rows[1].place().english(), "'rows.jsonl', line 4");
}

TEST(Rows, WhatIsNoObjectIsNamedByItsLine) {
  EXPECT_TRUE(mentions(error_of("{}\n[1]"), "'rows.jsonl', line 2: found a JSON array"));
  EXPECT_TRUE(mentions(error_of("{}\n{\"a\": NaN}"), "'rows.jsonl', line 2"));
  EXPECT_TRUE(mentions(error_of("{\"a\""), "line 1"));
  EXPECT_TRUE(mentions(error_of(" \n"), "has no row, expected JSON lines"));
}

TEST(Rows, OtherFormatsOfTablesAreRefusedWithAdvice) {
  const Error parquet = error_of("PAR1\x15\x04");
  EXPECT_EQ(parquet.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(parquet, "'rows.jsonl' is a Parquet file"));
  EXPECT_TRUE(mentions(parquet, "to_json"));
  EXPECT_TRUE(mentions(error_of("ARROW1\0"), "Arrow"));
  EXPECT_TRUE(mentions(error_of("\x1F\x8B\x08"), "gzip"));
}

TEST(Rows, AMissingKeyIsToldWithThoseThatAreThere) {
  const Row row = row_of("{\"text\": 1, \"label\": \"4\", \"n\": \"4x\", \"list\": [\"a\", 2]}");
  EXPECT_TRUE(mentions(thrown_by([&] { row.text("goal"); }),
                       "the key 'goal' is missing (found: text, label, n, list)"));
  EXPECT_TRUE(
      mentions(thrown_by([&] { row.text("text"); }), "'text' is a JSON number, expected a text"));
  EXPECT_TRUE(mentions(thrown_by([&] { row.texts("list"); }), "expected a list of texts"));
  EXPECT_TRUE(mentions(thrown_by([&] { row.number("n"); }), "'n' is '4x'"));
  EXPECT_TRUE(mentions(thrown_by([&] { row.inner("list"); }), "expected an object"));
  EXPECT_TRUE(mentions(thrown_by([] { row_of("{}").text("a"); }), "(found: {})"));
}

TEST(Rows, NumbersAreNumbersOrDigits) {
  const Row row = row_of("{\"a\": -3, \"b\": \"12\", \"c\": 1.5, \"d\": \"\"}");
  EXPECT_EQ(row.number("a"), -3);
  EXPECT_EQ(row.number("b"), 12);
  EXPECT_TRUE(mentions(thrown_by([&] { row.number("c"); }), "whole number"));
  EXPECT_TRUE(mentions(thrown_by([&] { row.number("d"); }), "whole number"));
}

TEST(Rows, SeveralFilesAreOneAfterTheOther) {
  const test::ScratchFolder folder;
  EXPECT_EQ(thrown_by([&] { read_rows((folder / "none.jsonl").string()); }).code(),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace inkstone::evaluate
