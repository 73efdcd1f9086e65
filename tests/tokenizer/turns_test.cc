// Templates of turns: ids and masks of Transformers' apply_chat_template, files, faults.
#include "inkstone/turns.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "samples.h"

namespace inkstone {
namespace {

// The tokenizer that tools/make_completion_fixtures.py used.
Tokenizer golden_tokenizer() { return Tokenizer::load(test::fixture("completion/model")); }

// By template. Made with Transformers.
Json goldens() { return read_json(test::fixture("completion/goldens.json"))["templates"]; }

std::vector<Turn> turns_of(const Json& list) {
  std::vector<Turn> turns;
  for (const Json& turn : list)
    turns.push_back({turn[0].get<std::string>(), turn[1].get<std::string>()});
  return turns;
}

std::vector<int> mask_of(const EncodedTurns& encoded) {
  std::vector<int> mask(encoded.ids.size());
  for (const TokenSpan& span : encoded.trained)
    std::fill(mask.begin() + span.begin, mask.begin() + span.end, 1);
  return mask;
}

TEST(Turns, IdsMasksAndPromptsEqualTransformers) {
  const Tokenizer tokenizer = golden_tokenizer();
  int conversations = 0;
  const Json all = goldens();
  for (const auto& [name, golden] : all.items()) {
    TurnEncoder encoder(tokenizer, parse_turn_template(golden["template"].dump()));
    for (const Json& one : golden["conversations"]) {
      const std::vector<Turn> turns = turns_of(one["turns"]);
      const EncodedTurns encoded = encoder.encode(turns);
      EXPECT_EQ(encoded.ids, one["ids"].get<std::vector<TokenId>>()) << name << one["turns"];
      EXPECT_EQ(mask_of(encoded), one["mask"].get<std::vector<int>>()) << name << one["turns"];
      EXPECT_EQ(encoder.encode_prompt(std::span(turns).first(turns.size() - 1)),
                one["prompt_ids"].get<std::vector<TokenId>>())
          << name << one["turns"];
      ++conversations;
    }
  }
  EXPECT_GE(conversations, 15);
}

TEST(Turns, TheJinjaIsTheOneThatTransformersWasGiven) {
  const Json all = goldens();
  for (const auto& [name, golden] : all.items()) {
    const TurnTemplate turns = parse_turn_template(golden["template"].dump());
    EXPECT_EQ(jinja_of(turns), golden["jinja"].get<std::string>()) << name;
    EXPECT_EQ(parse_turn_template(to_json_text(turns)), turns) << name;
  }
  EXPECT_EQ(load_turn_template("turns"),
            parse_turn_template(goldens()["turns"]["template"].dump()));
  EXPECT_EQ(load_turn_template("plain"),
            parse_turn_template(goldens()["plain"]["template"].dump()));
}

TEST(Turns, TheEndMarkIsOneTokenAndTrainedAndItsTextIsText) {
  const Tokenizer tokenizer = golden_tokenizer();
  TurnEncoder encoder(tokenizer, load_turn_template("plain"));
  const std::vector<Turn> turns = {{"user", "a <|endoftext|> b "}, {"assistant", "<|endoftext|>"}};
  const EncodedTurns encoded = encoder.encode(turns);
  const TokenId end = *tokenizer.end_of_text();
  EXPECT_EQ(std::count(encoded.ids.begin(), encoded.ids.end(), end), 1);
  EXPECT_EQ(encoded.ids.back(), end);
  ASSERT_EQ(encoded.trained.size(), 1u);
  EXPECT_EQ(encoded.trained[0].end, static_cast<int64_t>(encoded.ids.size()));
  EXPECT_EQ(tokenizer.decode(encoded.ids), "a <|endoftext|> b <|endoftext|><|endoftext|>");
}

TEST(Turns, AnEmptyAnswerIsNotTrained) {
  TurnEncoder encoder(golden_tokenizer(), load_turn_template("turns"));
  const std::vector<Turn> turns = {{"user", "a"}, {"assistant", ""}, {"assistant", "b"}};
  EXPECT_EQ(encoder.encode(turns).trained.size(), 1u);
}

TEST(Turns, CountsTokensThatReachIntoTheAnswer) {
  TurnEncoder encoder(golden_tokenizer(), load_turn_template("plain"));
  const auto shared = [&](const char* prompt, const char* answer) {
    const std::vector<Turn> turns = {{"user", prompt}, {"assistant", answer}};
    return encoder.encode(turns).shared_tokens;
  };
  EXPECT_EQ(shared("once upon a ", "time"), 1);
  EXPECT_EQ(shared("once upon a", " time"), 0);
}

TEST(Turns, RefusesRolesWithoutAPlaceAndVocabulariesWithoutAnEndMark) {
  TurnEncoder encoder(golden_tokenizer(), load_turn_template("turns"));
  const std::vector<Turn> turns = {{"tool", "a"}};
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { encoder.encode(turns); }),
                             "role 'tool' has no place in the template, which has system"));
  const Tokenizer bare = test::train_on("abc",
                                        {.type = TokenizerType::kByte, .special_tokens = {}});
  const Error error = test::thrown_by([&] { TurnEncoder(bare, load_turn_template("turns")); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "no end mark"));
}

