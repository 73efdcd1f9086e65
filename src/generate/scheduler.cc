#include "generate/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace inkstone {
namespace {

// Takes the jobs out of a list that is_it names, in their order, and passes each on. Needs no
// memory, as it must not where memory is short.
template <typename List, typename IsIt, typename F>
void take_out(List& jobs, IsIt&& is_it, F&& pass_on) {
  for (auto at = jobs.begin(); at != jobs.end();) {
    if (!is_it(**at)) {
      ++at;
      continue;
    }
    std::unique_ptr<Job> job = std::move(*at);
    at = jobs.erase(at);
    pass_on(std::move(job));
  }
}

}  // namespace

Scheduler::Scheduler(const Weights& weights, const EngineOptions& options, int64_t tokens)
    : options_(options),
      decoder_(weights, tokens),
      kept_(decoder_, weights.config().prefix_lm ? 0 : options.kept_tokens),
      pool_(&weights.backend().runtime().pool()),
      pace_(options.prompt_rows, options.prompt_ms),
      pass_(decoder_, kept_, *pool_) {}

PageNeed Scheduler::checked_need(const JobRequest& request) const {
  const Demand demand = request.strategy->demand();
  const PageNeed need = page_need(request, demand, decoder_.config().context);
  const int64_t pages = need.pages(demand.least);
  if (pages > decoder_.pages()) {
    fail(ErrorCode::kUsage,
         "the request may come to hold {} tokens, the cache only has room for {}: ask for fewer "
         "tokens, give a shorter prompt, or make the cache larger",
         pages * kPagePositions, decoder_.pages() * kPagePositions);
  }
  if (demand.least > options_.max_sequences) {
    fail(ErrorCode::kUsage,
         "the request writes {} sequences at once, expected at most {}, the engine's limit",
         demand.least, options_.max_sequences);
  }
  return need;
}

void Scheduler::add(RequestId id, JobRequest request, const PageNeed& need) {
  std::unique_ptr<Job> job;
  try {
    job = std::make_unique<Job>(id, std::move(request), need, decoder_, kept_, *pool_);
    waiting_.push_back(std::move(job));
  } catch (...) {  // both take what they are given last, when nothing throws any more
    (job ? job->strategy() : *request.strategy).end(std::current_exception());
  }
}

// The members that a job may have, and the pages that it may come to hold.
void Scheduler::allow(Job& job, int64_t members) {
  const auto pages = [&](int64_t count) { return count > 0 ? job.need.pages(count) : 0; };
  reserved_ += pages(members) - pages(job.allowance);
  sequences_ += members - job.allowance;
  job.allowance = members;
  job.group.set_allowance(members);
}

void Scheduler::cancel(RequestId id) {
  const auto is_it = [id](const Job& job) { return job.id == id; };
  take_out(waiting_, is_it, [&](std::unique_ptr<Job> job) { cancel(std::move(job)); });
  take_out(active_, is_it, [&](std::unique_ptr<Job> job) { cancel(std::move(job)); });
}

void Scheduler::cancel(std::unique_ptr<Job> job) {
  try {
    if (!job->error) job->strategy().cancel();
  } catch (...) {
    job->error = std::current_exception();
  }
  end(*job);
}

void Scheduler::cancel_requested() {
  const auto is_requested = [](Job& job) {
    try {
      return job.request.stop_requested && job.request.stop_requested();
    } catch (...) {
      job.error = std::current_exception();
      return true;
    }
  };
  take_out(active_, is_requested, [&](std::unique_ptr<Job> job) { cancel(std::move(job)); });
  take_out(waiting_, is_requested, [&](std::unique_ptr<Job> job) { cancel(std::move(job)); });
}

void Scheduler::grow(Job& job, const Demand& demand) {
  while (job.allowance < demand.most && sequences_ < options_.max_sequences &&
         job.need.of_member <= free_pages()) {
    allow(job, job.allowance + 1);
  }
}

void Scheduler::set_allowances() {
  for (const auto& job : active_) {
    try {
      const Demand demand = job->strategy().demand();
      if (job->allowance > demand.most) allow(*job, std::max<int64_t>(1, demand.most));
      grow(*job, demand);
    } catch (...) {
      job->error = std::current_exception();
    }
  }
  end_ended();
}

// False: it does not fit yet.
bool Scheduler::begin(std::unique_ptr<Job>& waiting) {
  const Demand demand = waiting->strategy().demand();
  if (sequences_ + demand.least > options_.max_sequences ||
      waiting->need.pages(demand.least) > free_pages())
    return false;
  allow(*waiting, demand.least);
  grow(*waiting, demand);
  waiting->group.begin(std::move(waiting->request.prompt), waiting->strategy().of_prompt());
  active_.push_back(std::move(waiting));
  return true;
}

// In the order in which they came: one that needs much is not passed by those that need little.
void Scheduler::admit() {
  while (!waiting_.empty()) {
    std::unique_ptr<Job> failed;
    try {
      if (!begin(waiting_.front())) return;
    } catch (...) {
      failed = std::move(waiting_.front());
      failed->error = std::current_exception();
    }
    waiting_.pop_front();
    if (failed) end(*failed);
  }
}

bool Scheduler::step() {
  cancel_requested();
  set_allowances();
  admit();
  if (!pass()) return false;
  decide();
  end_ended();
  return !active_.empty() || !waiting_.empty();
}

// False: there is nothing to do. What it throws is the end of its requests, not of the engine.
bool Scheduler::pass() {
  try {
    if (!pass_.plan(active_, pace_)) return false;
  } catch (...) {
    fail_active(std::current_exception());
    return true;
  }
  try {
    const double begin = seconds_now();
    pass_.run();
    pass_.read();
    pace_.measured(pass_.rows(), 1000 * (seconds_now() - begin));
    fed_ += pass_.rows();
  } catch (...) {
    pass_.fail(std::current_exception());
  }
  return true;
}

// Where it is not known whose part of a pass failed.
void Scheduler::fail_active(std::exception_ptr error) {
  for (const auto& job : active_) {
    if (!job->error) job->error = error;
  }
}

void Scheduler::decide() {
  for (const auto& job : active_) {
    if (!std::exchange(job->has_results, false) || job->error) continue;
    const auto takes_tokens = [&](const auto& member) {
      return job->group.pending(member.second) > 0;
    };
    try {
      job->strategy().decide(job->group);
      INK_CHECK(job->group.size() == 0 || std::ranges::any_of(job->group.members(), takes_tokens),
                "a strategy that goes on with no member");
    } catch (...) {
      job->error = std::current_exception();
    }
  }
}

void Scheduler::end_ended() {
  const auto is_ended = [](const Job& job) { return job.error || job.group.size() == 0; };
  take_out(active_, is_ended, [&](const std::unique_ptr<Job>& job) { end(*job); });
}

// Its pages are free before its client hears of it.
void Scheduler::end(Job& job) noexcept {
  try {
    job.group.drop_all();
  } catch (...) {
    job.group.close_all();  // nothing of it is kept then; what it wrote is as good
  }
  allow(job, 0);
  job.strategy().end(job.error);
}

EngineState Scheduler::state() const {
  return {.waiting = static_cast<int64_t>(waiting_.size()),
          .running = static_cast<int64_t>(active_.size()),
          .pages = decoder_.pages(),
          .free_pages = decoder_.free_pages(),
          .reserved_pages = reserved_,
          .kept_tokens = kept_.tokens(),
          .fed_tokens = fed_,
          .reused_tokens = pass_.reused()};
}

}  // namespace inkstone
