// What a training pass is told of every position of a micro-batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inkstone/tokenizer.h"
#include "model/training_pass.h"

namespace inkstone {

// [B * T] each: position t of window b is n = b T + t.
struct TokenBatch {
  std::vector<TokenId> inputs;
  std::vector<TokenId> targets;    // what follows input n; negative: no loss here
  std::vector<float> weights;      // of the losses, 0 or more; empty: all 1
  std::vector<int32_t> positions;  // 0 to T - 1; empty: t
  // What position n sees, from 0 to T - 1 in its window, both inclusive: at least one. Both or
  // none; empty: 0 to t (causal).
  std::vector<int32_t> first_keys, last_keys;
};

// Empties every array, which keeps its memory.
void clear(TokenBatch& batch);

// The weights of the positions that have a target, added.
double trained_weight(const TokenBatch& batch);

// The batch's arrays, for a pass. The batch must outlive it.
MicroBatch micro_batch(const TokenBatch& batch);

// A text, or the part of one, that a window holds: [begin, end) of its positions, of which
// [begin, prompt_end) are given and the others are to be written. begin <= prompt_end <= end.
struct Extent {
  int64_t begin, prompt_end, end;
};

enum class PromptView {
  kCausal,  // a prompt is seen as everything else: by what comes after
  // Every position of a prompt sees all of it. It would see its own target there: a position whose
  // target belongs to the prompt has none.
  kWhole,
};

// Sets apart the texts of window b: none sees another, and positions begin at 0 in each. `extents`
// cover the T positions without a gap, in their order, none of them empty.
void set_extents(TokenBatch& batch, int64_t b, int64_t T, std::span<const Extent> extents,
                 PromptView view);

}  // namespace inkstone
