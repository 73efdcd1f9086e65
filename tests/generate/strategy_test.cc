// Strategies other than sampling go through the same door: drafts, beams, every row of a prompt.
#include "generate/strategy.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "engine_requests.h"

namespace inkstone {
namespace {

// The greedy continuation, by whole passes: the plain statement.
std::vector<TokenId> greedy(const Generator& generator, std::vector<TokenId> text, size_t count) {
  std::vector<TokenId> written;
  const auto V = static_cast<std::ptrdiff_t>(generator.model().config().vocab_size);
  while (written.size() < count) {
    const auto logits = generator.model().logits(text);
    const auto best = std::max_element(logits.end() - V, logits.end());
    written.push_back(static_cast<TokenId>(best - (logits.end() - V)));
    text.push_back(written.back());
  }
  return written;
}

TokenId best_of(std::span<const float> logits) {
  return static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
}

// Greedy, two tokens to a pass: the second is a guess, which the pass proves or refutes.
class Verification : public Strategy {
 public:
  struct Record {
    std::vector<TokenId> written;
    int passes = 0, accepted = 0;
    bool ended = false;
  };
  Verification(std::vector<TokenId> guesses, size_t count, Record& record)
      : guesses_(std::move(guesses)), count_(count), record_(&record) {}

  Demand demand() const override { return {}; }
  void read(const Results& results) override {
    const size_t V = results.logits.size() / static_cast<size_t>(results.rows);
    best_.clear();
    for (int64_t r = 0; r < results.rows; ++r)
      best_.push_back(best_of(results.logits.subspan(static_cast<size_t>(r) * V, V)));
    EXPECT_EQ(results.hidden.size() % static_cast<size_t>(results.rows), 0u);
    EXPECT_EQ(results.hidden.empty(), results.member == Group::kPrompt);
  }
  void decide(Group& group) override {
    ++record_->passes;
    if (group.size() == 1 && member_ < 0) {
      member_ = group.fork(Group::kPrompt);
      group.drop(Group::kPrompt);
      record_->written.push_back(best_.front());
    } else {
      const bool is_right = best_[0] == guess_;
      if (!is_right)
        group.truncate(member_, static_cast<int64_t>(group.tokens(member_).size()) - 1);
      record_->written.push_back(best_[0]);
      if (is_right) record_->written.push_back(best_[1]);
      record_->accepted += is_right;
    }
    if (record_->written.size() >= count_) return group.drop(member_);
    guess_ = guesses_[record_->written.size() % guesses_.size()];
    group.append(member_, std::array{record_->written.back(), guess_},
                 {.rows = 2, .logits = true, .hidden = true});
  }
  void end(std::exception_ptr error) noexcept override { record_->ended = !error; }

 private:
  std::vector<TokenId> guesses_;
  size_t count_;
  Record* record_;
  MemberId member_ = -1;
  TokenId guess_ = 0;
  std::vector<TokenId> best_;
};

TEST(Strategy, ADraftOfTwoTokensGivesTheGreedyText) {
  Generator generator = long_generator();
  const auto prompt = generator.prompt_tokens("twenty tokens prompt", SpecialTokens::kAsText);
  const auto expected = greedy(generator, prompt, 20);
  auto half_right = expected;
  for (size_t i = 0; i < half_right.size(); i += 3) half_right[i] = (half_right[i] + 1) % 256;
  for (const auto& guesses : {expected, half_right, std::vector<TokenId>{257 - 1}}) {
    Engine engine(generator, {.kept_tokens = 0});
    Verification::Record record;
    engine.impl().submit(
        {.prompt = prompt,
         .max_tokens = 22,
         .strategy = std::make_unique<Verification>(guesses, expected.size(), record)});
    finish(engine);
    EXPECT_TRUE(record.ended);
    record.written.resize(expected.size());
    EXPECT_EQ(record.written, expected);
    EXPECT_LE(record.passes + record.accepted, 22);
    if (guesses == expected) {
      EXPECT_EQ(record.passes, 11);  // the prompt, and two a pass
    }
    expect_all_free(engine);
  }
}

// Two beams: of all that go on by one token, the two best.
class TwoBeams : public Strategy {
 public:
  struct Beam {
    std::vector<TokenId> written;
    double log_prob = 0;
  };
  struct Next {
    size_t from;
    TokenId token;
    double log_prob;
  };

