// One table of options: checks, numbers that were typed, JSON and back.
#include "base/option_table.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "support.h"

namespace inkstone {
namespace {

struct Inner {
  double ratio = 0.5;
  int64_t count = 3;
};

struct Options {
  Inner inner;
  int64_t most = 7;
  bool bytes_kept = true;
  std::vector<std::string> words;
};

OptionTable<Options> table() {
  const auto inner = OptionTable<Inner>()
                         .add({.name = "ratio"}, &Inner::ratio, {.low = 0, .high = 1})
                         .add({.name = "count"}, &Inner::count, {.low = 1, .high = 9});
  return OptionTable<Options>()
      .include(&Options::inner, inner)
      .add({.name = "at-most"}, &Options::most, {.low = 0})
      .add({.name = "drop-bytes", .when_given = false}, &Options::bytes_kept)
      .add({.name = "words"}, &Options::words);
}

std::string refusal(Options options) {
  const Error error = test::thrown_by([&] { validate(table().bind(options)); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  return error.what();
}

TEST(OptionTable, RangesAreChecked) {
  Options options;
  EXPECT_NO_THROW(validate(table().bind(options)));
  EXPECT_EQ(refusal({.inner = {.ratio = 2}, .words = {}}), "ratio is 2, expected 0 to 1");
  EXPECT_EQ(refusal({.inner = {.ratio = NAN}, .words = {}}), "ratio is nan, expected 0 to 1");
  EXPECT_EQ(refusal({.inner = {.count = 10}, .words = {}}), "count is 10, expected 1 to 9");
  EXPECT_EQ(refusal({.inner = {}, .most = -1, .words = {}}), "at-most is -1, expected 0 or more");
}

TEST(OptionTable, NumbersAreSetByWhatIsTyped) {
  Options options;
  const auto bound = table().bind(options);
  EXPECT_EQ(find_option(bound, "no such"), nullptr);
  set_number(*find_option(bound, "ratio"), "0.25");
  set_number(*find_option(bound, "at-most"), "12");
  EXPECT_EQ(options.inner.ratio, 0.25);
  EXPECT_EQ(options.most, 12);
  for (const auto& typed :
       {std::pair("ratio", "warm"), std::pair("ratio", "0.5x"), std::pair("ratio", "7"),
        std::pair("count", "1.5"), std::pair("count", "-1"), std::pair("count", ""),
        std::pair("count", "10")}) {
    EXPECT_EQ(
        test::thrown_by([&] { set_number(*find_option(bound, typed.first), typed.second); }).code(),
        ErrorCode::kUsage)
        << typed.first << " " << typed.second;
  }
  // What is refused changes nothing.
  EXPECT_EQ(options.inner.ratio, 0.25);
  EXPECT_EQ(options.inner.count, 3);
  for (const char* name : {"drop-bytes", "words"}) {
    const Error error = test::thrown_by([&] { set_number(*find_option(bound, name), "1"); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(test::mentions(error, "takes no number"));
  }
}

TEST(OptionTable, ComesBackFromJson) {
  Options options{.inner = {.ratio = 0.1, .count = 2},
                  .most = int64_t{1} << 60,
                  .bytes_kept = false,
                  .words = {"a", "b"}};
  const Json json = to_json(table().bind(options));
  EXPECT_EQ(json.dump(), R"({"ratio":0.1,"count":2,"at_most":1152921504606846976,)"
                         R"("drop_bytes":true,"words":["a","b"]})");
  Options back;
  from_json(table().bind(back), json);
  EXPECT_EQ(to_json(table().bind(back)), json);
  EXPECT_FALSE(back.bytes_kept);
  Options partly;
  from_json(table().bind(partly), {{"count", 4}});
  EXPECT_EQ(partly.inner.count, 4);
  EXPECT_EQ(partly.most, 7);
  EXPECT_TRUE(partly.bytes_kept);
}

TEST(OptionTable, JsonIsChecked) {
  for (const Json& bad : {Json{{"ratio", 2}}, Json{{"ratio", "x"}}, Json{{"count", 1.5}},
                          Json{{"drop_bytes", 1}}, Json{{"words", "a"}}, Json{{"words", {1}}}}) {
    Options options;
    EXPECT_EQ(test::thrown_by([&] { from_json(table().bind(options), bad); }).code(),
              ErrorCode::kInvalidData)
        << bad;
  }
}

}  // namespace
}  // namespace inkstone
