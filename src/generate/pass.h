// One pass of an engine through the model: which tokens of which requests it takes, and who reads
// what it gives.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "generate/job.h"
#include "generate/pace.h"

namespace inkstone {

using Jobs = std::vector<std::unique_ptr<Job>>;  // in the order in which they came

// Keeps its work space between passes.
class Pass {
 public:
  Pass(Decoder& decoder, PrefixCache& kept, ThreadPool& pool)
      : decoder_(&decoder), kept_(&kept), pool_(&pool) {}

  // First every member that goes on, then chunks of prompts as far as the pace allows. A prompt
  // begins with the whole pages that another sequence holds of it; where one in front of it is
  // about to hold more of them, it waits for that. (A prompt that the model sees whole shares
  // nothing with others, and is fed at once.) False: there is nothing to do.
  bool plan(const Jobs& jobs, const Pace& pace);
  void run();
  // Lets the strategies read; sets has_results of the jobs one of whose members was fed all its
  // tokens, and error of those whose strategy threw.
  void read();
  // After one of the two threw: ends the pass's jobs, and keeps nothing that they hold.
  void fail(std::exception_ptr error) noexcept;

  int64_t rows() const { return rows_; }
  // Tokens that were found in the cache instead of being fed, since the beginning.
  int64_t reused() const { return reused_; }

 private:
  struct Part {
    Job* job;
    MemberId id;
    Member* member;
    int64_t held, count;  // tokens that it held before, and takes in this pass
    int64_t row;          // the first of the pass
  };
  // Rows of a part that are read together.
  struct Reading {
    const Part* part;
    int64_t row;
    Results results;
  };

  void add(Job& job, MemberId id, Member& member, int64_t count);
  void plan_prompts(const Jobs& jobs, int64_t room);
  int64_t whole_tokens(const Member& member) const;
  bool attach(Member& member, const Jobs& jobs);
  PrefixHit find_live(std::span<const TokenId> tokens, const Jobs& jobs) const;
  std::vector<Reading> readings() const;
  void compute(std::span<Reading> batch);
  void compute_logits(std::span<Reading> batch);
  void compute_hidden(std::span<Reading> batch);
  void hand_over(std::span<const Reading> batch);

  Decoder* decoder_;
  PrefixCache* kept_;
  ThreadPool* pool_;
  std::vector<Part> parts_;
  std::vector<const Member*> prompts_;  // seen in this plan, that are not fed yet
  int64_t rows_ = 0, reused_ = 0;
  std::vector<float> logits_, hidden_, losses_;
};

}  // namespace inkstone
