// Requests that join and leave: the same bits as alone, all pages back at the end, prefixes shared,
// other strategies than sampling.
#include "inkstone/engine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>

#include "engine_requests.h"
#include "failing_memory.h"

namespace inkstone {
namespace {

// Prompts that often begin alike, shorter and longer than the context, with windows that move on.
Request random_request(std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const std::string common = "one beginning that many of these prompts have in common";
  Request request;
  request.prompt = common.substr(0, static_cast<size_t>(below(50)));
  for (int more = below(40) * below(2); more > 0; --more)
    request.prompt += static_cast<char>('a' + below(26));
  request.options.max_tokens = below(6) == 0 ? 0 : below(70);
  request.options.samples = 1 + below(5) * below(2);
  request.options.seed = random();
  request.options.log_probs = below(4);
  request.options.ignore_end_of_text = below(2) == 0;
  request.options.sampling.temperature = below(3) == 0 ? 0 : 1;
  request.options.sampling.repetition_penalty = below(2) == 0 ? 1 : 1.2;
  return request;
}

TEST(Engine, ARequestGivesTheSameBitsWhateverRunsBesideIt) {
  std::mt19937 random(1);
  Generator generator = long_generator();
  std::vector<Request> requests;
  std::vector<Outcome> expected;
  for (int i = 0; i < 25; ++i) {
    requests.push_back(random_request(random));
    expected.push_back(alone(generator, requests.back()));
  }
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Generator other = long_generator(1 + round % 2);
    const int64_t all_pages = 4 + static_cast<int64_t>(random() % 40) + 6;
    Engine engine(other, {.cache_tokens = round % 3 == 0 ? 0 : all_pages * kPagePositions,
                          .kept_tokens = static_cast<int64_t>(random() % 3) * 200,
                          .max_sequences = 1 + static_cast<int64_t>(random() % 9),
                          .prompt_rows = 1 + static_cast<int64_t>(random() % 60),
                          .prompt_ms = round % 2 == 0 ? 0.0 : 1e6});
    std::vector<size_t> order(requests.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::shuffle(order, random);
    std::vector<Outcome> outcomes(requests.size());
    std::vector<std::pair<RequestId, size_t>> ids;
    std::vector<bool> cancelled(requests.size());
    for (const size_t i : order) {
      ids.emplace_back(submit(engine, requests[i], outcomes[i]), i);
      for (auto steps = random() % 12; steps > 0; --steps) engine.step();
      if (random() % 5 != 0) continue;
      const auto [id, which] = ids[random() % ids.size()];
      if (!outcomes[which].ended) cancelled[which] = true;
      engine.cancel(id);
    }
    finish(engine);
    for (size_t i = 0; i < requests.size(); ++i) {
      ASSERT_TRUE(outcomes[i].ended);
      EXPECT_FALSE(outcomes[i].error);
      if (cancelled[i]) continue;
      SCOPED_TRACE("request " + std::to_string(i));
      expect_same(outcomes[i].completions, expected[i].completions);
    }
    EXPECT_EQ(engine.state().reserved_pages, 0);
  }
}

// What was written when it was cancelled is the beginning of what would have been.
TEST(Engine, ACancelledRequestEndsWhereverItStands) {
  Generator generator = long_generator();
  const Request request{.prompt = "a prompt of some length to be read",
                        .options = {.max_tokens = 30, .ignore_end_of_text = true, .samples = 3}};
  const Outcome whole = alone(generator, request);
  for (int steps = 0; steps < 20; ++steps) {
    Engine engine(generator, {.kept_tokens = 0, .max_sequences = 2, .prompt_rows = 7});
    Outcome cancelled, other;
    const RequestId id = submit(engine, request, cancelled);
    submit(engine, {.prompt = "another", .options = {.max_tokens = 12}}, other);
    for (int i = 0; i < steps; ++i) engine.step();
    engine.cancel(id);
    EXPECT_FALSE(cancelled.ended);
    engine.step();
    ASSERT_TRUE(cancelled.ended);
    EXPECT_LE(cancelled.completions.size(), 2u);
    EXPECT_EQ(cancelled.completions.empty(), steps < 5) << steps;  // 34 tokens, 7 at once
    for (size_t i = 0; i < cancelled.completions.size(); ++i) {
      const Completion& c = cancelled.completions[i];
      EXPECT_EQ(c.finish, FinishReason::kCancelled);
      const auto& all = whole.completions[i].tokens;
      ASSERT_EQ(static_cast<int>(c.tokens.size()), steps - 4);
      EXPECT_TRUE(std::equal(c.tokens.begin(), c.tokens.end(), all.begin()));
    }
    finish(engine);
    EXPECT_TRUE(other.ended);
    expect_all_free(engine);
  }
}

TEST(Engine, ARequestThatCanNeverFitIsRefusedAndOthersWait) {
  Generator generator = long_generator();
  Engine engine(generator, {.cache_tokens = 2 * kPagePositions, .kept_tokens = 0});
  const auto refused = test::thrown_by(
      [&] { engine.submit({.prompt = "x", .options = {.max_tokens = 32}}); });
  EXPECT_EQ(refused.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(refused, "hold 48 tokens, the cache only has room for 32"));
  // Each may come to hold both pages: one after the other.
  std::array<Outcome, 3> outcomes;
  std::vector<size_t> order;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Request request{.prompt = "abcdef", .options = {.max_tokens = 20, .ignore_end_of_text = true}};
    request.on_token = [&order, i](int64_t, const WrittenToken&) {
      if (order.empty() || order.back() != i) order.push_back(i);
    };
    submit(engine, std::move(request), outcomes[i]);
  }
  engine.step();
  EXPECT_EQ(engine.state().running, 1);
  EXPECT_EQ(engine.state().waiting, 2);
  finish(engine);
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2}));
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.completions.front().tokens.size(), 20u);
  expect_all_free(engine);
}

