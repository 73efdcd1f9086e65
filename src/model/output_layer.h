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
  View widened;  // ProjectionScratch::widened
};

// R is what the backend takes at once (Backend::logits_rows). A plan for many rows holds fewer.
OutputScratch plan_output(Arena& arena, const Network& network, int64_t rows);

// losses[n] = -weights[n] log softmax(x wte^T)[n, targets[n]].
struct OutputForward {
  ConstView x;             // [N,C] act
  ConstView targets;       // [N] i32; negative: none
  ConstView weights = {};  // [N] f32; absent: all 1
  View losses;             // [N] f32
};
void output_forward(const Network& network, const OutputForward& op, const OutputScratch& scratch);

// The same, and dx [N,C] act = gradient (an empty dx is not computed), and where it is trained dwte
// (+)= gradient. gradient_scale multiplies d(sum of losses).
struct OutputBackward {
  ConstView x, targets, weights = {};
  View losses, dx;
  float gradient_scale = 1;
  bool accumulate = false;
};
void output_forward_backward(const Network& network, const OutputBackward& op,
                             const OutputScratch& scratch, const Gradients& gradients);

}  // namespace inkstone