TEST(Turns, FaultsOfATemplateAreNamed) {
  const auto refusal = [](const std::string& text) {
    const Error error = test::thrown_by([&] { parse_turn_template(text); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << text;
    return error;
  };
  const std::string user = R"("user": {"before": "", "after": ""})",
                    assistant = R"("assistant": {"before": "", "after": ""})";
  const auto with_roles = [&](const std::string& roles) {
    return R"({"version": 1, "roles": {)" + roles + "}}";
  };
  EXPECT_TRUE(test::mentions(refusal(""), ""));
  EXPECT_TRUE(test::mentions(refusal("[]"), "object"));
  EXPECT_TRUE(test::mentions(refusal(R"({"roles": {}})"), "'version' is missing"));
  EXPECT_TRUE(test::mentions(refusal(R"({"version": 2, "roles": {}})"), "'version' is 2"));
  EXPECT_TRUE(test::mentions(refusal(R"({"version": 1})"), "'roles' is missing"));
  EXPECT_TRUE(test::mentions(refusal(R"({"version": 1, "roles": []})"), "'roles' is"));
  EXPECT_TRUE(test::mentions(refusal(with_roles(user)), "'roles' has no 'assistant'"));
  EXPECT_TRUE(test::mentions(refusal(with_roles(assistant)), "'roles' has no 'user'"));
  EXPECT_TRUE(test::mentions(refusal(with_roles(user + "," + R"("assistant": "")")), "assistant"));
  EXPECT_TRUE(test::mentions(refusal(with_roles(user + "," + assistant + R"(,"x": {"befor": ""})")),
                             "no key 'befor'"));
  EXPECT_TRUE(test::mentions(refusal(with_roles(user + "," + assistant + R"(,"x": {"before": 1})")),
                             "'before' is"));
  EXPECT_EQ(parse_turn_template(with_roles(user + "," + assistant)).roles.size(), 2u);
  EXPECT_TRUE(test::mentions(test::thrown_by([] { load_turn_template("no such"); }),
                             "neither a file nor one of turns, plain"));
}

TEST(Turns, ATokenizerKeepsItsTemplateInBothForms) {
  const test::ScratchFolder folder;
  const TurnTemplate turns = parse_turn_template(goldens()["own"]["template"].dump());
  golden_tokenizer().with_turn_template(turns).save(folder / "a");
  const Tokenizer loaded = Tokenizer::load(folder / "a");
  ASSERT_NE(loaded.turn_template(), nullptr);
  EXPECT_EQ(*loaded.turn_template(), turns);
  const Json config = read_json(folder / "a/tokenizer_config.json");
  EXPECT_EQ(config["chat_template"].get<std::string>(), jinja_of(turns));
  loaded.save(folder / "b");
  for (const char* name : {"tokenizer_config.json", "turn_template.json"})
    EXPECT_EQ(read_file(folder / (std::string("a/") + name)),
              read_file(folder / (std::string("b/") + name)));
  EXPECT_EQ(golden_tokenizer().turn_template(), nullptr);
  write_file(folder / "b/turn_template.json", "{}");
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { Tokenizer::load(folder / "b"); }),
                             "turn_template.json: 'version' is missing"));
}

}  // namespace
}  // namespace inkstone
