#include "tokenizer/tokenizer_json.h"

#include "base/file.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace inkstone {
namespace {

using test::mentions;
using test::thrown_by;
using Ids = std::vector<TokenId>;

// The fixture's BPE, changed by `change`, written to a file and loaded.
Tokenizer load_changed(const std::function<void(Json&)>& change,
                       const std::string& base = "bpe.json") {
  Json json = read_json(test::fixture("tokenizer/" + base));
  change(json);
  const test::ScratchFolder folder;
  write_json(folder / "tokenizer.json", json);
  return Tokenizer::load(folder.path());
}

Error error_of(const std::function<void(Json&)>& change, const std::string& base = "bpe.json") {
  return thrown_by([&] { load_changed(change, base); });
}

void expect_error(const Error& error, ErrorCode code, const std::string& part) {
  EXPECT_EQ(error.code(), code) << error.what();
  EXPECT_TRUE(mentions(error, part));
}

TEST(TokenizerJson, TheUnchangedFixtureLoads) {
  EXPECT_EQ(load_changed([](Json&) {}).vocab_size(), 420);
  EXPECT_EQ(load_changed([](Json&) {}, "char.json").type(), TokenizerType::kChar);
}

TEST(TokenizerJson, BothFormsOfMergesAreTheSame) {
  const auto to_lines = [](Json& j) {
    for (Json& merge : j["model"]["merges"])
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  };
  const std::string text = test::fixture_text("text.txt");
  EXPECT_EQ(load_changed(to_lines).encode(text), load_changed([](Json&) {}).encode(text));
}

TEST(TokenizerJson, RefusesWhatIsNotImplementedByName) {
  const auto unsupported = [](const std::function<void(Json&)>& change, const std::string& name) {
    expect_error(error_of(change), ErrorCode::kUnsupported, name);
  };
  unsupported([](Json& j) { j["model"]["type"] = "WordPiece"; }, "'WordPiece'");
  unsupported(
      [](Json& j) { j["model"] = Json::parse(R"({"type":"Unigram","vocab":[["a",0.5]]})"); },
      "'Unigram'");
  unsupported([](Json& j) { j["normalizer"] = {{"type", "NFKC"}}; }, "normalizer 'NFKC'");
  unsupported([](Json& j) { j["pre_tokenizer"]["type"] = "Whitespace"; },
              "pre_tokenizer 'Whitespace'");
  unsupported([](Json& j) { j["pre_tokenizer"] = nullptr; }, "without a pre_tokenizer");
  unsupported([](Json& j) { j["post_processor"] = {{"type", "Other"}}; }, "post_processor 'Other'");
  unsupported([](Json& j) { j["decoder"]["type"] = "Metaspace"; }, "decoder 'Metaspace'");
  unsupported([](Json& j) { j["model"]["dropout"] = 0.1; }, "dropout");
  unsupported([](Json& j) { j["model"]["continuing_subword_prefix"] = "##"; },
              "continuing_subword_prefix");
  unsupported([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix");
}

// As Hugging Face: white space is no token's that an added token takes. In a stream too, and after
// saving.
TEST(TokenizerJson, AddedTokensMayLookAround) {
  // More white space than the longest token, so that a stream that did not wait for its end would
  // be found out.
  const std::string spaces(30, ' '),
      text = "one" + spaces + "<pad> two<pad>" + spaces + "three four<pad>five";
  std::mt19937 random(5);
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    const Tokenizer made = load_changed([&](Json& j) { j["added_tokens"][1][flag] = true; });
    const test::ScratchFolder folder;
    made.save(folder.path());
    const Tokenizer tokenizer = Tokenizer::load(folder.path());
    const Ids ids = tokenizer.encode(text, SpecialTokens::kAllow);
    const std::string decoded = tokenizer.decode(ids);
    EXPECT_EQ(decoded,
              flag == std::string("lstrip")   ? "one<pad> two<pad>" + spaces + "three four<pad>five"
              : flag == std::string("rstrip") ? "one" + spaces + "<pad>two<pad>three four<pad>five"
                                              : text);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), *made.special_token("<pad>")),
              flag == std::string("single_word") ? 1 : 3);
    for (int round = 0; round < 50; ++round) {
      StreamEncoder encoder(tokenizer, SpecialTokens::kAllow);
      Ids streamed;
      for (size_t at = 0; at < text.size();) {
        const size_t size = random() % 9;
        encoder.add(std::string_view(text).substr(at, size), streamed);
        at += size;
      }
      encoder.finish(streamed);
      ASSERT_EQ(streamed, ids) << flag;
    }
  }
}

