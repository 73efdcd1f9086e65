#include "generate/scoring.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "generate/sampler.h"

namespace inkstone {
namespace {

// Whether no other is larger, and none before it as large.
bool is_largest(std::span<const float> logits, TokenId token) {
  const auto at = static_cast<size_t>(token);
  const float it = logits[at];
  return std::ranges::none_of(logits.first(at), [it](float x) { return x >= it; }) &&
         std::ranges::none_of(logits.subspan(at + 1), [it](float x) { return x > it; });
}

}  // namespace

std::vector<Scoring::Window> Scoring::windows(int64_t context_tokens, int64_t tokens,
                                              int64_t context) {
  std::vector<Window> all;
  for (int64_t next = context_tokens; next < tokens; next = all.back().end + 1) {
    int64_t begin = 0;
    if (next > context)
      begin = std::min(next - std::max<int64_t>(1, context / 2), tokens - 1 - context);
    all.push_back({.begin = begin, .end = std::min(tokens - 1, begin + context), .next = next});
  }
  return all;
}

Scoring::Scoring(ScoringTask task, int64_t context)
    : text_(std::move(task.text.context)),
      context_tokens_(static_cast<int64_t>(text_.size())),
      on_end_(std::move(task.on_end)) {
  const std::vector<TokenId>& completion = task.text.completion;
  text_.insert(text_.end(), completion.begin(), completion.end());
  windows_ = windows(context_tokens_, static_cast<int64_t>(text_.size()), context);
  members_.emplace(Group::kPrompt, 0);
  log_probs_.resize(completion.size());
  is_best_.resize(completion.size());
}

std::vector<TokenId> Scoring::inputs(const Window& window) const {
  return {text_.begin() + window.begin, text_.begin() + window.end};
}

Wanted Scoring::wanted(const Window& window) const {
  return {.rows = window.end - window.next + 1,
          .logits = true,
          .hidden = false,
          .targets = {text_.begin() + window.next, text_.begin() + window.end + 1}};
}

Demand Scoring::demand() const {
  const auto count = static_cast<int64_t>(windows_.size());
  if (count == 1) return {};
  const auto left = count - static_cast<int64_t>(begun_) + static_cast<int64_t>(members_.size());
  return {.least = 1, .most = std::max<int64_t>(1, left), .share_prompt = false};
}

void Scoring::read(const Results& results) {
  const Window& window = windows_[members_.at(results.member)];
  const size_t V = results.logits.size() / static_cast<size_t>(results.rows);
  for (int64_t r = 0; r < results.rows; ++r) {
    const auto row = static_cast<size_t>(r);
    const int64_t place = window.begin + results.first + r + 1;  // of what the row predicts
    const auto logits = results.logits.subspan(row * V, V);
    if (!std::isfinite(results.losses[row])) fail_damaged_logits();
    const auto at = static_cast<size_t>(place - context_tokens_);
    log_probs_[at] = -static_cast<double>(results.losses[row]);
    is_best_[at] = is_largest(logits, text_[static_cast<size_t>(place)]);
  }
}

void Scoring::decide(Group& group) {
  std::erase_if(members_, [&](const auto& member) {
    if (!group.is_fed(member.first)) return false;
    group.drop(member.first);
    return true;
  });
  while (begun_ < windows_.size() && group.room() > 0) {
    const Window& window = windows_[begun_];
    members_.emplace(group.open(inputs(window), wanted(window)), begun_++);
  }
}

void Scoring::end(std::exception_ptr error) noexcept {
  if (!on_end_) return;
  TextScore score;
  if (!error) {
    score.is_greedy = std::ranges::all_of(is_best_, [](uint8_t best) { return best != 0; });
    score.log_probs = std::move(log_probs_);
  }
  on_end_(std::move(score), error);
}

}  // namespace inkstone