  TwoBeams(int count, std::vector<Beam>& result) : count_(count), result_(&result) {}

  Demand demand() const override { return {.least = 2, .most = 2}; }
  void read(const Results& results) override {
    scores_.at(static_cast<size_t>(results.member))
        .assign(results.logits.begin(), results.logits.end());
  }
  static void log_softmax(std::vector<float>& logits) {
    double sum = 0;
    const double most = *std::ranges::max_element(logits);
    for (const float x : logits) sum += std::exp(static_cast<double>(x) - most);
    for (float& x : logits) x = static_cast<float>(x - most - std::log(sum));
  }
  // The two best steps from these beams, each with the log-probabilities after it.
  static std::vector<Next> best_two(const std::vector<Beam>& beams,
                                    const std::vector<std::vector<float>>& scores) {
    std::vector<Next> all;
    for (size_t b = 0; b < beams.size(); ++b) {
      for (size_t id = 0; id < scores[b].size(); ++id)
        all.push_back({b, static_cast<TokenId>(id), beams[b].log_prob + scores[b][id]});
    }
    std::ranges::sort(all, std::greater<>(), &Next::log_prob);
    all.resize(2);
    return all;
  }
  void decide(Group& group) override {
    std::vector<std::vector<float>> scores;
    for (const MemberId member : members_)
      scores.push_back(scores_.at(static_cast<size_t>(member)));
    for (auto& row : scores) log_softmax(row);
    std::vector<Beam> beams;
    std::vector<MemberId> members;
    for (const Next& next : best_two(beams_, scores)) {
      Beam beam = beams_[next.from];
      beam.written.push_back(next.token);
      beam.log_prob = next.log_prob;
      beams.push_back(std::move(beam));
    }
    const auto chosen = best_two(beams_, scores);
    beams_ = beams;
    if (--count_ == 0) {
      *result_ = beams_;
      group.drop_all();
      return;
    }
    go_on(group, chosen);
  }
  void end(std::exception_ptr error) noexcept override { EXPECT_FALSE(error); }

 private:
  // A beam that both come from is forked, one that none comes from is dropped first.
  void go_on(Group& group, const std::vector<Next>& chosen) {
    std::vector<MemberId> members(2);
    for (size_t b = 0; b < members_.size(); ++b) {
      if (members_[b] != Group::kPrompt && std::ranges::count(chosen, b, &Next::from) == 0)
        group.drop(members_[b]);
    }
    for (size_t i = 0; i < 2; ++i) {
      const MemberId from = members_[chosen[i].from];
      const bool is_first = i == 0 || chosen[0].from != chosen[1].from;
      members[i] = is_first && from != Group::kPrompt ? from : group.fork(from);
    }
    if (members_ == std::vector<MemberId>{Group::kPrompt}) group.drop(Group::kPrompt);
    members_ = members;
    for (size_t i = 0; i < 2; ++i) group.append(members_[i], std::array{chosen[i].token});
  }

  int count_;
  std::vector<Beam>* result_;
  std::vector<Beam> beams_ = {{}};
  std::vector<MemberId> members_ = {Group::kPrompt};
  std::array<std::vector<float>, 64> scores_ = {};
};

TEST(Strategy, TwoBeamsForkAndDrop) {
  Generator generator = long_generator();
  const auto prompt = generator.prompt_tokens("beams share their prompt", SpecialTokens::kAsText);
  const auto V = static_cast<std::ptrdiff_t>(generator.model().config().vocab_size);
  std::vector<TwoBeams::Beam> expected = {{}};
  int changes = 0;
  for (int step = 0; step < 20; ++step) {
    std::vector<std::vector<float>> scores;
    for (const auto& beam : expected) {
      auto text = prompt;
      text.insert(text.end(), beam.written.begin(), beam.written.end());
      const auto logits = generator.model().logits(text);
      scores.emplace_back(logits.end() - V, logits.end());
      TwoBeams::log_softmax(scores.back());
    }
    std::vector<TwoBeams::Beam> next;
    const auto chosen = TwoBeams::best_two(expected, scores);
    changes += step > 0 && chosen[0].from == chosen[1].from;
    for (const auto& choice : chosen) {
      next.push_back({expected[choice.from].written, choice.log_prob});
      next.back().written.push_back(choice.token);
    }
    expected = next;
  }
  EXPECT_GT(changes, 0) << "no beam was ever forked";
  Engine engine(generator, {.kept_tokens = 0});
  std::vector<TwoBeams::Beam> found;
  Outcome beside;
  submit(engine, {.prompt = "beams", .options = {.max_tokens = 30}}, beside);
  engine.impl().submit(
      {.prompt = prompt, .max_tokens = 20, .strategy = std::make_unique<TwoBeams>(20, found)});
  finish(engine);
  ASSERT_EQ(found.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found[i].written, expected[i].written);
    EXPECT_EQ(found[i].log_prob, expected[i].log_prob);  // to the last bit
  }
  expect_all_free(engine);
}

// Rows of the prompt that are read are computed, whatever is in the cache, and come in order.
class AllRows : public Strategy {
 public:
  AllRows(int64_t rows, std::vector<float>& hidden, std::vector<float>& logits)
      : rows_(rows), hidden_(&hidden), logits_(&logits) {}
  Demand demand() const override { return {}; }
  Wanted of_prompt() const override { return {.rows = rows_, .logits = true, .hidden = true}; }
  void read(const Results& results) override {
    EXPECT_EQ(results.first, seen_);
    seen_ += results.rows;
    hidden_->insert(hidden_->end(), results.hidden.begin(), results.hidden.end());
    logits_->insert(logits_->end(), results.logits.begin(), results.logits.end());
  }
  void decide(Group& group) override { group.drop_all(); }
  void end(std::exception_ptr error) noexcept override { EXPECT_FALSE(error); }

