// Sums over a batch, and what the positions of a window see.
#include "train/token_batch.h"

#include <algorithm>

#include "base/check.h"

namespace inkstone {

void clear(TokenBatch& batch) {
  batch.inputs.clear();
  batch.targets.clear();
  batch.weights.clear();
  batch.positions.clear();
  batch.first_keys.clear();
  batch.last_keys.clear();
}

double trained_weight(const TokenBatch& batch) {
  double sum = 0;
  for (size_t n = 0; n < batch.targets.size(); ++n) {
    if (batch.targets[n] >= 0) sum += batch.weights.empty() ? 1.0 : double{batch.weights[n]};
  }
  return sum;
}

MicroBatch micro_batch(const TokenBatch& batch) {
  return {.inputs = batch.inputs,
          .targets = batch.targets,
          .weights = batch.weights,
          .positions = batch.positions,
          .first_keys = batch.first_keys,
          .last_keys = batch.last_keys};
}

namespace {

// Those that an empty array stands for, of all windows.
void make_arrays(TokenBatch& batch, int64_t T) {
  const size_t count = batch.inputs.size();
  if (batch.positions.size() == count && batch.first_keys.size() == count) return;
  batch.positions.resize(count);
  for (size_t n = 0; n < count; ++n)
    batch.positions[n] = static_cast<int32_t>(n % static_cast<size_t>(T));
  batch.first_keys.assign(count, 0);
  batch.last_keys = batch.positions;
}

}  // namespace

void set_extents(TokenBatch& batch, int64_t b, int64_t T, std::span<const Extent> extents,
                 PromptView view) {
  make_arrays(batch, T);
  int64_t at = 0;
  for (const Extent& e : extents) {
    INK_CHECK(e.begin == at && e.begin < e.end && e.end <= T && e.begin <= e.prompt_end &&
                  e.prompt_end <= e.end,
              "texts do not cover the window");
    for (; at < e.end; ++at) {
      const auto n = static_cast<size_t>(b * T + at);
      const bool whole = view == PromptView::kWhole && at < e.prompt_end;
      batch.positions[n] = static_cast<int32_t>(at - e.begin);
      batch.first_keys[n] = static_cast<int32_t>(e.begin);
      batch.last_keys[n] = static_cast<int32_t>(whole ? e.prompt_end - 1 : at);
      if (whole && at + 1 < e.prompt_end) batch.targets[n] = -1;
    }
  }
  INK_CHECK(at == T, "texts do not cover the window");
}

}  // namespace inkstone
