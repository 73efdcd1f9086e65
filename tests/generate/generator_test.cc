// Whole continuations: the same text whatever runs beside it, stop rules, and text past the
// context.
#include "inkstone/generator.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/utf8.h"
#include "generate/generator_impl.h"
#include "small_generator.h"
#include "support.h"

namespace inkstone {
namespace {

using test::kContext;

const std::vector<std::string> kPrompts = {"To be", "", "红楼",
                                           "a much longer prompt than the others"};

TEST(Generator, ATextDependsOnItsPromptSeedAndNumberAlone) {
  Generator generator = test::small_generator();
  // Past the context of 24.
  const GenerateOptions options{.max_tokens = 40, .seed = 9, .samples = 3};
  const auto together = generator.generate(kPrompts, options, {}, 5);
  ASSERT_EQ(together.size(), 12u);
  for (const int64_t parallel : {0, 1, 2, 12}) {
    const auto again = generator.generate(kPrompts, options, {}, parallel);
    for (size_t i = 0; i < together.size(); ++i) {
      EXPECT_EQ(again[i].tokens, together[i].tokens) << "parallel " << parallel << ", number " << i;
      EXPECT_EQ(again[i].log_probs, together[i].log_probs);
    }
  }
  const auto alone = generator.generate(std::vector<std::string>{kPrompts[2]}, options, {}, 2);
  for (size_t s = 0; s < 3; ++s) EXPECT_EQ(alone[s].tokens, together[6 + s].tokens);
  EXPECT_NE(together[0].tokens, together[1].tokens);  // samples differ
}

// Without an unfinished character at the end.
std::string whole_part(std::string text) {
  text.resize(text.size() - static_cast<size_t>(incomplete_utf8_tail(text)));
  return text;
}

TEST(Generator, WhatIsStreamedIsTheText) {
  Generator generator = test::small_generator();
  for (const bool whole : {true, false}) {
    std::map<std::pair<size_t, int64_t>, std::string> shown;
    const auto results = generator.generate(
        kPrompts, {.max_tokens = 50, .whole_characters = whole, .seed = 4, .samples = 2},
        [&](size_t p, int64_t s, std::string_view text) {
          shown[{p, s}] += text;
          return true;
        });
    for (const Completion& c : results) {
      EXPECT_EQ((shown[{c.prompt_index, c.sample_index}]), whole_part(c.text));
      const std::string bytes = generator.tokenizer().decode(c.tokens);
      EXPECT_EQ(c.text, whole ? whole_part(bytes) : bytes);
      EXPECT_EQ(c.tokens.size(), c.log_probs.size());
    }
  }
}

// An untrained model over bytes: what it writes is no text but for the rule. Past its context, too.
TEST(Generator, WritesWholeCharactersHoweverItSamples) {
  Generator generator = test::small_generator();
  int other_bytes = 0, cut = 0;
  for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 0},
                                          {},
                                          {.temperature = 3},
                                          {.top_k = 3},
                                          {.top_p = 0.5},
                                          {.min_p = 0.3},
                                          {.repetition_penalty = 1.5}}) {
    for (const int64_t max_tokens : {1, 2, 3, 5, 60}) {
      GenerateOptions options{.sampling = sampling,
                              .max_tokens = max_tokens,
                              .ignore_end_of_text = true,
                              .seed = 2,
                              .samples = 4};
      for (const Completion& c : generator.generate(kPrompts, options)) {
        EXPECT_TRUE(is_valid_utf8(c.text));
        EXPECT_EQ(static_cast<int64_t>(c.tokens.size()), max_tokens);
        cut += c.text.size() < c.tokens.size();
      }
      options.whole_characters = false;
      for (const Completion& c : generator.generate(kPrompts, options))
        other_bytes += !is_valid_utf8(c.text);
    }
  }
  EXPECT_GT(cut, 50) << "no text ended within a character";
  EXPECT_GT(other_bytes, 300);
}

