#include "generate/group.h"

#include <algorithm>

#include "base/check.h"

namespace inkstone {

Group::Group(Decoder& decoder, PrefixCache& kept, ThreadPool& pool)
    : decoder_(&decoder), kept_(&kept), pool_(&pool) {}

Group::~Group() { close_all(); }

void Group::close_all() noexcept {
  for (const auto& [id, member] : members_) {
    if (member.sequence >= 0) decoder_->close(member.sequence);
  }
  members_.clear();
}

MemberId Group::add(Member member) {
  members_.emplace(next_, std::move(member));
  return next_++;
}

void Group::begin(std::vector<TokenId> prompt, const Wanted& wanted) {
  INK_CHECK(next_ == kPrompt, "a group begins once");
  add({.sequence = -1, .tokens = std::move(prompt), .wanted = wanted, .is_prompt = true});
}

MemberId Group::open(std::span<const TokenId> tokens, const Wanted& wanted) {
  INK_CHECK(room() > 0 && !tokens.empty(), "no room for a member, or no tokens");
  return add({.sequence = -1,
              .tokens = {tokens.begin(), tokens.end()},
              .wanted = wanted,
              .is_prompt = true});
}

MemberId Group::fork(MemberId id, int64_t length) {
  const Member& from = members_.at(id);
  INK_CHECK(room() > 0, "no room for a member");
  INK_CHECK(length >= 1 && length <= held(from), "a fork of tokens that were not fed");
  const MemberId forked = add({.sequence = -1,
                               .tokens = {from.tokens.begin(), from.tokens.begin() + length},
                               .wanted = {},
                               .is_prompt = false});
  try {
    members_.at(forked).sequence = decoder_->fork(from.sequence, length);
  } catch (...) {
    members_.erase(forked);
    throw;
  }
  return forked;
}

// What another member holds as well is not kept besides.
void Group::drop(MemberId id) {
  const auto found = members_.find(id);
  INK_CHECK(found != members_.end(), "no such member");
  Member member = std::move(found->second);
  members_.erase(found);
  if (member.sequence < 0) return;
  member.tokens.resize(static_cast<size_t>(decoder_->length(member.sequence)));
  const bool is_shared = std::ranges::any_of(members_, [&](const auto& other) {
    const auto length = static_cast<int64_t>(member.tokens.size());
    return held(other.second) >= length &&
           common_length(other.second.tokens, member.tokens) == length;
  });
  if (is_shared) {
    decoder_->close(member.sequence);
  } else {
    kept_->keep(member.sequence, std::move(member.tokens));
  }
}

void Group::drop_all() {
  while (!members_.empty()) drop(members_.begin()->first);
}

void Group::append(MemberId id, std::span<const TokenId> tokens, const Wanted& wanted) {
  Member& member = members_.at(id);
  INK_CHECK(id != kPrompt && pending(member) == 0 && !tokens.empty(),
            "tokens for a member that takes none now");
  member.tokens.insert(member.tokens.end(), tokens.begin(), tokens.end());
  member.wanted = wanted;
  member.is_prompt = false;
  if (static_cast<int64_t>(member.tokens.size()) > decoder_->config().context) refill(member);
}

void Group::refill(Member& member) {
  const int64_t half = std::max<int64_t>(1, decoder_->config().context / 2);
  INK_CHECK(member.wanted.rows <= half, "more rows than half a window has");
  member.tokens.erase(member.tokens.begin(), member.tokens.end() - half);
  decoder_->close(member.sequence);
  member.sequence = -1;
  member.is_prompt = true;
}

void Group::truncate(MemberId id, int64_t length) {
  Member& member = members_.at(id);
  INK_CHECK(pending(member) == 0 && length >= 1 && length <= held(member),
            "truncating what was not fed");
  decoder_->truncate(member.sequence, length);
  member.tokens.resize(static_cast<size_t>(length));
}

}  // namespace inkstone
