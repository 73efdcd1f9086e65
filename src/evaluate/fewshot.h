// The examples that stand before a row, drawn as lm-eval draws them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evaluate/python_random.h"
#include "evaluate/rows.h"
#include "evaluate/task.h"

namespace inkstone::evaluate {

// lm-eval's default --seed of examples.
inline constexpr uint32_t kFewshotSeed = 1234;

// Draws from one stream of random numbers, row after row: the examples of a row depend on how many
// rows were asked for before it.
class FewshotExamples {
 public:
  // `count` examples, at least 0, of rows of `pool`, which must outlive it. Throws kUsage when the
  // pool has fewer rows than are drawn: `count`, and one more where the task leaves out the row
  // itself.
  FewshotExamples(const Task& task, const std::vector<Row>& pool, int64_t count);

  // The examples before `row`, one after the other, each with the blank line behind it; "" of none.
  std::string before(const Row& row);

 private:
  std::vector<size_t> draw(const Row& row);

  const Task& task_;
  const std::vector<Row>& pool_;
  const size_t count_;
  PythonRandom random_{kFewshotSeed};
};

}  // namespace inkstone::evaluate
