// The tied output layer and its loss, without ever holding all logits: rows are taken block by
// block, and the gradient of a block is formed while its logits are there.
#pragma once

#include "model/network.h"
#include "tensor/arena.h"

namespace inkstone {

class Gradients;

struct OutputScratch {
  View logits;   // [R,V] f32
  View dlogits;  // [R,V] act; in f32 the same memory as the logits
};

// Rows per block: the largest power of two whose R * V * 4 bytes stay within 32 MiB, but at least
// 16, at most `rows`. Grows with `rows`, so that a plan for many rows holds fewer.
int64_t output_block_rows(int64_t rows, int64_t vocab_size);

OutputScratch plan_output(Arena& arena, const ModelConfig& config, DType act, int64_t rows);

// losses[n] = -log softmax(x wte^T)[n, targets[n]].
// x [N,C] act, targets [N] i32 (negative: none), losses [N] f32.
void output_forward(const Network& network, ConstView x, ConstView targets,
                    const OutputScratch& scratch, View losses);

// The same, and dx [N,C] act = gradient, dwte (+)= gradient. gradient_scale multiplies d(sum of
// losses).
struct OutputBackward {
  ConstView x, targets;
  View losses, dx;
  float gradient_scale = 1;
  bool accumulate = false;
};
void output_forward_backward(const Network& network, const OutputBackward& op,
                             const OutputScratch& scratch, const Gradients& gradients);

}  // namespace inkstone