// A cache with just the pages that are reserved: all samples are written at once, and fit.
TEST(Engine, WhatIsReservedSuffices) {
  Generator generator = long_generator();
  for (const int length : {1, 15, 16, 17, 31, 33}) {
    for (const int64_t max_tokens : {1, 2, 16, 17, 30, 60}) {
      for (const int64_t samples : {1, 2, 5}) {
        Request request{
            .prompt = std::string(static_cast<size_t>(length), 'x'),
            .options = {.max_tokens = max_tokens, .ignore_end_of_text = true, .samples = samples}};
        const JobRequest job{.prompt = std::vector<TokenId>(request.prompt.size()),
                             .max_tokens = max_tokens,
                             .strategy = nullptr};
        const PageNeed need = page_need(job, {.least = 1, .most = samples}, kLong);
        Engine engine(generator, {.cache_tokens = need.pages(samples) * kPagePositions});
        Outcome outcome;
        submit(engine, std::move(request), outcome);
        int64_t steps = 1;
        while (engine.step()) ++steps;
        EXPECT_EQ(steps, max_tokens) << length << " and " << samples << " samples";
        EXPECT_EQ(outcome.completions.size(), static_cast<size_t>(samples));
      }
    }
  }
}

TEST(Engine, BadRequestsAreRefused) {
  Generator generator = long_generator();
  Engine engine(generator);
  EXPECT_EQ(
      test::thrown_by([&] { engine.submit({.prompt = "x", .options = {.log_probs = 21}}); }).code(),
      ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([&] { engine.submit({.prompt = "", .tokens = {257}}); }).code(),
            ErrorCode::kMismatch);
  EXPECT_EQ(test::thrown_by([&] { Engine(generator, {.max_sequences = 0}); }).code(),
            ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([&] { Engine(generator, {.cache_tokens = 1'000'000'000'000}); }).code(),
            ErrorCode::kUsage);
  EXPECT_FALSE(engine.step());
}

TEST(Engine, TokensAreTheSameAsTheirText) {
  Generator generator = long_generator();
  Request request{.prompt = "some text", .options = {.max_tokens = 20, .seed = 3}};
  const Outcome by_text = alone(generator, request);
  request.tokens = generator.prompt_tokens(request.prompt, SpecialTokens::kAsText);
  request.prompt.clear();
  expect_same(alone(generator, request).completions, by_text.completions);
}

TEST(Engine, SamplesFeedTheirPromptOnce) {
  Generator generator = long_generator();
  Engine engine(generator, {.kept_tokens = 0});
  Outcome outcome;
  submit(engine,
         {.prompt = std::string(30, 'x'),
          .options = {.max_tokens = 5, .ignore_end_of_text = true, .samples = 8}},
         outcome);
  finish(engine);
  EXPECT_EQ(outcome.completions.size(), 8u);
  EXPECT_EQ(engine.state().fed_tokens, 30 + 8 * 4);  // nobody sees what follows the last token
  expect_all_free(engine);
}