 private:
  int64_t rows_, seen_ = 0;
  std::vector<float>* hidden_;
  std::vector<float>* logits_;
};

// One that throws from the calls that tests name.
class Throwing : public Strategy {
 public:
  enum class From { kDemand, kCancel, kNoMember };
  Throwing(From from, std::exception_ptr& error) : from_(from), error_(&error) {}
  Demand demand() const override {
    if (from_ == From::kDemand && asked_++ > 0) throw std::runtime_error("demand");
    return {};
  }
  void read(const Results&) override {}
  void decide(Group&) override {}  // and so goes on with the prompt, which takes nothing
  void cancel() override {
    if (from_ == From::kCancel) throw std::runtime_error("cancel");
  }
  void end(std::exception_ptr error) noexcept override { *error_ = error; }

 private:
  From from_;
  std::exception_ptr* error_;
  mutable int asked_ = 0;
};

TEST(Strategy, WhatItThrowsEndsItAlone) {
  Generator generator = long_generator();
  const Request request{.prompt = "beside",
                        .options = {.max_tokens = 9, .ignore_end_of_text = true}};
  const Outcome expected = alone(generator, request);
  using From = Throwing::From;
  for (const From from : {From::kDemand, From::kCancel, From::kNoMember}) {
    Engine engine(generator, {.kept_tokens = 0, .prompt_rows = 20});
    Outcome beside;
    submit(engine, request, beside);
    std::exception_ptr error;
    const auto prompt = generator.prompt_tokens(std::string(40, 'z'), SpecialTokens::kAsText);
    const RequestId id = engine.impl().submit(
        {.prompt = prompt, .max_tokens = 5, .strategy = std::make_unique<Throwing>(from, error)});
    EXPECT_NO_THROW(engine.step());
    if (from == From::kCancel) engine.cancel(id);
    EXPECT_NO_THROW(finish(engine));
    EXPECT_TRUE(error);
    expect_same(beside.completions, expected.completions);
    expect_all_free(engine);
  }
}

TEST(Strategy, ReadsEveryRowOfAPrompt) {
  Generator generator = long_generator();
  const auto prompt = generator.prompt_tokens(std::string(40, 'z'), SpecialTokens::kAsText);
  const auto expected = generator.model().logits(prompt);
  for (const int64_t rows_at_once : {7, 512}) {
    Engine engine(generator, {.prompt_rows = rows_at_once});
    for (int time = 0; time < 2; ++time) {  // the second time it is in the cache
      std::vector<float> hidden, logits;
      engine.impl().submit({.prompt = prompt,
                            .max_tokens = 0,
                            .strategy = std::make_unique<AllRows>(40, hidden, logits)});
      finish(engine);
      EXPECT_EQ(logits, expected);
      EXPECT_EQ(hidden.size(), 40u * 32);
    }
    EXPECT_EQ(engine.state().fed_tokens, 80);
  }
}

}  // namespace
}  // namespace inkstone
