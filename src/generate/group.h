// The sequences of one request.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "generate/prefix_cache.h"
#include "generate/strategy.h"
#include "model/decoder.h"

namespace inkstone {

// One sequence: the tokens of its window, of which the decoder may hold the first ones only.
struct Member {
  int64_t sequence = -1;        // of the decoder; -1: none yet
  std::vector<TokenId> tokens;  // held ones, and behind them those to be fed
  Wanted wanted;                // of those to be fed
  bool is_prompt = false;       // fed in chunks; a token that was just written is not
};

// What a request holds; a Strategy acts on it by the functions in front, the engine by the others.
class Group {
 public:
  // Writes prompt (at most the context; the first member, and its results) with pages and kept
  // sequences that it shares with others.
  Group(Decoder& decoder, PrefixCache& kept, ThreadPool& pool);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // The member that holds the prompt, for others to be forked from. It takes no room, and nothing
  // is appended to it.
  static constexpr MemberId kPrompt = 0;

  // Members that may join now.
  int64_t room() const { return allowance_ - (size() - (members_.contains(kPrompt) ? 1 : 0)); }
  // Tokens of a member's window, those to be fed included. A member that has become longer than the
  // context has lost its first ones.
  std::span<const TokenId> tokens(MemberId id) const { return members_.at(id).tokens; }
  // Whether it has been fed all its tokens.
  bool is_fed(MemberId id) const { return pending(members_.at(id)) == 0; }
  int64_t size() const { return static_cast<int64_t>(members_.size()); }

  // A member of its own: at least one token, and no more than the context.
  MemberId open(std::span<const TokenId> tokens, const Wanted& wanted = {});
  // A member that has the first `length` tokens of another, which that has been fed.
  MemberId fork(MemberId id, int64_t length);
  MemberId fork(MemberId id) { return fork(id, static_cast<int64_t>(tokens(id).size())); }
  void drop(MemberId id);
  // Tokens that a member takes in the next pass. Beyond the context its window is filled again with
  // its last half: with learned positions the kept keys would be at wrong places.
  void append(MemberId id, std::span<const TokenId> tokens, const Wanted& wanted = {});
  // Forgets all but the first `length` tokens that it has been fed, such as a draft that failed.
  void truncate(MemberId id, int64_t length);

  // Calls f(i) for 0 <= i < count on the pool.
  template <typename F>
  void side_by_side(int64_t count, F&& f) {
    pool_->parallel_each(count, [&](int64_t i, int) { f(i); });
  }

  // The engine's.
  std::map<MemberId, Member>& members() { return members_; }
  const std::map<MemberId, Member>& members() const { return members_; }
  void set_allowance(int64_t members) { allowance_ = members; }
  void begin(std::vector<TokenId> prompt, const Wanted& wanted);
  void drop_all();
  // Drops all members and keeps none: what the cache holds of them may be wrong.
  void close_all() noexcept;
  // Tokens that the decoder holds of a member, and those that it has to be fed.
  int64_t held(const Member& member) const {
    return member.sequence < 0 ? 0 : decoder_->length(member.sequence);
  }
  int64_t pending(const Member& member) const {
    return static_cast<int64_t>(member.tokens.size()) - held(member);
  }

 private:
  MemberId add(Member member);
  void refill(Member& member);

  Decoder* decoder_;
  PrefixCache* kept_;
  ThreadPool* pool_;
  std::map<MemberId, Member> members_;
  MemberId next_ = 0;
  int64_t allowance_ = 0;
};

}  // namespace inkstone