TEST(TokenizerJson, RefusesOtherCharacterVocabularies) {
  const auto error = [](const std::function<void(Json&)>& change) {
    return error_of(change, "char.json");
  };
  expect_error(error([](Json& j) { j["model"]["byte_fallback"] = false; }), ErrorCode::kUnsupported,
               "byte_fallback");
  expect_error(error([](Json& j) { j["decoder"] = nullptr; }), ErrorCode::kUnsupported, "decoder");
  expect_error(error([](Json& j) { j["decoder"]["decoders"].erase(0); }), ErrorCode::kUnsupported,
               "decoder");
  expect_error(error([](Json& j) { j["model"]["merges"].push_back("t h"); }),
               ErrorCode::kUnsupported, "merges");
  expect_error(error([](Json& j) { j["model"]["vocab"]["th"] = 356; }), ErrorCode::kUnsupported,
               "'th'");
  expect_error(error([](Json& j) { j["model"]["vocab"].erase("<0xE6>"); }), ErrorCode::kInvalidData,
               "<0xE6>");
  expect_error(error([](Json& j) { j["model"]["vocab"].erase("t"); }), ErrorCode::kInvalidData,
               "0x74");
}

// What is read member by member, with the place and what stands there.
TEST(TokenizerJson, NamesWhatIsWrongInTheLists) {
  const auto expect = [](const std::string& vocab, const std::string& merges,
                         const std::string& part) {
    const test::ScratchFolder scratch;
    write_file(scratch / "tokenizer.json", R"({"model": {"type": "BPE", "vocab": )" + vocab +
                                               R"(, "merges": )" + merges + "}}");
    const Error error = test::thrown_by([&] { Tokenizer::load(scratch / "tokenizer.json"); });
    expect_error(error, ErrorCode::kInvalidData, part);
  };
  expect(R"({"a": 1.5})", "[]", "token 'a' has the id 1.5, expected an integer from 0 to 9999999");
  expect(R"({"a": -1})", "[]", "token 'a' has the id -1,");
  expect(R"({"a": 10000000})", "[]", "token 'a' has the id 10000000,");
  expect(R"({"a": 99999999999999999999})", "[]", "has the id 99999999999999999999,");
  expect(R"({"a": "0"})", "[]", R"(has the id "0",)");
  expect(R"({"a": null})", "[]", "has the id null,");
  expect(R"({"a": {"b": 0}})", "[]", R"(has the id {"b": 0},)");
  expect("[]", "[]", "'model.vocab' is missing or not an object");
  expect("{}", "{}", "'model.merges' is missing or not an array");
  expect("{}", R"(["a b", "ab"])", "merge 2 is 'ab', expected");
  expect("{}", "[5]", "merge 1 is 5, expected");
  expect("{}", R"([["a"]])", "merge 1 is an array of 1");
  expect("{}", R"([["a", "b", "c"]])", "merge 1 is an array of 3");
  expect("{}", R"([["a", 5]])", "merge 1 is an array of other than strings");
  expect(R"({}, "vocab": {})", "[]", "two vocabularies");
  expect("{}", R"([], "merges": [])", "two lists of merges");
  expect(R"({"a": 0,})", "[]", "not valid JSON");
  expect(R"({"a" 0})", "[]", "not valid JSON at byte");
  expect("{\"\n\": 0}", "[]", "not valid JSON");
  expect(R"({"\ud800": 0})", "[]", "not valid JSON");
  expect("{\"\xFF\": 0}", "[]", "not valid JSON");
  expect("{}", "[]} trailing", "not valid JSON");
}

