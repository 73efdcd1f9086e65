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

enum class Colour { kRed, kBlue };
constexpr ChoiceNames<Colour, 2> kColours = {{{Colour::kRed, "red"}, {Colour::kBlue, "blue"}}};

// What generating does not have.
struct Others {
  double rate = 0.5;
  std::pair<double, double> interval = {0.25, 0.25};
  uint64_t seed = 1;
  std::string text = "a";
  std::vector<double> parts;
  Colour colour = Colour::kRed;
};

OptionTable<Others> others() {
  return OptionTable<Others>()
      .group("Numbers")
      .add({.name = "rate", .in = {.command = "tune", .value = "0.125", .help = "less"}},
           &Others::rate, {.low = 0, .high = 1, .above_low = true, .below_high = true})
      .add({.name = "interval"}, &Others::interval, {.low = 0, .high = 1, .below_high = true})
      .add({.name = "seed", .only_in = "tune"}, &Others::seed)
      .group("Words")
      .add({.name = "text"}, &Others::text)
      .add({.name = "parts"}, &Others::parts)
      .only_if([](const Others& o) { return o.seed == 1; })
      .add({.name = "colour", .default_before = "blue"}, &Others::colour, kColours);
}

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
  inkstone::from_json(table().bind(back), json);
  EXPECT_EQ(to_json(table().bind(back)), json);
  EXPECT_FALSE(back.bytes_kept);
  Options partly;
  inkstone::from_json(table().bind(partly), {{"count", 4}});
  EXPECT_EQ(partly.inner.count, 4);
  EXPECT_EQ(partly.most, 7);
  EXPECT_TRUE(partly.bytes_kept);
}

TEST(OptionTable, RangesMayBeOpen) {
  const auto said = [](const NumberRange& range) { return range_text(range).english(); };
  EXPECT_EQ(said({.low = 0, .high = 1}), "0 to 1");
  EXPECT_EQ(said({.low = 0, .high = 1, .below_high = true}), "0 to below 1");
  EXPECT_EQ(said({.low = 0}), "0 or more");
  EXPECT_EQ(said({.low = 0, .above_low = true}), "a number above 0");
  EXPECT_EQ(said({.low = 0, .high = 1, .above_low = true}), "a number above 0 and at most 1");
  for (const double rate : {0.0, 1.0, -1.0, 2.0, static_cast<double>(NAN)}) {
    Others o{.rate = rate, .text = {}, .parts = {}};
    EXPECT_THROW(validate(others().bind(o)), Error) << rate;
  }
  Others o{.rate = 1e-9, .text = {}, .parts = {}};
  EXPECT_NO_THROW(validate(others().bind(o)));
  o.interval = {0.5, 0.25};
  const Error error = test::thrown_by([&] { validate(others().bind(o), "--"); });
  EXPECT_TRUE(test::mentions(error, "--interval is 0.5:0.25, expected 0 to below 1"));
}

