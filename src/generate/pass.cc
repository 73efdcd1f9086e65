#include "generate/pass.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace inkstone {
namespace {

// Rows whose logits are held at once: 64 x 50257 are 13 MB.
constexpr int64_t kRowsAtOnce = 64;

void append_rows(std::vector<int64_t>& rows, int64_t first, int64_t count) {
  for (int64_t r = 0; r < count; ++r) rows.push_back(first + r);
}

// Of the rows that are wanted of a member, those of one part.
void append_targets(std::vector<TokenId>& targets, const Member& member, const Results& part) {
  const auto from = part.first - (static_cast<int64_t>(member.tokens.size()) - member.wanted.rows);
  const auto begin = member.wanted.targets.begin() + from;
  targets.insert(targets.end(), begin, begin + part.rows);
}

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
      const int64_t count = std::max(whole_tokens(member),
                                     std::min(room, job->group.pending(member)));
      add(*job, id, member, count);
      room -= std::min(room, count);
    }
  }
}

// Of a member's tokens the first ones that are one prompt to a model that sees prompts whole: all
// up to the first that is asked what follows it. They are fed at once, before anything else.
int64_t Pass::whole_tokens(const Member& member) const {
  if (!decoder_->config().prefix_lm || decoder_->length(member.sequence) > 0) return 0;
  return static_cast<int64_t>(member.tokens.size()) - std::max<int64_t>(1, member.wanted.rows) + 1;
}

// False: a prompt in front of it will hold more pages of it than anyone does now.
bool Pass::attach(Member& member, const Jobs& jobs) {
  // What stands at the beginning of a prompt that is seen whole depends on its end.
  if (decoder_->config().prefix_lm) {
    member.sequence = decoder_->open();
    return true;
  }
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
    const std::span<const TokenId> tokens = part.member->tokens;
    chunks.push_back(
        {.sequence = part.member->sequence,
         .tokens = tokens.subspan(static_cast<size_t>(part.held), static_cast<size_t>(part.count)),
         .whole = whole_tokens(*part.member)});
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
  compute_logits(batch);
  compute_hidden(batch);
}

// Rows with targets first, the others behind them.
void Pass::compute_logits(std::span<Reading> batch) {
  const auto V = static_cast<size_t>(decoder_->config().vocab_size);
  std::vector<int64_t> rows;
  std::vector<TokenId> targets;
  std::vector<std::pair<Reading*, size_t>> places;  // its first row among these
  for (const bool with_targets : {true, false}) {
    for (Reading& reading : batch) {
      const Wanted& wanted = reading.part->member->wanted;
      if (!wanted.logits || wanted.targets.empty() == with_targets) continue;
      places.emplace_back(&reading, rows.size());
      append_rows(rows, reading.row, reading.results.rows);
      if (with_targets) append_targets(targets, *reading.part->member, reading.results);
    }
  }
  const size_t scored = targets.size();
  logits_.resize(rows.size() * V);
  losses_.resize(scored);
  const std::span<float> logits = logits_;
  decoder_->losses(std::span(rows).first(scored), targets, losses_, logits.first(scored * V));
  decoder_->logits(std::span(rows).subspan(scored), logits.subspan(scored * V));
  for (const auto& [reading, first] : places) {
    const auto count = static_cast<size_t>(reading->results.rows);
    reading->results.logits = logits.subspan(first * V, count * V);
    if (first < scored) reading->results.losses = std::span(losses_).subspan(first, count);
  }
}

void Pass::compute_hidden(std::span<Reading> batch) {
  const auto C = static_cast<size_t>(decoder_->config().width);
  std::vector<int64_t> rows;
  for (const Reading& reading : batch) {
    if (reading.part->member->wanted.hidden) append_rows(rows, reading.row, reading.results.rows);
  }
  hidden_.resize(rows.size() * C);
  decoder_->hidden(rows, hidden_);
  std::span<const float> rest = hidden_;
  for (Reading& reading : batch) {
    if (!reading.part->member->wanted.hidden) continue;
    const auto size = static_cast<size_t>(reading.results.rows) * C;
    reading.results.hidden = rest.first(size);
    rest = rest.subspan(size);
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