// An ordered object looks each new member up among all before it: a million of them would take
// hours.
TEST(TokenizerJson, RefusesAnObjectOfTooManyMembers) {
  std::string members;
  for (int i = 0; i <= 10'000; ++i)
    members += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":0";
  const test::ScratchFolder scratch;
  write_file(scratch / "tokenizer.json", "{\"x\":{" + members + "}}");
  const Error error = test::thrown_by([&] { Tokenizer::load(scratch / "tokenizer.json"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "more than 10000 members"));
}

// A run folder has its tokenizer in its checkpoints: the best, else the last.
TEST(TokenizerJson, ARunFolderGivesItsCheckpointsTokenizer) {
  const test::ScratchFolder run;
  const Tokenizer original = Tokenizer::load(test::fixture("tokenizer/bpe.json"));
  original.save(run / "last");
  EXPECT_EQ(Tokenizer::load(run.path()).vocab_size(), original.vocab_size());
  std::filesystem::remove_all(run / "last");
  EXPECT_EQ(test::thrown_by([&] { Tokenizer::load(run.path()); }).code(), ErrorCode::kNotFound);
}

TEST(TokenizerJson, RefusesBrokenJson) {
  const std::string good = test::fixture_text("bpe.json");
  for (size_t size = 0; size < good.size(); size += 61) {
    EXPECT_EQ(
        thrown_by([&] { parse_tokenizer_json(std::string_view(good).substr(0, size)); }).code(),
        ErrorCode::kInvalidData);
  }
  for (const std::string& text :
       {std::string("[]"), std::string("{}"), std::string("null"), std::string("1"),
        std::string(R"({"model":[]})"), std::string(R"({"model":{}})"), std::string("{\"\xFF\":1}"),
        "[" + std::string(100, '[')}) {
    EXPECT_EQ(thrown_by([&] { parse_tokenizer_json(text); }).code(), ErrorCode::kInvalidData)
        << text;
  }
  for (const char* before : {"", R"({"x": )", R"({"model": {"x": )"}) {
    const std::string text = before + std::string(600, '[') + std::string(600, ']') +
                             (*before == '\0' ? "" : "}}");
    expect_error(thrown_by([&] { parse_tokenizer_json(text); }), ErrorCode::kInvalidData,
                 "512 levels");
  }
}

TEST(TokenizerJson, RefusesBadVocabularies) {
  const auto invalid = [](const std::function<void(Json&)>& change, const std::string& part) {
    expect_error(error_of(change), ErrorCode::kInvalidData, part);
  };
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = -1; }, "'Ġt' has the id -1");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = 10'000'000; }, "10000000");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = 18446744073709551615u; },
          "18446744073709551615");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = 1.5; }, "1.5");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = "7"; }, "expected an integer");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = nullptr; }, "expected an integer");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = Json::array(); }, "expected an integer");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = Json::object(); }, "expected an integer");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = 5; }, "id 5 belongs to two tokens");
  invalid([](Json& j) { j["model"]["vocab"]["Ġt"] = 9'999'999; }, "only");
  invalid([](Json& j) { j["model"]["vocab"]["a b"] = 420; }, "byte alphabet");
  invalid([](Json& j) { j["model"]["vocab"][""] = 420; }, "empty");
  invalid([](Json& j) { j["model"]["vocab"].erase("Ġ"); }, "byte 0x20");
  invalid([](Json& j) { j["model"]["vocab"] = Json::array(); }, "model.vocab");
  invalid([](Json& j) { j["model"].erase("vocab"); }, "model.vocab");
}

TEST(TokenizerJson, RefusesATokenThatIsThereTwice) {
  std::string text = test::fixture_text("bpe.json");
  text.insert(text.find('{', text.find("\"vocab\"")) + 1, "\"!\": 2, ");
  const test::ScratchFolder folder;
  write_file(folder / "tokenizer.json", text);
  expect_error(thrown_by([&] { Tokenizer::load(folder.path()); }), ErrorCode::kInvalidData,
               "twice");
}

