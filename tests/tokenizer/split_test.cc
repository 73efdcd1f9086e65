// Pre-tokenizers other than GPT-2's: pieces against Hugging Face's
// (tests/fixtures/tokenizer/splits.json).
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unicode/regex.h>
#include <unicode/unistr.h>

#include "base/error.h"
#include "base/utf8.h"
#include "pieces.h"
#include "samples.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer_json.h"
#include "tokenizer/regex_pre_tokenizer.h"

namespace inkstone {
namespace {

using test::cut;
using test::mentions;
using test::Pieces;
using test::thrown_by;

std::string in_alphabet(const Pieces& pieces) {
  std::string line;
  for (const std::string& piece : pieces)
    line += (line.empty() ? "" : " ") + to_byte_alphabet(piece);
  return line;
}

Json splits() { return read_json(test::fixture("tokenizer/splits.json")); }

// A tokenizer with the bytes and a few merges.
Json small_tokenizer(const Json& pre_tokenizer, const Json& normalizer = nullptr) {
  Json json = read_json(test::fixture("tokenizer/bpe.json"));
  json["pre_tokenizer"] = pre_tokenizer;
  json["normalizer"] = normalizer;
  return json;
}

Tokenizer load(const Json& json) {
  const test::ScratchFolder folder;
  write_json(folder / "tokenizer.json", json);
  return Tokenizer::load(folder.path());
}

std::unique_ptr<const PreTokenizer> regex(const std::string& pattern) {
  return make_pre_tokenizer(
      {.steps = {{.kind = PreTokenizerSpec::Kind::kRegex, .pattern = pattern}}});
}

TEST(SplitPreTokenizers, CutAsHuggingFaceDoes) {
  const Json golden = splits();
  ASSERT_GE(golden["variants"].size(), 18u);
  for (const auto& [name, variant] : golden["variants"].items()) {
    const PreTokenizerSpec spec = read_pre_tokenizer(variant["pre_tokenizer"]);
    if (spec.add_prefix_space || !variant["normalizer"].is_null()) continue;
    const auto pre_tokenizer = make_pre_tokenizer(spec);
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      EXPECT_EQ(in_alphabet(cut(*pre_tokenizer, text)), variant["pieces"][i].get<std::string>())
          << name << ": " << text;
    }
  }
}

TEST(SplitPreTokenizers, CanBeCutWhereTheySay) {
  const Json golden = splits();
  std::string all;
  for (const Json& text : golden["texts"]) all += text.get<std::string>() + "\xFF";
  size_t cuts = 0;
  for (const auto& [name, variant] : golden["variants"].items()) {
    const auto pre_tokenizer = make_pre_tokenizer(read_pre_tokenizer(variant["pre_tokenizer"]));
    const Pieces whole = cut(*pre_tokenizer, all);
    for (size_t at = 1; at < all.size(); ++at) {
      if (!pre_tokenizer->is_cut(all, at)) continue;
      ++cuts;
      Pieces parts = cut(*pre_tokenizer, all.substr(0, at));
      for (std::string& piece : cut(*pre_tokenizer, all.substr(at)))
        parts.push_back(std::move(piece));
      ASSERT_EQ(parts, whole) << name << " at " << at;
    }
  }
  EXPECT_GT(cuts, 500u);
}

// The hand-written matchers against ICU's matching of the same expression.
TEST(SplitPreTokenizers, HandWrittenOnesAgreeWithTheRegularExpression) {
  const Json golden = splits();
  std::mt19937 random(4);
  for (const char* name : {"cl100k", "qwen2", "o200k", "gpt2_split"}) {
    const Json& step = golden["variants"][name]["pre_tokenizer"]["pretokenizers"][0];
    const std::string pattern = step["pattern"]["Regex"];
    ASSERT_TRUE(covers_every_text(pattern)) << name;
    const auto by_hand = regex(pattern);
    const RegexPreTokenizer by_icu(pattern);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = test::random_text(random, 1 + random() % 24);
      ASSERT_EQ(cut(*by_hand, text), cut(by_icu, text)) << name << ": " << text;
    }
    const std::string long_text = test::random_text(random, 100'000);  // of many windows
    ASSERT_TRUE(cut(*by_hand, long_text) == cut(by_icu, long_text)) << name;
  }
}

TEST(SplitPreTokenizers, InvalidBytesAreARunOfTheirOwn) {
  const Json golden = splits();
  for (const auto& [name, variant] : golden["variants"].items()) {
    const auto pre_tokenizer = make_pre_tokenizer(read_pre_tokenizer(variant["pre_tokenizer"]));
    EXPECT_EQ(cut(*pre_tokenizer, "a\xFF\x80z"), (Pieces{"a", "\xFF\x80", "z"})) << name;
    EXPECT_EQ(cut(*pre_tokenizer, "\xE4\xB8"), (Pieces{"\xE4\xB8"})) << name;
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
      const std::string text = test::random_bytes(random, random() % 20);
      std::string joined;
      for (const std::string& piece : cut(*pre_tokenizer, text)) {
        joined += piece;
        EXPECT_EQ(is_valid_utf8(piece), decode_utf8(piece, 0).ok) << name;
      }
      EXPECT_EQ(joined, text) << name;
    }
  }
}