// 40 tokens, of which two whole pages are shared.
TEST(Engine, TextsThatBeginAlikeShareTheirPages) {
  Generator generator = long_generator();
  const std::string common(36, 'x');
  const GenerateOptions options{.max_tokens = 6, .ignore_end_of_text = true};
  Engine engine(generator);
  std::array<Outcome, 4> outcomes;
  int64_t fed = 0;
  const auto fed_since = [&] {
    return engine.state().fed_tokens - std::exchange(fed, engine.state().fed_tokens);
  };
  submit(engine, {.prompt = common + "abcd", .options = options}, outcomes[0]);
  finish(engine);
  EXPECT_EQ(fed_since(), 40 + 5);
  // Of a finished one; of one that came at the same time, which it waits for; of itself.
  submit(engine, {.prompt = common + "efgh", .options = options}, outcomes[1]);
  finish(engine);
  EXPECT_EQ(fed_since(), 8 + 5);
  const std::string new_text(36, 'y');
  submit(engine, {.prompt = new_text + "abcd", .options = options}, outcomes[2]);
  submit(engine, {.prompt = new_text + "efgh", .options = options}, outcomes[3]);
  engine.step();
  EXPECT_EQ(fed_since(), 40);
  finish(engine);
  EXPECT_EQ(fed_since(), 8 + 2 * 5);
  EXPECT_EQ(engine.state().reused_tokens, 2 * 32);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::string prompt = (i < 2 ? common : new_text) + (i % 2 == 0 ? "abcd" : "efgh");
    expect_same(outcomes[i].completions,
                alone(generator, {.prompt = prompt, .options = options}).completions);
  }
}

// The keys of a whole prompt may be there: its last token is fed all the same.
TEST(Engine, TheSamePromptAgainFeedsLittle) {
  Generator generator = long_generator();
  for (const int length : {15, 16, 17, 32, 33}) {
    Engine engine(generator);
    const Request request{.prompt = std::string(static_cast<size_t>(length), 'x'),
                          .options = {.max_tokens = 1, .ignore_end_of_text = true}};
    Outcome first, second;
    submit(engine, request, first);
    finish(engine);
    submit(engine, request, second);
    finish(engine);
    EXPECT_EQ(engine.state().reused_tokens, (length - 1) / 16 * 16);
    EXPECT_EQ(engine.state().fed_tokens + engine.state().reused_tokens, 2 * length);
    expect_same(second.completions, first.completions);
  }
}

TEST(Engine, KeptTextsGiveWayToThoseThatNeedTheRoom) {
  Generator generator = long_generator();
  Engine engine(generator, {.cache_tokens = 4 * kPagePositions, .kept_tokens = 1000});
  for (char c = 'a'; c < 'h'; ++c) {
    const Request request{.prompt = std::string(20, c),
                          .options = {.max_tokens = 60, .ignore_end_of_text = true}};
    Outcome outcome;
    submit(engine, request, outcome);
    finish(engine);
    expect_same(outcome.completions, alone(generator, request).completions);
    EXPECT_LE(engine.state().kept_tokens, 4 * kPagePositions);
  }
}

// Two that begin alike, one of two samples, and another.
std::array<Request, 3> three_requests() {
  return {Request{.prompt = std::string(20, 'x'),
                  .options = {.max_tokens = 3, .ignore_end_of_text = true}},
          Request{.prompt = std::string(20, 'x') + "y",
                  .options = {.max_tokens = 3, .ignore_end_of_text = true, .samples = 2}},
          Request{.prompt = std::string(18, 'z'),
                  .options = {.max_tokens = 2, .ignore_end_of_text = true}}};
}

// Whichever call to the device throws: the requests of that pass end with it, the others and those
// that come later have the same bits, whatever is kept.
TEST(Engine, APassThatFailsAnywhereEndsItsRequestsAlone) {
  test::FailingBackend* device = nullptr;
  Generator generator = test::failing_generator(kLong, device);
  const auto requests = three_requests();
  std::vector<Outcome> expected;
  for (const Request& request : requests) expected.push_back(alone(generator, request));
  int64_t calls = 0;
  for (bool is_over = false; !is_over; ++calls) {
    SCOPED_TRACE("after " + std::to_string(calls) + " calls");
    Engine engine(generator, {.kept_tokens = calls % 2 == 0 ? 200 : 0, .max_sequences = 2});
    std::array<Outcome, 3> outcomes;
    device->fail_after(calls);
    for (size_t i = 0; i < 3; ++i) submit(engine, requests[i], outcomes[i]);
    finish(engine);
    is_over = !device->disarm();
    int failed = 0;
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(outcomes[i].ended);
      failed += outcomes[i].error ? 1 : 0;
      if (!outcomes[i].error) expect_same(outcomes[i].completions, expected[i].completions);
    }
    EXPECT_EQ(failed > 0, !is_over);
    EXPECT_LT(failed, 3);
    EXPECT_EQ(engine.state().reserved_pages, 0);
    for (size_t i = 0; i < 3; ++i) {
      Outcome again;
      submit(engine, requests[i], again);
      finish(engine);
      ASSERT_FALSE(again.error);
      expect_same(again.completions, expected[i].completions);
    }
    if (calls % 2 != 0) expect_all_free(engine);
  }
  EXPECT_GT(calls, 50);
}

