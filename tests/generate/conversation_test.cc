// A text that user and model write in turn.
#include <memory>
#include <stdexcept>

#include "base/utf8.h"
#include "inkstone/generator.h"
#include "small_generator.h"
#include "support.h"

namespace inkstone {
namespace {

const GenerateOptions kOptions{.max_tokens = 7, .ignore_end_of_text = true, .seed = 3};

TEST(Conversation, ContinuesItsWholeText) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  const std::string first = conversation.reply("one", kOptions).text;
  const std::string second = conversation.reply("two", kOptions).text;
  ASSERT_EQ(conversation.turns().size(), 2u);
  EXPECT_EQ(conversation.turns()[1].user, "two");
  EXPECT_EQ(conversation.turns()[1].reply, second);
  // The same history in another object, through restore, gives the same continuation.
  Conversation other(generator);
  other.restore({{"one", first}});
  EXPECT_EQ(other.reply("two", kOptions).text, second);
}

TEST(Conversation, RetryWritesAnotherReplyAndUndoTakesTheTurnBack) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  EXPECT_FALSE(conversation.undo());
  EXPECT_EQ(test::thrown_by([&] { conversation.retry(kOptions); }).code(), ErrorCode::kUsage);
  const std::string first = conversation.reply("one", kOptions).text;
  const std::string again = conversation.retry(kOptions).text;
  EXPECT_NE(first, again);
  EXPECT_EQ(conversation.turns().back().reply, again);
  EXPECT_TRUE(conversation.undo());
  EXPECT_TRUE(conversation.turns().empty());
  EXPECT_EQ(conversation.reply("one", kOptions).text, first);  // as if nothing had been
}

// What a failed reply referred to is gone when the next one is written.
TEST(Conversation, AReplyThatFailsLeavesNothingBehind) {
  test::FailingBackend* device = nullptr;
  Generator generator = test::failing_generator(test::kContext, device);
  Conversation fresh(generator);
  const std::string expected = fresh.reply("one", kOptions).text;
  for (int64_t calls = 0; calls < 40; calls += 3) {
    Conversation conversation(generator);
    device->fail_after(calls);
    EXPECT_EQ(test::thrown_by([&] { conversation.reply("one", kOptions); }).code(),
              ErrorCode::kInputOutput);
    EXPECT_TRUE(conversation.undo());
    EXPECT_EQ(conversation.reply("one", kOptions).text, expected);
  }
  Conversation conversation(generator);
  GenerateOptions stopping = kOptions;
  stopping.stop_requested = [count = 0]() mutable {
    if (++count == 3) throw std::runtime_error("a clock that broke");
    return false;
  };
  auto heard = std::make_shared<std::string>();
  const auto listen = [heard](size_t, int64_t, std::string_view text) {
    *heard += text;
    return true;
  };
  EXPECT_THROW(conversation.reply("one", stopping, listen), std::runtime_error);
  const std::string before = *heard;
  EXPECT_TRUE(conversation.undo());
  EXPECT_EQ(conversation.reply("one", kOptions).text, expected);
  EXPECT_EQ(*heard, before);
}

TEST(Conversation, GoesOnPastTheContextTheSameWayAfterLoading) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  std::vector<Conversation::Turn> before_last;
  std::string last;
  for (int turn = 0; turn < 12; ++turn) {  // 12 * (4 + 7) tokens, the context is 24
    before_last = conversation.turns();
    last = conversation.reply("turn", kOptions).text;
    EXPECT_EQ(conversation.turns().size(), static_cast<size_t>(turn + 1));
  }
  Conversation loaded(generator);
  loaded.restore(before_last);
  EXPECT_EQ(loaded.reply("turn", kOptions).text, last);
  // One turn longer than the context.
  EXPECT_NO_THROW(conversation.reply(std::string(500, 'x'), kOptions));
}

TEST(Conversation, AReplyToTextIsTextWhateverCameBefore) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  conversation.restore({{"one", "two\xE7"}, {"\xFF", "\x80"}});  // of a version that wrote such
  for (int turn = 0; turn < 4; ++turn) {
    EXPECT_TRUE(is_valid_utf8(conversation.reply("红", kOptions).text));
    EXPECT_TRUE(is_valid_utf8(conversation.retry(kOptions).text));
    EXPECT_TRUE(is_valid_utf8(conversation.turns().back().reply));
  }
  GenerateOptions bytes = kOptions;
  bytes.whole_characters = false;
  bytes.max_tokens = 40;
  EXPECT_FALSE(is_valid_utf8(conversation.reply("红", bytes).text));
  GenerateOptions held = bytes;
  held.whole_characters = true;
  EXPECT_FALSE(is_valid_utf8(conversation.reply("caf\xE9", held).text));
}

TEST(Conversation, ACancelledReplyStays) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  const auto stop = [](size_t, int64_t, std::string_view) { return false; };
  const Completion c = conversation.reply("one", kOptions, stop);
  EXPECT_EQ(c.finish, FinishReason::kCancelled);
  EXPECT_EQ(conversation.turns().back().reply, c.text);
}

TEST(Conversation, WhatIsRefusedChangesNothing) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  conversation.reply("one", kOptions);
  GenerateOptions refusing = kOptions;
  refusing.special = SpecialTokens::kRefuse;
  EXPECT_EQ(test::thrown_by([&] { conversation.reply("<|endoftext|>", refusing); }).code(),
            ErrorCode::kInvalidData);
  EXPECT_EQ(conversation.turns().size(), 1u);
  // What a model wrote is never refused.
  conversation.restore({{"one", "two<|endoftext|>"}});
  EXPECT_EQ(conversation.reply("three", refusing).prompt_tokens, 3 + 16 + 5);
  GenerateOptions allowing = kOptions;
  allowing.special = SpecialTokens::kAllow;
  conversation.restore({{"one", "two<|endoftext|>"}});
  EXPECT_EQ(conversation.reply("three", allowing).prompt_tokens, 3 + 4 + 5);
}

TEST(Conversation, TellsWhatItKeepsOfALongText) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  const Completion c = conversation.reply(std::string(500, 'x'), kOptions);
  EXPECT_EQ(c.prompt_tokens, 500);
  EXPECT_EQ(c.prompt_tokens_kept, test::kContext - kOptions.max_tokens);
}

TEST(Conversation, ABadOptionChangesNothing) {
  Generator generator = test::small_generator();
  Conversation conversation(generator);
  EXPECT_EQ(test::thrown_by([&] { conversation.reply("one", {.max_tokens = -1}); }).code(),
            ErrorCode::kUsage);
  EXPECT_TRUE(conversation.turns().empty());
}

}  // namespace
}  // namespace inkstone