TEST(Generator, AnEndMarkComesBetweenTwoCharacters) {
  Generator generator = test::small_generator();
  int ended = 0;
  for (const Completion& c :
       generator.generate(std::vector<std::string>{"q", "红"},
                          {.sampling = {.temperature = 3}, .max_tokens = 2000, .samples = 8})) {
    if (c.finish != FinishReason::kEndMark) continue;
    ++ended;
    EXPECT_EQ(c.text, generator.tokenizer().decode(c.tokens));  // nothing had to be left out
  }
  EXPECT_GT(ended, 4);
}

TEST(Generator, MoreTokensOnlyAddToAText) {
  Generator generator = test::small_generator();
  const std::vector<std::string> prompt = {"x"};
  std::string before;
  for (int64_t max_tokens = 0; max_tokens < 12; ++max_tokens) {
    const std::string text =
        generator.generate(prompt, {.max_tokens = max_tokens, .seed = 1}).front().text;
    EXPECT_TRUE(text.starts_with(before)) << max_tokens;
    before = text;
  }
  EXPECT_FALSE(before.empty());
}

// What follows it is not held to UTF-8: a model of other text is at work.
TEST(Generator, APromptOfOtherBytesIsGoneOnWithInAnyBytes) {
  Generator generator = test::small_generator();
  const std::vector<std::string> prompts = {"caf\xE9", "\xE7\xBA", "a\xFFz", "valid"};
  GenerateOptions options{.max_tokens = 100, .ignore_end_of_text = true, .seed = 6};
  const auto results = generator.generate(prompts, options);
  options.whole_characters = false;
  const auto bytes = generator.generate(prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(results[i].tokens == bytes[i].tokens, i < 3) << i;
    EXPECT_EQ(is_valid_utf8(results[i].text), i == 3) << i;
  }
}

TEST(Generator, AStopStringMayStay) {
  Generator generator = test::small_generator();
  const std::vector<std::string> prompt = {"x"};
  GenerateOptions options{.max_tokens = 60, .ignore_end_of_text = true};
  const std::string whole = generator.generate(prompt, options).front().text;
  size_t at = 0;  // of a character somewhere inside
  for (int i = 0; i < 8; ++i) at += static_cast<size_t>(decode_utf8(whole, at).size_bytes);
  options.stop = {whole.substr(at, static_cast<size_t>(decode_utf8(whole, at).size_bytes))};
  const size_t first = whole.find(options.stop[0]);
  EXPECT_EQ(generator.generate(prompt, options).front().text, whole.substr(0, first));
  options.keep_stop = true;
  std::string shown;
  const auto kept = generator.generate(prompt, options, [&](size_t, int64_t, std::string_view t) {
    shown += t;
    return true;
  });
  EXPECT_EQ(kept.front().finish, FinishReason::kStop);
  EXPECT_EQ(kept.front().text, whole.substr(0, first) + options.stop[0]);
  EXPECT_EQ(shown, kept.front().text);
}

TEST(Generator, StopsWhereItIsToldTo) {
  Generator generator = test::small_generator();
  const std::vector<std::string> prompt = {"x"};
  const Completion whole = generator
                               .generate(prompt, {.max_tokens = 30,
                                                  .ignore_end_of_text = true,
                                                  .whole_characters = false})
                               .front();
  ASSERT_EQ(whole.tokens.size(), 30u);
  EXPECT_EQ(whole.finish, FinishReason::kLength);
  GenerateOptions stop{.max_tokens = 30, .ignore_end_of_text = true, .whole_characters = false};
  stop.stop = {whole.text.substr(10, 3)};
  const Completion cut = generator.generate(prompt, stop).front();
  EXPECT_EQ(cut.finish, FinishReason::kStop);
  EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stop.stop[0])));
  const Completion none = generator.generate(prompt, {.max_tokens = 0}).front();
  EXPECT_TRUE(none.text.empty());
  const Completion cancelled = generator
                                   .generate(
                                       prompt, {.max_tokens = 30, .ignore_end_of_text = true},
                                       [](size_t, int64_t, std::string_view) { return false; })
                                   .front();
  EXPECT_EQ(cancelled.finish, FinishReason::kCancelled);
  EXPECT_LT(cancelled.tokens.size(), 6u);  // the first character ends it
}

