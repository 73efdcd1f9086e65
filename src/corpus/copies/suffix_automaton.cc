#include "corpus/copies/suffix_automaton.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace inkstone {
namespace {

uint64_t key_of(int32_t state, int32_t symbol) {
  return uint64_t{static_cast<uint32_t>(state)} << 32 | static_cast<uint32_t>(symbol);
}

}  // namespace

SuffixAutomaton::SuffixAutomaton() : states_(1) {}

int32_t SuffixAutomaton::find(int32_t state, int32_t symbol) const {
  const auto at = next_.find(key_of(state, symbol));
  return at == next_.end() ? -1 : at->second;
}

void SuffixAutomaton::set(int32_t state, int32_t symbol, int32_t to) {
  auto& edges = states_[static_cast<size_t>(state)].next;
  if (!next_.insert_or_assign(key_of(state, symbol), to).second) {
    std::ranges::find(edges, symbol, &std::pair<int32_t, int32_t>::first)->second = to;
  } else {
    edges.emplace_back(symbol, to);
  }
}

int32_t SuffixAutomaton::new_state(int32_t length, int32_t link) {
  INK_CHECK(states_.size() < INT32_MAX, "states of an automaton");
  states_.push_back({.length = length, .link = link, .matched = 0, .text_end = 0, .next = {}});
  return static_cast<int32_t>(states_.size()) - 1;
}

// A state for the subsequences at `to` that are one symbol longer than those at `from`; longer ones
// stay at `to`.
int32_t SuffixAutomaton::split(int32_t from, int32_t symbol, int32_t to) {
  const int32_t copy = new_state(states_[static_cast<size_t>(from)].length + 1,
                                 states_[static_cast<size_t>(to)].link);
  const auto edges = states_[static_cast<size_t>(to)].next;
  for (const auto& [edge, state] : edges) set(copy, edge, state);
  for (int32_t p = from; p != -1 && find(p, symbol) == to; p = states_[static_cast<size_t>(p)].link)
    set(p, symbol, copy);
  states_[static_cast<size_t>(to)].link = copy;
  return copy;
}

int32_t SuffixAutomaton::extend(int32_t last, int32_t symbol) {
  const int32_t length = states_[static_cast<size_t>(last)].length + 1;
  // An earlier sequence has been here.
  if (const int32_t to = find(last, symbol); to != -1)
    return states_[static_cast<size_t>(to)].length == length ? to : split(last, symbol, to);
  const int32_t fresh = new_state(length, 0);
  int32_t p = last;
  for (; p != -1 && find(p, symbol) == -1; p = states_[static_cast<size_t>(p)].link)
    set(p, symbol, fresh);
  if (p == -1) return fresh;
  const int32_t to = find(p, symbol);
  const bool is_next = states_[static_cast<size_t>(to)].length ==
                       states_[static_cast<size_t>(p)].length + 1;
  const int32_t link = is_next ? to : split(p, symbol, to);
  states_[static_cast<size_t>(fresh)].link = link;
  return fresh;
}

void SuffixAutomaton::add(std::span<const int32_t> sequence) {
  INK_CHECK(fed_ == 0, "sequences come before the text");
  auto& path = ends_.emplace_back();
  int32_t last = 0;
  for (const int32_t symbol : sequence) path.push_back(last = extend(last, symbol));
}

void SuffixAutomaton::feed(int32_t symbol) {
  ++fed_;
  int32_t to = find(at_, symbol);
  while (to == -1 && at_ != 0) {
    at_ = states_[static_cast<size_t>(at_)].link;
    length_ = states_[static_cast<size_t>(at_)].length;
    to = find(at_, symbol);
  }
  if (to == -1) return;
  at_ = to;
  State& state = states_[static_cast<size_t>(to)];
  if (++length_ <= state.matched) return;
  state.matched = length_;
  state.text_end = fed_;
}

void SuffixAutomaton::break_text() {
  at_ = 0;
  length_ = 0;
}

std::vector<int32_t> SuffixAutomaton::by_length() const {
  std::vector<int32_t> order(states_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {},
                           [&](int32_t s) { return states_[static_cast<size_t>(s)].length; });
  return order;
}

std::vector<VerbatimMatch> SuffixAutomaton::longest() const {
  struct Match {
    int32_t length = 0;
    int64_t text_end = 0;
  };
  std::vector<Match> best(states_.size());
  for (size_t s = 0; s < states_.size(); ++s) best[s] = {states_[s].matched, states_[s].text_end};
  const std::vector<int32_t> order = by_length();
  // What matches here matches with its ends too.
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const State& state = states_[static_cast<size_t>(*at)];
    if (state.link < 0 || best[static_cast<size_t>(*at)].length == 0) continue;
    Match& shorter = best[static_cast<size_t>(state.link)];
    const int32_t whole = states_[static_cast<size_t>(state.link)].length;
    if (shorter.length < whole) shorter = {whole, best[static_cast<size_t>(*at)].text_end};
  }
  // Where nothing matches, an end of it may.
  for (const int32_t s : order) {
    const int32_t link = states_[static_cast<size_t>(s)].link;
    if (link >= 0 && best[static_cast<size_t>(s)].length == 0)
      best[static_cast<size_t>(s)] = best[static_cast<size_t>(link)];
  }
  std::vector<VerbatimMatch> result;
  for (const auto& path : ends_) {
    VerbatimMatch longest;
    for (size_t i = 0; i < path.size(); ++i) {
      const Match& match = best[static_cast<size_t>(path[i])];
      if (match.length <= longest.length) continue;
      longest = {static_cast<int64_t>(i) + 1 - match.length, match.length, match.text_end};
    }
    result.push_back(longest);
  }
  return result;
}

}  // namespace inkstone
