// A request while it is worked on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "generate/group.h"
#include "generate/strategy.h"
#include "inkstone/engine.h"

namespace inkstone {

// A request from inside.
struct JobRequest {
  std::vector<TokenId> prompt;  // 1 to context tokens
  // Tokens that a member may have beyond the prompt (drafts included), its window aside.
  int64_t max_tokens = 0;
  std::unique_ptr<Strategy> strategy;
  // Asked before every step; true: it is cancelled.
  std::function<bool()> stop_requested = {};
};

// The most pages of the cache that a request can come to hold.
struct PageNeed {
  int64_t of_prompt = 0, of_member = 0;

  // With so many members.
  int64_t pages(int64_t members) const { return of_prompt + members * of_member; }
};

inline int64_t pages_of(int64_t tokens) { return (tokens + kPagePositions - 1) / kPagePositions; }

// Whole pages of the prompt are shared as long as no member's window moves on; a page more for each
// member is what it copies when it writes into one that it shares. The last of them needs no copy,
// but PageTable::pages_for counts one for it too where all append in one pass, and a decoder
// refuses a pass by that count: the page more for every member, not for all but one, is needed. A
// single member takes the prompt's own pages over.
inline PageNeed page_need(const JobRequest& request, const Demand& demand, int64_t context) {
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const int64_t all = prompt + std::min(request.max_tokens, context);
  const int64_t whole = pages_of(std::min(all, context));
  if (demand.most == 1 && demand.share_prompt) return {.of_prompt = 0, .of_member = whole};
  const bool shares = demand.share_prompt && all <= context;
  return {.of_prompt = pages_of(prompt),
          .of_member = whole + 1 - (shares ? prompt / kPagePositions : 0)};
}

struct Job {
  Job(RequestId its_id, JobRequest its_request, const PageNeed& pages, Decoder& decoder,
      PrefixCache& kept, ThreadPool& pool)
      : id(its_id), request(std::move(its_request)), need(pages), group(decoder, kept, pool) {}

  Strategy& strategy() const { return *request.strategy; }

  RequestId id;
  JobRequest request;
  PageNeed need;
  Group group;
  int64_t allowance = 0;     // members that it may have
  bool has_results = false;  // of the last pass
  std::exception_ptr error = {};
};

}  // namespace inkstone
