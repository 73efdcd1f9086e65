#include "generate/sampling.h"

#include <algorithm>
#include <array>
#include <utility>

namespace inkstone {

Sampling::Sampling(const Tokenizer& tokenizer, SamplingTask task)
    : tokenizer_(&tokenizer), task_(std::move(task)) {}

Demand Sampling::demand() const {
  const auto most = static_cast<int64_t>(samples_.size()) + unbegun();
  return {.least = 1, .most = std::max<int64_t>(1, most)};
}

void Sampling::read(const Results& results) {
  if (results.member == Group::kPrompt) {
    prompt_logits_.assign(results.logits.begin(), results.logits.end());
    return;
  }
  Sample& sample = samples_.at(results.member);
  sample.next = sample.sequence.choose(results.logits);
  sample.has_chosen = true;
}

void Sampling::decide(Group& group) {
  go_on(group);
  if (unbegun() > 0 && group.is_fed(Group::kPrompt)) begin(group);
}

SequenceListener Sampling::listener(int64_t number) const {
  SequenceListener listener;
  if (task_.on_token) {
    listener.on_token = [this, number](const WrittenToken& token) {
      task_.on_token(number, token);
    };
  }
  if (task_.on_text) {
    listener.on_text = [this, number](std::string_view text) {
      return task_.on_text(number, text);
    };
  }
  return listener;
}

// False, and its result is taken, when it is finished.
bool Sampling::take(Sample& sample) {
  sample.has_chosen = false;
  if (sample.sequence.take(std::exchange(sample.next, std::nullopt), listener(sample.number)))
    return true;
  finish(sample);
  return false;
}

void Sampling::finish(Sample& sample) {
  Completion& result = results_[static_cast<size_t>(sample.number)];
  result = sample.sequence.take_result();
  result.sample_index = sample.number;
  result.prompt_tokens = static_cast<int64_t>(task_.prompt.size());
  result.prompt_tokens_kept = task_.kept;
}

void Sampling::go_on(Group& group) {
  for (auto at = samples_.begin(); at != samples_.end();) {
    const auto here = at++;
    auto& [member, sample] = *here;
    if (!sample.has_chosen) continue;
    if (take(sample)) {
      group.append(member, std::array{sample.sequence.last_token()});
    } else {
      group.drop(member);
      samples_.erase(here);
    }
  }
}

Sampling::Sample Sampling::make(int64_t number) const {
  return {.number = number,
          .sequence = Sequence(
              *tokenizer_, task_.options, task_.characters,
              sequence_seed(task_.options.seed, task_.seed_text, task_.first_sample + number),
              task_.prompt)};
}

// As many as there is room for choose their first token by the prompt's logits side by side; those
// that end with it leave their room to others.
void Sampling::begin(Group& group) {
  while (unbegun() > 0 && group.room() > 0) {
    std::vector<Sample> fresh;
    for (int64_t room = std::min(group.room(), unbegun()); room > 0; --room)
      fresh.push_back(make(begun_ + static_cast<int64_t>(fresh.size())));
    group.side_by_side(static_cast<int64_t>(fresh.size()), [&](int64_t i) {
      Sample& sample = fresh[static_cast<size_t>(i)];
      sample.next = sample.sequence.choose(prompt_logits_);
    });
    for (Sample& sample : fresh) {
      ++begun_;
      results_.emplace_back();
      if (!take(sample)) continue;
      const MemberId member = group.fork(Group::kPrompt);
      group.append(member, std::array{sample.sequence.last_token()});
      samples_.emplace(member, std::move(sample));
    }
  }
  if (unbegun() > 0) return;
  group.drop(Group::kPrompt);
  prompt_logits_ = {};
}

void Sampling::cancel() {
  for (auto& [member, sample] : samples_) {
    sample.sequence.finish(FinishReason::kCancelled, {});
    finish(sample);
  }
  samples_.clear();
}

void Sampling::end(std::exception_ptr error) noexcept {
  if (!task_.on_end) return;
  task_.on_end(error ? std::vector<Completion>() : std::move(results_), error);
}

}  // namespace inkstone