TEST(OptionTable, AnyOptionIsSetByAText) {
  Others o;
  const auto bound = others().bind(o);
  for (const auto& [name, text] :
       {std::pair("rate", "0.75"), std::pair("interval", "0.05:0.15"),
        std::pair("seed", "18446744073709551615"), std::pair("text", "two words"),
        std::pair("parts", "3"), std::pair("colour", "blue")}) {
    set_text(*find_option(bound, name), text);
    EXPECT_EQ(value_text(*find_option(bound, name)), text);
  }
  EXPECT_EQ(o.interval, std::pair(0.05, 0.15));
  EXPECT_EQ(o.colour, Colour::kBlue);
  set_text(*find_option(bound, "interval"), "0.5");
  EXPECT_EQ(o.interval, std::pair(0.5, 0.5));
  for (const auto& [option, value] :
       {std::pair("rate", "1"), std::pair("interval", "0.2:0.1"), std::pair("interval", "0.1:"),
        std::pair("interval", ":0.1"), std::pair("interval", "0.1:1"),
        std::pair("interval", "0.1:0.2:0.3"), std::pair("seed", "-1"), std::pair("parts", "x"),
        std::pair("colour", "green")}) {
    const char *const name = option, *const text = value;
    const Error error = test::thrown_by([&] { set_text(*find_option(bound, name), text); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << name << " " << text;
    EXPECT_TRUE(test::mentions(error, text));
  }
  Options switches;
  const auto drop = *find_option(table().bind(switches), "drop-bytes");
  set_text(drop, "on");
  EXPECT_FALSE(switches.bytes_kept);
  EXPECT_EQ(value_text(drop), "on");
  EXPECT_THROW(set_text(drop, "yes"), Error);
}

TEST(OptionTable, EveryTypeComesBackFromJson) {
  Others o{.rate = 0.1,
           .interval = {0.1, 0.2},
           .seed = UINT64_MAX,
           .text = "\"",
           .parts = {0.1, 2},
           .colour = Colour::kBlue};
  const Json json = to_json(others().bind(o));
  EXPECT_EQ(json.dump(), R"({"rate":0.1,"interval":[0.1,0.2],"seed":18446744073709551615,)"
                         R"("text":"\"","parts":[0.1,2.0],"colour":"blue"})");
  Others back;
  inkstone::from_json(others().bind(back), json);
  EXPECT_EQ(to_json(others().bind(back)), json);
  for (const Json& bad :
       {Json{{"rate", 1}}, Json{{"interval", {0.1}}}, Json{{"interval", {0.2, 0.1}}},
        Json{{"interval", "0.1"}}, Json{{"interval", 1}}, Json{{"seed", -1}}, Json{{"seed", 1.5}},
        Json{{"text", 3}}, Json{{"parts", 1}}, Json{{"parts", {"a"}}}, Json{{"colour", "green"}},
        Json{{"colour", 0}}}) {
    Others options;
    EXPECT_EQ(test::thrown_by([&] { inkstone::from_json(others().bind(options), bad); }).code(),
              ErrorCode::kInvalidData)
        << bad;
  }
}

// The default changed from blue to red: files of before mean blue.
TEST(OptionTable, AMissingKeyMeansTheDefaultOfItsTime) {
  Others o;
  inkstone::from_json(others().bind(o), Json::object());
  EXPECT_EQ(o.colour, Colour::kBlue);
  EXPECT_EQ(o.rate, 0.5);
}

TEST(OptionTable, ACommandMayHaveItsOwn) {
  Others o;
  const auto bound = others().bind(o);
  const OptionInfo& rate = find_option(bound, "rate")->info;
  EXPECT_STREQ(info_in(rate, "tune").help, "less");
  EXPECT_STREQ(info_in(rate, "make").help, "");
  EXPECT_STREQ(rate.group, "Numbers");
  EXPECT_STREQ(find_option(bound, "text")->info.group, "Words");
  EXPECT_TRUE(is_option_of(rate, "make"));
  EXPECT_FALSE(is_option_of(find_option(bound, "seed")->info, "make"));
  EXPECT_TRUE(is_option_of(find_option(bound, "seed")->info, "tune"));
  set_defaults_of("make", bound);
  EXPECT_EQ(o.rate, 0.5);
  set_defaults_of("tune", bound);
  EXPECT_EQ(o.rate, 0.125);
}

TEST(OptionTable, OthersMayTakeItsMeaning) {
  Others o;
  EXPECT_TRUE(find_option(others().bind(o), "parts")->in_effect);
  o.seed = 2;
  EXPECT_FALSE(find_option(others().bind(o), "parts")->in_effect);
}

TEST(OptionTable, JsonIsChecked) {
  for (const Json& bad : {Json{{"ratio", 2}}, Json{{"ratio", "x"}}, Json{{"count", 1.5}},
                          Json{{"drop_bytes", 1}}, Json{{"words", "a"}}, Json{{"words", {1}}}}) {
    Options options;
    EXPECT_EQ(test::thrown_by([&] { inkstone::from_json(table().bind(options), bad); }).code(),
              ErrorCode::kInvalidData)
        << bad;
  }
}

}  // namespace
}  // namespace inkstone