TEST(TokenizerJson, RefusesBadMerges) {
  const auto invalid = [](const Json& merge, const std::string& part) {
    expect_error(error_of([&](Json& j) { j["model"]["merges"].push_back(merge); }),
                 ErrorCode::kInvalidData, part);
  };
  invalid("Ġt unknowntoken",
          "merge 163 ('Ġt' and 'unknowntoken'): 'unknowntoken' is not in the vocabulary");
  invalid("z Q", "'zQ' is not in the vocabulary");
  invalid("Ġ t", "merge 163 ('Ġ' and 't') occurs twice");
  invalid("a", "merge 163 is 'a'");
  invalid("a b c", "merge 163");
  invalid(" a", "merge 163");
  invalid(7, "merge 163 is 7");
  invalid(nullptr, "merge 163 is null");
  invalid(Json::object(), "merge 163");
  invalid(Json::array({"a"}), "an array of 1");
  invalid(Json::array({"a", "b", "c"}), "an array of 3");
  invalid(Json::array({"a", 1}), "merge 163");
  invalid(Json::array({"a", Json::array()}), "merge 163");
  expect_error(error_of([](Json& j) { j["model"]["merges"] = "a b"; }), ErrorCode::kInvalidData,
               "model.merges");
  expect_error(error_of([](Json& j) { j["model"].erase("merges"); }), ErrorCode::kInvalidData,
               "model.merges");
}

TEST(TokenizerJson, RefusesBadAddedTokens) {
  const auto invalid = [](const std::function<void(Json&)>& change, const std::string& part) {
    expect_error(error_of(change), ErrorCode::kInvalidData, part);
  };
  invalid([](Json& j) { j["added_tokens"] = 1; }, "added_tokens");
  invalid([](Json& j) { j["added_tokens"].push_back(1); }, "added token 2");
  invalid([](Json& j) { j["added_tokens"][1].erase("content"); }, "'content' is missing");
  invalid([](Json& j) { j["added_tokens"][1]["id"] = -1; }, "'id' is -1");
  invalid([](Json& j) { j["added_tokens"][1]["id"] = 10'000'000; }, "'id' is 10000000");
  invalid([](Json& j) { j["added_tokens"][1]["id"] = 7; }, "id 7 belongs to two tokens");
  invalid([](Json& j) { j["added_tokens"][1]["id"] = 500; }, "'<pad>' has two ids");
  invalid([](Json& j) { j["added_tokens"][1]["content"] = ""; }, "empty");
  invalid([](Json& j) { j["added_tokens"].push_back(j["added_tokens"][1]); }, "listed twice");
  // "Ġ" in the alphabet is the space, as a special token it is the letter.
  invalid(
      [](Json& j) {
        Json token = j["added_tokens"][1];
        token["content"] = "Ġ";
        token["id"] = j["model"]["vocab"]["Ġ"];
        j["added_tokens"].push_back(token);
      },
      "'Ġ'");
}

// Ids may have gaps, as after tokens were removed by hand: such an id decodes to nothing.
TEST(TokenizerJson, KeepsGaps) {
  const Tokenizer tokenizer = load_changed([](Json& j) {
    Json token = j["added_tokens"][1];
    token["content"] = "<new>";
    token["id"] = 425;
    j["added_tokens"].push_back(token);
  });
  EXPECT_EQ(tokenizer.vocab_size(), 426);
  EXPECT_EQ(tokenizer.decode(Ids{425, 422}), "<new>");
  EXPECT_EQ(tokenizer.encode("<new>", SpecialTokens::kAllow), Ids{425});
}

TEST(TokenizerJson, LeavesTruncationAndPaddingAside) {
  EXPECT_EQ(load_changed([](Json& j) {
              j["truncation"] = {{"max_length", 2}};
              j["padding"] = {{"pad_id", 1}};
              j["model"].erase("type");
            }).vocab_size(),
            420);
}

}  // namespace
}  // namespace inkstone