TEST(Generator, StopsABatchWhenAsked) {
  Generator generator = test::small_generator();
  GenerateOptions options{.max_tokens = 1000, .ignore_end_of_text = true, .samples = 5};
  int steps = 0;
  options.stop_requested = [&] { return ++steps > 4; };
  const auto results = generator.generate(kPrompts, options, {}, 3);
  ASSERT_EQ(results.size(), 3u);  // the other 17 were not begun
  for (const Completion& c : results) {
    EXPECT_EQ(c.finish, FinishReason::kCancelled);
    EXPECT_EQ(c.tokens.size(), 4u);
    EXPECT_TRUE(is_valid_utf8(c.text));
  }
}

TEST(Generator, EndsAtTheEndMark) {
  Generator generator = test::small_generator();
  int ended = 0;
  for (const Completion& c :
       generator.generate(std::vector<std::string>{"q"},
                          {.sampling = {.temperature = 3}, .max_tokens = 2000, .samples = 4})) {
    ended += c.finish == FinishReason::kEndMark;
    for (const TokenId token : c.tokens) EXPECT_NE(token, *generator.tokenizer().end_of_text());
  }
  EXPECT_GT(ended, 0);  // one of 257 ids, 8000 draws
}

// A tokenizer of bytes from files, with these beside it.
Tokenizer tokenizer_beside(const std::string& config, const std::vector<std::string>& special) {
  const test::ScratchFolder folder;
  bool done = false;
  Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional("x");
      },
      {.type = TokenizerType::kByte, .special_tokens = special})
      .save(folder.path());
  std::filesystem::remove(folder / "tokenizer_config.json");
  std::filesystem::remove(folder / "special_tokens_map.json");
  write_file(folder / "config.json", config);
  return Tokenizer::load(folder.path());
}

TEST(Generator, EndsAtEveryMarkThatTheModelNames) {
  const Model model = test::small_generator().model();
  const std::vector<std::string> prompt = {"q"};
  // The mark may be any byte.
  const GenerateOptions greedy{
      .sampling = {.temperature = 0}, .max_tokens = 12, .whole_characters = false};
  Generator plain(model, tokenizer_beside("{}", {"</s>"}));
  const auto whole = plain.generate(prompt, greedy).front().tokens;
  ASSERT_EQ(whole.size(), 12u);
  // The fourth token as a mark, alone and in a list.
  const auto place = std::ranges::find(whole, whole[3]) - whole.begin();
  for (const char* form : {"{}", "[256, {}]"}) {
    std::string ids = form;
    ids.replace(ids.find("{}"), 2, std::to_string(whole[3]));
    Generator marked(model, tokenizer_beside("{\"eos_token_id\": " + ids + "}", {"</s>"}));
    const Completion c = marked.generate(prompt, greedy).front();
    EXPECT_EQ(c.finish, FinishReason::kEndMark) << form;
    EXPECT_EQ(static_cast<int64_t>(c.tokens.size()), place) << form;
    GenerateOptions on = greedy;
    on.ignore_end_of_text = true;
    EXPECT_EQ(marked.generate(prompt, on).front().tokens, whole);
  }
}

TEST(Generator, TextBecomesASpecialTokenOnlyWhenAsked) {
  const Generator generator = test::small_generator();
  const std::string prompt = "a<|endoftext|>";
  EXPECT_EQ(generator.prompt_tokens(prompt, SpecialTokens::kAsText).size(), prompt.size());
  EXPECT_EQ(generator.prompt_tokens(prompt, SpecialTokens::kAllow).size(), 2u);
  EXPECT_EQ(
      test::thrown_by([&] { generator.prompt_tokens(prompt, SpecialTokens::kRefuse); }).code(),
      ErrorCode::kInvalidData);
}

TEST(Generator, NoStartTokenIsInvented) {
  const Model model = test::small_generator().model();
  EXPECT_EQ(Generator(model, tokenizer_beside(R"({"bos_token_id": 5})", {}))
                .prompt_tokens("", SpecialTokens::kAsText),
            std::vector<TokenId>{5});
  Generator generator(model, tokenizer_beside("{}", {}));
  const auto refused = [](const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(test::mentions(error, "no token that begins a text"));
  };
  refused(test::thrown_by([&] { generator.generate(std::vector<std::string>{""}, {}); }));
  Conversation conversation(generator);
  refused(test::thrown_by([&] { conversation.reply("", {}); }));
  EXPECT_TRUE(conversation.turns().empty());
}

