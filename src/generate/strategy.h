// How a request goes on: who reads what the model says after each pass, and decides what its
// sequences take next. Sampling is one; beams, guidance, contrastive search and drafts are others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

class Group;

// A sequence of a group. Ids are not given twice.
using MemberId = int64_t;

// What is read of the tokens that a member is fed: of the last `rows` of them. Rows that are read
// are computed even where a cache has their keys.
struct Wanted {
  int64_t rows = 1;
  bool logits = true;
  bool hidden = false;
  // The tokens that follow the rows, one for each: their losses are given. Empty: none. With logits
  // only.
  std::vector<TokenId> targets = {};
};

// What a pass gave for one member. Long ones come in several parts, in the order of their rows.
struct Results {
  MemberId member = 0;
  int64_t first = 0;                   // place of the first row among the member's tokens
  int64_t rows = 0;                    // at least one
  std::span<const float> logits = {};  // [rows, V], if wanted
  std::span<const float> hidden = {};  // [rows, C] after the last normalisation, if wanted
  std::span<const float> losses = {};  // [rows]: -log P(target) in nats, if there are targets
};

// Members that a strategy needs at once, the prompt not counted. It has room for `least` of them
// from the beginning, and for more, up to `most`, as they become free.
struct Demand {
  int64_t least = 1, most = 1;
  // The members begin with the prompt (they are forks of it); false: with other tokens.
  bool share_prompt = true;
};

// One request's. Calls come from the thread of Engine::step(), but for read().
class Strategy {
 public:
  virtual ~Strategy() = default;

  // Asked before every pass. `most` never grows, and is 1 from the beginning for one that never has
  // two members.
  virtual Demand demand() const = 0;
  // What is read of the prompt.
  virtual Wanted of_prompt() const { return {}; }

  // What the pass gave for a member: side by side with the other members' on the pool's threads,
  // so it writes to nothing that they share. The results live until it returns.
  virtual void read(const Results& results) = 0;
  // After a pass that fed one of the members all that it had to take: forks, drops, appends. The
  // request is done when no member is left.
  virtual void decide(Group& group) = 0;

  // The request is cancelled: nothing is read or decided any more.
  virtual void cancel() {}
  // The last call, once: done, cancelled, or ended by what one of the calls or its pass threw.
  virtual void end(std::exception_ptr error) noexcept = 0;
};

}  // namespace inkstone