TEST(SplitPreTokenizers, SurviveASave) {
  const Json golden = splits();
  for (const auto& [name, variant] : golden["variants"].items()) {
    const Tokenizer tokenizer = load(
        small_tokenizer(variant["pre_tokenizer"], variant["normalizer"]));
    const test::ScratchFolder folder;
    tokenizer.save(folder.path());
    const Tokenizer again = Tokenizer::load(folder.path());
    const std::string text = test::fixture_text("text.txt") + "12345 e\u0301 don't\n";
    EXPECT_EQ(again.encode(text), tokenizer.encode(text)) << name;
    EXPECT_EQ(std::filesystem::exists(folder / "merges.txt"), name == "gpt2") << name;
  }
}

Pieces repeat(int times, const Pieces& pieces) {
  Pieces all;
  for (int i = 0; i < times; ++i) all.insert(all.end(), pieces.begin(), pieces.end());
  return all;
}

TEST(SplitPreTokenizers, LongTextsAreCutAsShortOnes) {
  const auto words = regex("[a-y]+|zz");  // no hand-written one
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "abc zz  ";
  EXPECT_EQ(cut(*words, text), repeat(2000, {"abc", " ", "zz", "  "}));
  EXPECT_EQ(cut(*words, std::string(100'000, 'a')), Pieces{std::string(100'000, 'a')});
  EXPECT_EQ(cut(*words, std::string(100'000, 'Q')), Pieces{std::string(100'000, 'Q')});
  EXPECT_EQ(cut(*regex("(?<=[a-c]{3})x"), std::string(5000, ' ') + "abcx"),
            (Pieces{std::string(5000, ' ') + "abc", "x"}));
}

// The matches in the whole text at once, and what is between them.
Pieces cut_at_once(const std::string& pattern, const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto input = icu::UnicodeString::fromUTF8(text);
  icu::RegexMatcher matcher(icu::UnicodeString::fromUTF8(to_icu_syntax(pattern)), input,
                            UREGEX_MULTILINE | UREGEX_UNIX_LINES, status);
  Pieces pieces;
  int32_t last = 0;
  const auto add = [&](int32_t end) {
    if (end == last) return;
    input.tempSubStringBetween(last, end).toUTF8String(pieces.emplace_back());
    last = end;
  };
  while (matcher.find(status)) {
    add(matcher.start(status));
    add(matcher.end(status));
  }
  EXPECT_TRUE(U_SUCCESS(status)) << u_errorName(status);
  add(input.length());
  return pieces;
}

TEST(SplitPreTokenizers, WindowsDoNotShow) {
  constexpr std::string_view kParts[] = {"ab12", " x3", "\n", "  ", "\u4E2Dx7", "b12", "a"};
  std::mt19937 random(6);
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += kParts[random() % std::size(kParts)];
  for (const char* pattern :
       {R"((?<=[a-z])\d+|(?<!x)\w+|^ +)", R"((?<=ab12 x)3|(?<=\n)ab|12$)", R"(^ab|(?<!^)x)",
        R"(\s+(?=x)|\d(?!\n))", R"((?<=\n\n)\n|.)", R"((?<=b)12|a|b|1|2)", R"(^12|a|b|1|2)",
        R"((?<=ab1)2 |a|b|1|2| |x|3)"}) {
    EXPECT_TRUE(cut(*regex(pattern), text) == cut_at_once(pattern, text)) << pattern;
  }
}