TEST(Generator, ALongPromptKeepsWhatLeavesRoom) {
  Generator generator = test::small_generator();
  const auto kept = [&](size_t tokens, int64_t max_tokens) {
    const auto results = generator.generate(std::vector<std::string>{std::string(tokens, 'x')},
                                            {.max_tokens = max_tokens, .samples = 2}, {}, 1);
    for (const Completion& c : results) {
      EXPECT_EQ(c.prompt_tokens, static_cast<int64_t>(tokens));
      EXPECT_EQ(c.prompt_tokens_kept, results.front().prompt_tokens_kept);
    }
    return results.front().prompt_tokens_kept;
  };
  EXPECT_EQ(kept(kContext, 12), kContext);  // it fits
  EXPECT_EQ(kept(kContext + 1, 5), kContext - 5);
  EXPECT_EQ(kept(500, 12), kContext - 12);
  EXPECT_EQ(kept(500, 13), kContext - 1);  // too many for any prompt: the window moves anyway
  EXPECT_EQ(kept(500, 0), kContext);
}

TEST(Generator, NeverDrawsIdsThatTheTokenizerLacks) {
  Generator generator = test::small_generator(500);
  const auto c = generator
                     .generate(std::vector<std::string>{"q"},
                               {.max_tokens = 200, .ignore_end_of_text = true})
                     .front();
  for (const TokenId token : c.tokens) EXPECT_LT(token, generator.tokenizer().vocab_size());
}

// A gigabyte of keys and values, but room for 8 texts of the whole context and no more than 64.
TEST(Generator, ChoosesHowManyAreWrittenAtOnceByTheCache) {
  const auto tokens = [](const ModelConfig& shape, int64_t sequences, int64_t parallel) {
    ModelConfig config = shape;
    config.vocab_size = 256;
    return engine_options(Model::create(config, 1), sequences, parallel);
  };
  // Two contexts and three pages of 16 for each.
  const ModelConfig small{.layers = 2, .heads = 2, .width = 32, .context = 64};
  EXPECT_EQ(tokens(small, 1000, 0).max_sequences, 64);
  EXPECT_EQ(tokens(small, 1000, 0).cache_tokens, 64 * (2 * 64 + 48));
  EXPECT_EQ(tokens(small, 3, 0).max_sequences, 3);
  EXPECT_EQ(tokens(small, 3, 0).cache_tokens, 3 * (2 * 64 + 48));
  // 2 x 4 layers x 256 x 4 bytes are 8192 of a token: 122,070 of them in a gigabyte.
  const ModelConfig wide{.layers = 4, .heads = 4, .width = 256, .context = 1024};
  EXPECT_EQ(tokens(wide, 1000, 0).cache_tokens, 122'070);
  const ModelConfig long_one{.layers = 4, .heads = 4, .width = 256, .context = 16384};
  EXPECT_EQ(tokens(long_one, 1000, 0).cache_tokens, 8 * (2 * 16384 + 48));
  EXPECT_EQ(tokens(wide, 1000, 5).max_sequences, 5);
  EXPECT_EQ(tokens(wide, 1000, 5).cache_tokens, 0);  // whatever five can need
}

TEST(Generator, RefusesWhatDoesNotBelongTogether) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const Model model = Model::create(
      {.layers = 1, .heads = 1, .width = 8, .context = 8, .vocab_size = 100}, 1);
  EXPECT_EQ(test::thrown_by([&] { Generator(model, tokenizer); }).code(), ErrorCode::kMismatch);
  Generator generator = test::small_generator();
  for (const GenerateOptions& bad :
       {GenerateOptions{.max_tokens = -1}, GenerateOptions{.stop = {""}},
        GenerateOptions{.stop = {"\xBA"}}, GenerateOptions{.samples = 0},
        GenerateOptions{.sampling = {.top_p = 2}}}) {
    EXPECT_EQ(test::thrown_by([&] { generator.generate(kPrompts, bad); }).code(),
              ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace inkstone
