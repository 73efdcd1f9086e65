#include "generate/pass.h"

#include <algorithm>
#include <exception>

namespace inkstone {
namespace {

// Rows whose logits are held at once: 64 x 50257 are 13 MB.
constexpr int64_t kRowsAtOnce = 64;

int64_t whole_pages(int64_t tokens) { return tokens / kPagePositions * kPagePositions; }

// What a cache may serve: the rows that are read are fed.
std::span<const TokenId> servable(const Member& member) {
  const auto read = static_cast<size_t>(std::max<int64_t>(1, member.wanted.rows));
  const size_t size = member.tokens.size();
  return std::span(member.tokens).first(size - std::min(size, read));
}

}  // namespace

void Pass::add(Job& job, MemberId id, Member& member, int64_t count) {
  parts_.push_back({.job = &job,
                    .id = id,
                    .member = &member,
                    .held = job.group.held(member),
                    .count = count,
                    .row = rows_});
  rows_ += count;
}

bool Pass::plan(const Jobs& jobs, const Pace& pace) {
  parts_.clear();
  prompts_.clear();
  rows_ = 0;
  for (const auto& job : jobs) {
    for (auto& [id, member] : job->group.members()) {
      const int64_t pending = job->group.pending(member);
      if (!member.is_prompt && pending > 0) add(*job, id, member, pending);
    }
  }
  plan_prompts(jobs, pace.prompt_rows(rows_));
  return !parts_.empty();
}

void Pass::plan_prompts(const Jobs& jobs, int64_t room) {
  for (const auto& job : jobs) {
    for (auto& [id, member] : job->group.members()) {
      if (room == 0) return;
      if (!member.is_prompt || job->group.pending(member) == 0) continue;
      const bool begins = member.sequence >= 0 || attach(member, jobs);
      prompts_.push_back(&member);
      if (!begins) continue;
      const int64_t count = std::min(room, job->group.pending(member));
      add(*job, id, member, count);
      room -= count;
    }
  }
}

// False: a prompt in front of it will hold more pages of it than anyone does now.
bool Pass::attach(Member& member, const Jobs& jobs) {
  const auto tokens = servable(member);
  PrefixHit hit = find_live(tokens, jobs);
  if (const PrefixHit kept = kept_->find(tokens); kept.length > hit.length) hit = kept;
  hit.length = whole_pages(hit.length);
  for (const Member* earlier : prompts_) {
    if (whole_pages(common_length(earlier->tokens, tokens)) > hit.length) return false;
  }
  member.sequence = hit.length > 0 ? decoder_->fork(hit.sequence, hit.length) : decoder_->open();
  reused_ += hit.length;
  return true;
}

PrefixHit Pass::find_live(std::span<const TokenId> tokens, const Jobs& jobs) const {
  PrefixHit best;
  for (const auto& job : jobs) {
    for (const auto& [id, member] : job->group.members()) {
      const auto held = static_cast<size_t>(job->group.held(member));
      const int64_t common = common_length(std::span(member.tokens).first(held), tokens);
      if (common > best.length) best = {member.sequence, common};
    }
  }
  return best;
}

void Pass::run() {
  std::vector<Chunk> chunks;
  int64_t pages = 0;
  for (const Part& part : parts_) {
    pages += decoder_->pages_for(part.member->sequence, part.count);
    chunks.push_back({part.member->sequence, std::span<const TokenId>(part.member->tokens)
                                                 .subspan(static_cast<size_t>(part.held),
                                                          static_cast<size_t>(part.count))});
  }
  kept_->make_free(pages);
  decoder_->run(chunks);
}

std::vector<Pass::Reading> Pass::readings() const {
  std::vector<Reading> all;
  for (const Part& part : parts_) {
    const auto size = static_cast<int64_t>(part.member->tokens.size());
    const int64_t end = part.held + part.count;
    int64_t first = std::max(part.held, size - part.member->wanted.rows);
    while (first < end) {
      const int64_t rows = std::min(kRowsAtOnce, end - first);
      all.push_back({.part = &part,
                     .row = part.row + first - part.held,
                     .results = {.member = part.id, .first = first, .rows = rows}});
      first += rows;
    }
  }
  return all;
}

void Pass::read() {
  std::vector<Reading> all = readings();
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin;
    int64_t rows = 0;
    while (end < all.size() && (end == begin || rows + all[end].results.rows <= kRowsAtOnce))
      rows += all[end++].results.rows;
    const auto batch = std::span(all).subspan(begin, end - begin);
    compute(batch);
    hand_over(batch);
    begin = end;
  }
  for (const Part& part : parts_)
    part.job->has_results = part.job->has_results || part.job->group.pending(*part.member) == 0;
}

void Pass::fail(std::exception_ptr error) noexcept {
  for (const Part& part : parts_) {
    if (!part.job->error) part.job->error = error;
    part.job->group.close_all();
  }
}

void Pass::compute(std::span<Reading> batch) {
  const auto V = static_cast<size_t>(decoder_->config().vocab_size);
  const auto C = static_cast<size_t>(decoder_->config().width);
  std::vector<int64_t> logits_rows, hidden_rows;
  const auto append = [](std::vector<int64_t>& rows, const Reading& reading) {
    for (int64_t r = 0; r < reading.results.rows; ++r) rows.push_back(reading.row + r);
  };
  for (const Reading& reading : batch) {
    if (reading.part->member->wanted.logits) append(logits_rows, reading);
    if (reading.part->member->wanted.hidden) append(hidden_rows, reading);
  }
  logits_.resize(logits_rows.size() * V);
  hidden_.resize(hidden_rows.size() * C);
  if (!logits_rows.empty()) decoder_->logits(logits_rows, logits_);
  if (!hidden_rows.empty()) decoder_->hidden(hidden_rows, hidden_);
  std::span<const float> logits = logits_, hidden = hidden_;
  const auto take = [](std::span<const float>& rest, size_t count) {
    const auto taken = rest.first(count);
    rest = rest.subspan(count);
    return taken;
  };
  for (Reading& reading : batch) {
    const auto rows = static_cast<size_t>(reading.results.rows);
    if (reading.part->member->wanted.logits) reading.results.logits = take(logits, rows * V);
    if (reading.part->member->wanted.hidden) reading.results.hidden = take(hidden, rows * C);
  }
}

// What one strategy throws is its own request's end alone.
void Pass::hand_over(std::span<const Reading> batch) {
  std::vector<std::exception_ptr> errors(batch.size());
  pool_->parallel_each(static_cast<int64_t>(batch.size()), [&](int64_t i, int) {
    const auto at = static_cast<size_t>(i);
    try {
      batch[at].part->job->strategy().read(batch[at].results);
    } catch (...) {
      errors[at] = std::current_exception();
    }
  });
  for (size_t i = 0; i < batch.size(); ++i) {
    if (errors[i] && !batch[i].part->job->error) batch[i].part->job->error = errors[i];
  }
}

}  // namespace inkstone
