// Which requests are worked on, and their passes, one after the other. One thread's.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>

#include "generate/job.h"
#include "generate/pace.h"
#include "generate/pass.h"
#include "generate/prefix_cache.h"
#include "inkstone/engine.h"
#include "model/decoder.h"

namespace inkstone {

class Scheduler {
 public:
  // `tokens` of the cache.
  Scheduler(const Weights& weights, const EngineOptions& options, int64_t tokens);

  // Throws kUsage for one that could never be admitted. May be called beside a step.
  PageNeed checked_need(const JobRequest& request) const;

  // At the end of the queue. One that there is no memory for ends at once.
  void add(RequestId id, JobRequest request, const PageNeed& need);
  void cancel(RequestId id);
  // One pass; false when no request is left. As Engine::step.
  bool step();

  EngineState state() const;

 private:
  void cancel_requested();
  void admit();
  void set_allowances();
  void grow(Job& job, const Demand& demand);
  int64_t free_pages() const { return decoder_.pages() - reserved_; }
  bool begin(std::unique_ptr<Job>& waiting);
  bool pass();
  void fail_active(std::exception_ptr error);
  void decide();
  void end_ended();
  void cancel(std::unique_ptr<Job> job);
  void end(Job& job) noexcept;
  void allow(Job& job, int64_t members);

  EngineOptions options_;
  Decoder decoder_;
  PrefixCache kept_;
  ThreadPool* pool_;
  Pace pace_;
  Pass pass_;
  std::deque<std::unique_ptr<Job>> waiting_;
  Jobs active_;
  int64_t reserved_ = 0;   // pages
  int64_t sequences_ = 0;  // that the active requests may have
  int64_t fed_ = 0;        // tokens, since the beginning
};

}  // namespace inkstone