// Whichever allocation of the steps throws: every request ends, nothing leaks, and the engine
// writes the same bits afterwards.
TEST(Engine, WithoutMemoryRequestsEndAndNothingLeaks) {
  Generator generator = long_generator();
  const auto requests = three_requests();
  std::vector<Outcome> expected;
  for (const Request& request : requests) expected.push_back(alone(generator, request));
  int64_t allocations = 0;
  for (bool is_over = false; !is_over; ++allocations) {
    SCOPED_TRACE("after " + std::to_string(allocations) + " allocations");
    Engine engine(generator, {.cache_tokens = 16 * kPagePositions, .kept_tokens = 30});
    std::array<Outcome, 3> outcomes;
    for (size_t i = 0; i < 3; ++i) submit(engine, requests[i], outcomes[i]);
    test::fail_allocation_after(allocations);
    finish(engine);
    is_over = !test::allocations_are_safe_again();
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(outcomes[i].ended);
      if (!outcomes[i].error) expect_same(outcomes[i].completions, expected[i].completions);
    }
    EXPECT_EQ(engine.state().reserved_pages, 0);
    // As much as there is room for: what leaked would be missing.
    std::vector<Outcome> again(16);
    for (Outcome& outcome : again) submit(engine, requests[0], outcome);
    finish(engine);
    for (const Outcome& outcome : again) {
      ASSERT_FALSE(outcome.error);
      expect_same(outcome.completions, expected[0].completions);
    }
    const EngineState state = engine.state();
    EXPECT_EQ(state.pages - state.free_pages,
              (state.kept_tokens + kPagePositions - 1) / kPagePositions);
  }
  EXPECT_GT(allocations, 100);
}

TEST(Engine, AStopRequestThatThrowsEndsItsOwnRequestAlone) {
  Generator generator = long_generator();
  for (const int64_t most : {1, 2}) {  // the one that throws runs beside the other, or waits for it
    Engine engine(generator, {.kept_tokens = 0, .max_sequences = most});
    Outcome bad, good;
    const Request request{.prompt = "y", .options = {.max_tokens = 20, .ignore_end_of_text = true}};
    submit(engine, request, good);
    Request throwing{.prompt = "x", .options = {.max_tokens = 20, .ignore_end_of_text = true}};
    throwing.options.stop_requested = [count = 0]() mutable {
      if (++count == 3) throw std::runtime_error("a clock that broke");
      return false;
    };
    submit(engine, std::move(throwing), bad);
    EXPECT_NO_THROW(finish(engine));
    EXPECT_TRUE(bad.error);
    expect_same(good.completions, alone(generator, request).completions);
    expect_all_free(engine);
  }
}

TEST(Engine, WhatACallbackThrowsEndsItsOwnRequestAlone) {
  Generator generator = long_generator();
  Engine engine(generator, {.kept_tokens = 0});
  Outcome bad, good;
  Request throwing{.prompt = "x", .options = {.max_tokens = 20, .ignore_end_of_text = true}};
  throwing.on_token = [count = 0](int64_t, const WrittenToken&) mutable {
    if (++count == 3) throw std::runtime_error("a reader that left");
  };
  submit(engine, std::move(throwing), bad);
  const Request request{.prompt = "y", .options = {.max_tokens = 20, .ignore_end_of_text = true}};
  submit(engine, request, good);
  finish(engine);
  EXPECT_TRUE(bad.error);
  EXPECT_TRUE(bad.completions.empty());
  expect_same(good.completions, alone(generator, request).completions);
  expect_all_free(engine);
}

TEST(Engine, CallbacksMaySubmitAndCancel) {
  Generator generator = long_generator();
  Engine engine(generator);
  Outcome first, second;
  Request request{.prompt = "x", .options = {.max_tokens = 200, .ignore_end_of_text = true}};
  RequestId id = 0;
  request.on_token = [&, count = 0](int64_t, const WrittenToken&) mutable {
    if (++count != 3) return;
    submit(engine, {.prompt = "y", .options = {.max_tokens = 2}}, second);
    engine.cancel(id);
  };
  id = submit(engine, std::move(request), first);
  finish(engine);
  EXPECT_EQ(first.completions.front().tokens.size(), 3u);
  EXPECT_TRUE(second.ended);
}