// Would take hours if every batch of pieces began again where the first step last cut: here
// nowhere.
TEST(SplitPreTokenizers, SequencesTakeLinearTime) {
  const Json golden = splits();
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += " word, 明月";
  for (const char* name : {"deepseek3", "deepseek_coder", "string"}) {
    const auto pre_tokenizer = make_pre_tokenizer(
        read_pre_tokenizer(golden["variants"][name]["pre_tokenizer"]));
    EXPECT_TRUE(cut(*pre_tokenizer, text) == repeat(50'000, cut(*pre_tokenizer, " word, 明月")))
        << name;
  }
}

TEST(SplitPreTokenizers, RefuseByNameWhatIsNotImplemented) {
  const auto error = [](const std::string& json) {
    return thrown_by([&] { make_pre_tokenizer(read_pre_tokenizer(parse_json(json))); });
  };
  const auto unsupported = [&](const std::string& json, const std::string& part) {
    const Error thrown = error(json);
    EXPECT_EQ(thrown.code(), ErrorCode::kUnsupported) << json;
    EXPECT_TRUE(mentions(thrown, part)) << thrown.what();
  };
  const auto split = [](const std::string& regex, const std::string& rest) {
    return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":")" + regex +
           R"("},)" + rest +
           R"(},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
  };
  const std::string isolated = R"("behavior":"Isolated","invert":false)";
  unsupported(R"({"type":"Whitespace"})", "'Whitespace'");
  unsupported(R"({"type":"Digits"})", "without 'ByteLevel'");
  unsupported(split("a", R"("behavior":"Removed","invert":false)"), "'Removed' of a Split by 'a'");
  unsupported(split("a", R"("behavior":"Removed","invert":true)"),
              "'Removed', inverted, of a Split by 'a'");
  unsupported(split("a", R"("behavior":"MergedWithNext","invert":false)"), "'MergedWithNext'");
  unsupported(split("(a", isolated), "'(a'");
  for (const char* pattern :
       {"a{1,2}+", R"(\\bx)", R"((a)\\1)", "[[:alpha:]]", "(?m:x)", R"(\\xE4)", R"(\\Ax)",
        R"(\\pL)", "[[a-z]-[b]]", "[[a-z]&[b]]", "a(?i)b|c", "a{2}?"})
    unsupported(split(pattern, isolated), "in the regular expression");
  unsupported(R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false},
                {"type":"Digits"}]})",
              "'Digits' after 'ByteLevel'");
  unsupported(R"({"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel"}]})",
              "'add_prefix_space'");
  EXPECT_EQ(error(R"({"type":"Sequence"})").code(), ErrorCode::kInvalidData);
  EXPECT_EQ(error(R"({"type":"Sequence","pretokenizers":[1]})").code(), ErrorCode::kInvalidData);
  EXPECT_EQ(error(R"({"type":"Split","behavior":"Isolated"})").code(), ErrorCode::kInvalidData);
}

TEST(SplitPreTokenizers, StopAtIcusLimits) {
  const auto nested = regex("(a|a)*c");
  const Error error = thrown_by([&] { cut(*nested, std::string(60, 'a') + "b"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(error, "'(a|a)*c'"));
}

// '=' and U+0338 are one character in NFC, which is no punctuation: no cut before '='.
TEST(Normalizers, NfcMayJoinWhatThePreTokenizerWouldCut) {
  const Json punctuation = {
      {"type", "Sequence"},
      {"pretokenizers",
       Json::array({{{"type", "Punctuation"}, {"behavior", "Isolated"}},
                    {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}})}};
  const Tokenizer plain = load(small_tokenizer(punctuation));
  const Tokenizer nfc = load(small_tokenizer(punctuation, {{"type", "NFC"}}));
  const std::string text = "x =\u0338 y\n";
  EXPECT_TRUE(plain.is_cut(text, text.find('=')));
  EXPECT_FALSE(nfc.is_cut(text, text.find('=')));
  EXPECT_TRUE(nfc.is_cut(text, 1));
  StreamEncoder encoder(nfc);
  std::vector<TokenId> ids;
  for (const char c : text) encoder.add({&c, 1}, ids);
  encoder.finish(ids);
  EXPECT_EQ(ids, nfc.encode(text));
}

TEST(Normalizers, NfcAndThePrefixSpace) {
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  const Tokenizer spaced = load(small_tokenizer(byte_level));
  EXPECT_EQ(spaced.decode(spaced.encode("day")), " day");
  EXPECT_EQ(spaced.decode(spaced.encode(" day")), " day");
  EXPECT_EQ(spaced.encode(""), std::vector<TokenId>{});
  Json plain = byte_level;
  plain["add_prefix_space"] = false;
  const Tokenizer nfc = load(small_tokenizer(plain, {{"type", "NFC"}}));
  EXPECT_EQ(nfc.decode(nfc.encode("e\u0301\xFF"
                                  "e\u0301x")),
            "\u00E9\xFF\u00E9x");
  const Json list = {{"type", "Sequence"}, {"normalizers", Json::array({{{"type", "NFC"}}})}};
  EXPECT_EQ(load(small_tokenizer(plain, list)).encode("e\u0301"), nfc.encode("\u00E9"));
  EXPECT_NE(load(small_tokenizer(plain)).encode("e\u0301"), nfc.encode("\u00E9"));
  // Unicode 5 knew U+0316 (below), and orders it; U+07FD (below too) came with Unicode 11, and
  // Hugging Face leaves it.
  EXPECT_EQ(nfc.decode(nfc.encode("x\u0301\u0316")), "x\u0316\u0301");
  EXPECT_EQ(nfc.decode(nfc.encode("x\u0301\u07FD")), "x\u0301\u07FD");
}

}  // namespace
}  // namespace inkstone
