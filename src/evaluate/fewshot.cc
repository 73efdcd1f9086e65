#include "evaluate/fewshot.h"

#include <algorithm>

#include "base/error.h"

namespace inkstone::evaluate {

FewshotExamples::FewshotExamples(const Task& task, const std::vector<Row>& pool, int64_t count)
    : task_(task), pool_(pool), count_(static_cast<size_t>(count)) {
  const size_t drawn = count_ + (task.fewshot == FewshotPool::kOtherRows ? 1 : 0);
  if (count_ == 0 || pool.size() >= drawn) return;
  fail(ErrorCode::kUsage,
       "{} examples for each row of {} are drawn as {} of the rows for examples, of which there "
       "are {}: give more rows or fewer examples",
       count, task.name, drawn, pool.size());
}

// One more is drawn where the row itself may be among them. Where it stands there several times,
// too few are left: then they are drawn again from all other rows.
std::vector<size_t> FewshotExamples::draw(const Row& row) {
  if (task_.fewshot != FewshotPool::kOtherRows) return random_.sample(pool_.size(), count_);
  const auto is_row = [&](size_t i) { return pool_[i].json() == row.json(); };
  std::vector<size_t> drawn = random_.sample(pool_.size(), count_ + 1);
  std::erase_if(drawn, is_row);
  if (drawn.size() < count_) {
    std::vector<size_t> others;
    for (size_t i = 0; i < pool_.size(); ++i) {
      if (!is_row(i)) others.push_back(i);
    }
    if (others.size() < count_) {
      fail(ErrorCode::kUsage, "{} examples are asked for, and {} rows are not the row itself",
           count_, others.size());
    }
    drawn = random_.sample(others.size(), count_);
    for (size_t& place : drawn) place = others[place];
  }
  drawn.resize(count_);
  return drawn;
}

std::string FewshotExamples::before(const Row& row) {
  std::string text;
  if (count_ == 0) return text;
  for (const size_t place : draw(row)) text += example_text(question_of(task_, pool_[place]));
  return text;
}

}  // namespace inkstone::evaluate
