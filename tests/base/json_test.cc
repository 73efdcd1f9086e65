#include "base/json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support.h"

namespace inkstone {
namespace {

using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

Error error_of(std::string_view text) {
  const Error error = thrown_by([&] { parse_json(text); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  return error;
}

TEST(ParseJson, KeepsTheOrderOfMembers) {
  const Json json = parse_json(R"({"z": 1, "a": [true, null, 2.5, "é\u00e9"]})");
  EXPECT_EQ(json.begin().key(), "z");
  EXPECT_EQ(json["a"][3], "éé");
}

TEST(ParseJson, ErrorsNameThePlace) {
  EXPECT_TRUE(mentions(error_of("{\n  \"a\": ,\n}"), "line 2, column 8"));
  EXPECT_TRUE(mentions(error_of(""), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("{} {}"), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("{\"a\": 1,}"), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("\"\xFF\""), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("\"open"), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("NaN"), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("1e999"), "not valid JSON"));
  EXPECT_TRUE(mentions(error_of("]"), "not valid JSON"));
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_NO_THROW(parse_json(nested(512)));
  EXPECT_TRUE(mentions(error_of(nested(513)), "nested deeper than 512 levels at byte 512"));
  EXPECT_TRUE(mentions(error_of(std::string(10'000'000, '[')), "nested deeper"));
  std::string objects;
  for (int i = 0; i < 600; ++i) objects += "{\"a\":";
  EXPECT_TRUE(mentions(error_of(objects), "nested deeper"));
}

TEST(ParseJson, BracketsAndCommasInStringsDoNotCount) {
  EXPECT_NO_THROW(parse_json("\"" + std::string(100'000, '[') + "\""));
  EXPECT_NO_THROW(parse_json("[\"\\\"" + std::string(100'000, '{') + "\"]"));
  EXPECT_NO_THROW(parse_json("{\"a\": \"" + std::string(100'000, ',') + "\"}"));
  EXPECT_TRUE(mentions(error_of("\"\\\\\"" + std::string(1000, '[')), "nested deeper"));
}

std::string object_of(int members) {
  std::string text = "{\"0\":0";
  for (int i = 1; i < members; ++i) text += fmt::format(",\"{}\":0", i);
  return text + "}";
}

TEST(ParseJson, RefusesObjectsThatWouldTakeQuadraticTime) {
  EXPECT_EQ(parse_json(object_of(10'000)).size(), 10'000u);
  EXPECT_TRUE(mentions(error_of(object_of(10'001)), "more than 10000 members"));
  EXPECT_TRUE(mentions(error_of("[[" + object_of(10'001) + "]]"), "more than 10000 members"));
  std::string array = "{\"a\": [0";
  for (int i = 0; i < 50'000; ++i) array += ",0";
  EXPECT_EQ(parse_json(array + "]}")["a"].size(), 50'001u);
}

TEST(GetInteger, ChecksTypeAndRange) {
  const Json json = parse_json(
      R"({"a": 5, "n": null, "s": "5", "f": 5.0, "big": 9223372036854775808, "low": -9223372036854775808})");
  EXPECT_EQ(get_integer(json, "a", 5, 5), 5);
  EXPECT_EQ(get_integer(json, "n", 0, 9), std::nullopt);
  EXPECT_EQ(get_integer(json, "absent", 0, 9), std::nullopt);
  EXPECT_EQ(get_integer(json, "low", INT64_MIN, 0), INT64_MIN);
  EXPECT_TRUE(
      mentions(thrown_by([&] { get_integer(json, "a", 1, 4); }), "'a' is 5, expected 1 to 4"));
  EXPECT_TRUE(
      mentions(thrown_by([&] { get_integer(json, "a", 6, 7); }), "'a' is 5, expected 6 to 7"));
  EXPECT_TRUE(mentions(thrown_by([&] { get_integer(json, "s", 0, 9); }),
                       "'s' is a JSON string, expected an integer"));
  EXPECT_TRUE(mentions(thrown_by([&] { get_integer(json, "f", 0, 9); }), "expected an integer"));
  EXPECT_TRUE(mentions(thrown_by([&] { get_integer(json, "big", INT64_MIN, INT64_MAX); }),
                       "'big' is 9223372036854775808"));
}

TEST(GetNumber, ChecksTypeAndRange) {
  const Json json = parse_json(R"({"i": 3, "f": 2.5, "b": true})");
  EXPECT_EQ(get_number(json, "i", 0, 9), 3.0);
  EXPECT_EQ(get_number(json, "f", 2.5, 2.5), 2.5);
  EXPECT_EQ(get_number(json, "absent", 0, 9), std::nullopt);
  EXPECT_TRUE(
      mentions(thrown_by([&] { get_number(json, "f", 3, 4); }), "'f' is 2.5, expected 3 to 4"));
  EXPECT_TRUE(mentions(thrown_by([&] { get_number(json, "b", 0, 9); }), "expected a number"));
  const Json nan = {{"x", std::nan("")}};
  EXPECT_EQ(thrown_by([&] { get_number(nan, "x", 0, 9); }).code(), ErrorCode::kInvalidData);
}

TEST(GetOthers, CheckTheType) {
  const Json json = parse_json(R"({"b": false, "s": "text", "n": null})");
  EXPECT_EQ(get_boolean(json, "b"), false);
  EXPECT_EQ(get_boolean(json, "n"), std::nullopt);
  EXPECT_EQ(get_string(json, "s"), "text");
  EXPECT_EQ(get_string(json, "absent"), std::nullopt);
  EXPECT_TRUE(mentions(thrown_by([&] { get_boolean(json, "s"); }), "expected true or false"));
  EXPECT_TRUE(mentions(thrown_by([&] { get_string(json, "b"); }), "expected a string"));
  EXPECT_TRUE(mentions(thrown_by([] { get_string(parse_json("[1]"), "k"); }),
                       "found a JSON array, expected an object with 'k'"));
}

TEST(Required, NamesTheMissingKey) {
  EXPECT_EQ(required(std::optional<int>(3), "k"), 3);
  const Error error = thrown_by([] { required(std::optional<int>(), "n_layer"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_STREQ(error.what(), "'n_layer' is missing");
}

TEST(JsonFiles, WriteAndReadBack) {
  const ScratchFolder folder;
  const Json json = {{"z", 1}, {"a", {1, 2}}, {"text", "é\n"}};
  write_json(folder / "a.json", json);
  EXPECT_EQ(read_json(folder / "a.json"), json);
  const std::string text = read_file(folder / "a.json");
  EXPECT_TRUE(text.starts_with("{\n  \"z\": 1,\n")) << text;
  EXPECT_TRUE(text.ends_with("}\n")) << text;
}

TEST(JsonFiles, InvalidUtf8IsReplacedInsteadOfLosingTheFile) {
  const ScratchFolder folder;
  write_json(folder / "a.json", Json{{"name", "a\xFF"}});
  EXPECT_EQ(read_json(folder / "a.json")["name"], "a\xEF\xBF\xBD");
}

TEST(JsonFiles, ErrorsNameTheFile) {
  const ScratchFolder folder;
  write_file(folder / "a.json", "{");
  EXPECT_TRUE(mentions(thrown_by([&] { read_json(folder / "a.json"); }),
                       "reading '" + (folder / "a.json").string() + "': not valid JSON"));
  EXPECT_EQ(thrown_by([&] { read_json(folder / "none.json"); }).code(), ErrorCode::kNotFound);
  write_file(folder / "b.json", "[1, 2]");
  EXPECT_TRUE(mentions(thrown_by([&] { read_json(folder / "b.json", 5); }), "expected at most 5"));
}

}  // namespace
}  // namespace inkstone