TEST(Engine, ARequestsOwnQuestionStopsIt) {
  Generator generator = long_generator();
  Engine engine(generator);
  Outcome stopped, other;
  Request request{.prompt = "x", .options = {.max_tokens = 200, .ignore_end_of_text = true}};
  request.options.stop_requested = [steps = 0]() mutable { return ++steps > 4; };
  submit(engine, std::move(request), stopped);
  submit(engine, {.prompt = "y", .options = {.max_tokens = 9, .ignore_end_of_text = true}}, other);
  finish(engine);
  EXPECT_EQ(stopped.completions.front().finish, FinishReason::kCancelled);
  EXPECT_EQ(stopped.completions.front().tokens.size(), 4u);
  EXPECT_EQ(other.completions.front().tokens.size(), 9u);
}

TEST(Engine, TellsTheLikeliestTokensOfEveryPlace) {
  Generator generator = long_generator();
  const Request request{.prompt = "x",
                        .options = {.sampling = {.temperature = 0},
                                    .max_tokens = 20,
                                    .ignore_end_of_text = true,
                                    .whole_characters = false,
                                    .log_probs = 4}};
  Request told = request;
  std::vector<std::vector<TokenLogProb>> heard;
  told.on_token = [&](int64_t, const WrittenToken& token) {
    heard.emplace_back(token.likeliest.begin(), token.likeliest.end());
  };
  const Completion c = alone(generator, told).completions.front();
  EXPECT_EQ(heard, c.likeliest);
  ASSERT_EQ(c.likeliest.size(), 20u);
  std::vector<TokenId> text = generator.prompt_tokens("x", SpecialTokens::kAsText);
  for (size_t i = 0; i < c.likeliest.size(); ++i) {
    const auto& top = c.likeliest[i];
    ASSERT_EQ(top.size(), 4u);
    EXPECT_EQ(top[0], (TokenLogProb{c.tokens[i], c.log_probs[i]}));  // greedy, to the last bit
    const auto logits = generator.model().logits(text);
    const auto V = static_cast<size_t>(generator.model().config().vocab_size);
    std::vector<float> last(logits.end() - static_cast<std::ptrdiff_t>(V), logits.end());
    std::ranges::sort(last, std::greater<>());
    for (size_t k = 0; k + 1 < top.size(); ++k) {
      EXPECT_GE(top[k].log_prob, top[k + 1].log_prob);
      // Differences of log-probabilities are those of logits: one rounding of a number below 64.
      EXPECT_NEAR(top[k].log_prob - top[k + 1].log_prob, last[k] - last[k + 1], 64 * 0x1p-23);
    }
    text.push_back(c.tokens[i]);
    if (text.size() == static_cast<size_t>(kLong)) break;
  }
}

TEST(Engine, TwoThreadsSubmitAndCancelWhileAThirdSteps) {
  Generator generator = long_generator(2);
  std::mt19937 random(7);
  constexpr size_t kEach = 30;
  std::array<std::vector<Request>, 2> requests;
  std::array<std::vector<Outcome>, 2> expected, outcomes;
  for (size_t t = 0; t < 2; ++t) {
    outcomes[t].resize(kEach);
    for (size_t i = 0; i < kEach; ++i) {
      requests[t].push_back(random_request(random));
      requests[t].back().options.max_tokens %= 20;
      expected[t].push_back(alone(generator, requests[t].back()));
    }
  }
  Engine engine(generator, {.max_sequences = 6, .prompt_rows = 20});
  std::atomic<int> submitting = 2;
  std::array<std::vector<RequestId>, 2> ids;
  const auto client = [&](size_t t) {
    for (size_t i = 0; i < kEach; ++i) {
      ids[t].push_back(submit(engine, requests[t][i], outcomes[t][i]));
      if (i % 3 == 2) engine.cancel(ids[t][i - 1]);  // every third of them
      engine.state();
      std::this_thread::yield();
    }
    --submitting;
  };
  std::thread first(client, 0), second(client, 1);
  while (submitting > 0 || engine.wait(std::chrono::milliseconds(0))) {
    if (!engine.step()) engine.wait(std::chrono::milliseconds(1));
  }
  first.join();
  second.join();
  finish(engine);
  for (size_t t = 0; t < 2; ++t) {
    for (size_t i = 0; i < kEach; ++i) {
      ASSERT_TRUE(outcomes[t][i].ended);
      if (i % 3 != 1) expect_same(outcomes[t][i].completions, expected[t][i].completions);
    }
  }
}

}  // namespace
}  // namespace inkstone
